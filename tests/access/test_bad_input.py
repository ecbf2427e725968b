"""Bad input to the calls of users and logins: a clear problem that repeats nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults import bad_input_values as values
from tests.faults.bad_input_case import JSON, MARKS, Case, Route, bodies, gets, tokens
from tests.faults.bad_input_services import send
from tests.faults.test_bad_input import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.access.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = {"username": '"zq7x"', "password": '"seventeen herons at dusk"'}
LOGIN = Route("bets", "POST", "/token", NAMES)
ADD = Route("bets", "POST", "/users", NAMES)
CHANGE = Route("bets", "PATCH", "/users/31337", {"username": '"zq7x"'})
ME = Route("bets", "PATCH", "/users/me", {"username": '"zq7x"'})
ROUTES = (LOGIN, ADD, CHANGE, ME)
NO_TEXTS = ("31337", "1.5", "true", "[]", "{}", '["zq7x"]')
NO_NAMES = (
    *NO_TEXTS,
    '""',
    '"zq7x x"',
    '"zq7x\\u0000"',
    '"zq7x\\n"',
    '"é"',
    '"~1"',
    f'"{"a" * 65}"',
)
NO_PASSWORDS = (*NO_TEXTS, '""', '"zq7x"', f'"{"zq7x" * 33}"', '"passwordpassword"')
NO_FORMS = (b"username", b"username=%FF&password=zq7x", b"username=a&username=zq7x&password=b")
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


def cases() -> Iterator[Case]:
    """Of each call: what is no JSON, no object, no field of it, too long, of another type."""
    for route in ROUTES:
        body = route.body().encode()
        yield from bodies(
            route, ("", "{", "zq7x", '{"a":1,"a":1}', "[" * 9000), 400, "malformed_json"
        )
        yield from bodies(route, ("[]", "null", "31337", '"zq7x"'), 422, "invalid_request")
        for name in ("user_id", "token_version", "password_hash", "zq7x", ""):
            yield from bodies(route, [route.body(**{name: '"zq7x"'})], 422, "invalid_request")
        where = (route.to, route.method, route.path)
        yield Case(f"{route.path} long", *where, 413, "too_large", body.ljust(16 * 1024 + 1))
        plain = (("Content-Type", "text/zq7x"),)
        yield Case(f"{route.path} type", *where, 415, "unsupported_media_type", body, plain)
    for route in (ADD, CHANGE, ME):
        yield from tokens(route, "username", NO_NAMES)
        yield from tokens(route, "password", NO_PASSWORDS)
    for name in NAMES:
        yield from tokens(LOGIN, name, (*NO_TEXTS, "null", f'"{values.HUGE}"'))
    for text in NO_FORMS:
        yield Case(f"form {text!r}", "bets", "POST", "/token", 400, "bad_request", text, FORM)
    yield from gets("bets", "/users?limit=*", values.LIMITS[::3], 422, "invalid_request")
    yield from gets("bets", "/users?cursor=*", values.COUNTS, 422, "invalid_request")
    yield from gets("bets", "/bets?user=*", ("0", *values.COUNTS), 422, "invalid_request")
    yield from gets("bets", "/users/*", ("0", "%00", "zq7x", values.HUGE), 422, "invalid_request")


@pytest.mark.parametrize("case", list(cases()), ids=str)
async def test_bad_input_is_a_clear_problem(house: House, case: Case) -> None:
    """To an operator, who may do all of this, with nothing of what was sent; nobody is made."""
    operator = (await house.first()).bets
    before = (await operator.get("/users?limit=1000")).json()
    answer = await send(operator, case.method, case.path, case.body, case.headers)
    assert_problem(answer, case.status, case.code)
    assert (await operator.get("/users?limit=1000")).json() == before


@pytest.mark.parametrize("form", [False, True])
async def test_a_failed_login_repeats_nothing(house: House, *, form: bool) -> None:
    """Neither the name nor the password, in whichever way they were sent."""
    text = "username=zq7x&password=zq7x" if form else '{"username":"zq7x","password":"zq7x"}'
    headers = FORM if form else (JSON,)
    answer = await send(house.bets, "POST", "/token", text.encode(), headers)
    assert_problem(answer, 401, "unauthenticated")
    assert MARKS[0] not in answer.text
