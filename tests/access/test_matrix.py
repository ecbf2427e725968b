"""Every operation of both services by callers of every kind: one table says who may do what."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.access.house import FEED, METRICS, OWNER, bearer, expired
from tests.processes import insist
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.access.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

# `.`: may; 1: 401; 3: 403.
TABLE = """
bet-maker                         nobody garbage user operator metrics revoked expired feed owner
GET /healthz                      .      .       .    .        .       .       .       .    .
GET /readyz                       .      .       .    .        .       .       .       .    .
GET /metrics                      1      1       3    .        .       1       1       1    1
GET /docs                         1      1       3    .        3       1       1       1    1
GET /docs/assets/swagger-ui.css   1      1       3    .        3       1       1       1    1
GET /openapi.json                 1      1       3    .        3       1       1       1    1
POST /token                       .      .       .    .        .       .       .       .    .
GET /events                       1      1       .    .        3       1       1       1    1
GET /events/{event_id}            1      1       .    .        3       1       1       1    1
PUT /events/{event_id}            1      1       3    .        3       1       1       1    1
GET /bets                         1      1       .    .        3       1       1       1    1
GET /bets/{bet_id}                1      1       .    .        3       1       1       1    1
POST /bets                        1      1       .    .        3       1       1       1    1
POST /bet                         1      1       .    .        3       1       1       1    1
POST /bets/batch                  1      1       .    .        3       1       1       1    1
GET /exposure                     1      1       3    .        3       1       1       1    1
GET /report                       1      1       3    .        3       1       1       1    1
GET /users                        1      1       3    .        3       1       1       1    1
POST /users                       1      1       3    .        3       1       1       1    1
GET /users/me                     1      1       .    .        3       1       1       1    1
PATCH /users/me                   1      1       .    .        3       1       1       1    1
GET /users/{user_id}              1      1       3    .        3       1       1       1    1
PATCH /users/{user_id}            1      1       3    .        3       1       1       1    1
DELETE /users/{user_id}           1      1       3    .        3       1       1       1    1

line-provider                     nobody garbage user operator metrics revoked expired feed owner
GET /healthz                      .      .       .    .        .       .       .       .    .
GET /readyz                       .      .       .    .        .       .       .       .    .
GET /metrics                      1      1       3    .        1       3       1       .    .
GET /docs                         1      1       3    .        1       3       1       3    .
GET /docs/assets/swagger-ui.css   1      1       3    .        1       3       1       3    .
GET /openapi.json                 1      1       3    .        1       3       1       3    .
GET /events                       1      1       .    .        1       .       1       .    .
POST /events                      1      1       3    .        1       3       1       3    .
GET /events/{event_id}            1      1       .    .        1       .       1       .    .
PUT /events/{event_id}            1      1       3    .        1       3       1       3    .
PATCH /events/{event_id}          1      1       3    .        1       3       1       3    .
POST /events/{event_id}/result    1      1       3    .        1       3       1       3    .
GET /events/{event_id}/history    1      1       3    .        1       3       1       3    .
GET /feed                         1      1       3    .        1       3       1       .    .
GET /feed/snapshot                1      1       3    .        1       3       1       .    .
"""
"""At line-provider a revoked token is good for the rest of its lifetime: it has no users to ask."""
ANSWERS = {"1": "401 unauthenticated", "3": "403 forbidden", ".": "."}
IDS = {
    "event_id": ("nowhere", "%00", "a b"),
    "bet_id": ("01890000-0000-7000-8000-00000000abcd", "zq7x", "%00"),
    "user_id": ("31337", "1", "zq7x"),
}
BODIES: tuple[tuple[bytes | None, str | None], ...] = (
    (None, None),
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"{}", "application/json"),
    (b'{"bets":[{}],"zq7x":1}', "application/json"),
    (b'{"bets":[{}]}', "application/json"),
    (b"zq7x=1", "text/plain"),
    (b" " * 300_000, "application/json"),
)


def rows() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Service, operation, and what it answers to each caller."""
    service, callers = "", [""]
    for line in filter(None, TABLE.splitlines()):
        first, *rest = line.split()
        if first in {"bet-maker", "line-provider"}:
            service, callers = first, rest
        else:
            path, *marks = rest
            yield service, f"{first} {path}", dict(zip(callers, marks, strict=True))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tokens(house: House) -> dict[str, str | None]:
    """A token of each caller."""
    user, operator, revoked = [await house.user(role) for role in ("user", "operator", "user")]
    await operator.bets.patch(f"/users/{revoked.user_id}", {"active": False})
    return {
        "nobody": None,
        "garbage": "zq7x.zq7x.zq7x",
        "user": user.token,
        "operator": operator.token,
        "metrics": METRICS,
        "revoked": revoked.token,
        "expired": expired(user),
        "feed": FEED,
        "owner": OWNER,
    }


def requests(operation: str) -> Iterator[tuple[str, str, bytes | None, dict[str, str]]]:
    """The operation with ids and bodies that are bad in every way, and none that does anything."""
    method, _, path = operation.partition(" ")
    name = path.partition("{")[2].partition("}")[0]
    paths = [path.replace(f"{{{name}}}", one) for one in IDS[name]] if name else [path]
    queries = ("?wait=0&limit=1", "?wait=0&limit=zq7x&cursor=%00&user=0")
    if method == "GET":
        yield from ((method, one + query, None, {}) for one in paths for query in queries)
        return
    for one in paths:
        for body, media_type in BODIES:
            yield method, one, body, {} if media_type is None else {"Content-Type": media_type}


async def answers(
    served: Served, operation: str, callers: dict[str, str | None]
) -> dict[str, set[str]]:
    """What each caller is answered: 401, 403, or `.` for whatever else."""
    found: dict[str, set[str]] = {name: set() for name in callers}
    for name, token in callers.items():
        for method, path, body, headers in requests(operation):
            known = headers | bearer(token)
            answer = await insist(
                partial(served.client.request, method, path, content=body, headers=known)
            )
            told = "."
            if answer.status_code in {401, 403}:
                told = f"{answer.status_code} {answer.json()['code']}"
                assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
            assert answer.status_code != 500, answer.text
            found[name].add(told)
    return found


def operations_of(served: Served) -> set[str]:
    """Those of its document."""
    paths: dict[str, dict[str, Any]] = served.app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, calls in paths.items() for method in calls}


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [pytest.param(*row, id=" ".join(row[:2])) for row in rows()],
)
async def test_who_may_do_what(
    house: House,
    tokens: dict[str, str | None],
    service: str,
    operation: str,
    expected: dict[str, str],
) -> None:
    """Who may not is told so before anything of ids, queries, media types or bodies is judged."""
    served = house.bets if service == "bet-maker" else house.line
    assert served is not None
    assert expected.keys() == tokens.keys()
    found = await answers(served, operation, tokens)
    assert found == {name: {ANSWERS[mark]} for name, mark in expected.items()}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [pytest.param(*row[1:], id=row[1]) for row in rows() if row[0] == "bet-maker"],
)
async def test_standalone_makes_no_difference(
    lone: House, operation: str, expected: dict[str, str]
) -> None:
    """The same roles may do the same where the operator gives results to bet-maker itself."""
    user, operator = await lone.user(), await lone.user("operator")
    known = {"nobody": None, "user": user.token, "operator": operator.token, "metrics": METRICS}
    found = await answers(lone.bets, operation, known)
    assert found == {name: {ANSWERS[expected[name]]} for name in known}


async def test_every_operation_has_a_row(house: House, lone: House) -> None:
    """Who adds an operation says in the table who may call it."""
    pages = {"GET /docs", "GET /docs/assets/swagger-ui.css", "GET /openapi.json"}
    assert house.line is not None
    for served in (house.bets, lone.bets, house.line):
        title = served.app.title
        table = {operation for service, operation, _ in rows() if service == title}
        assert table == operations_of(served) | pages


async def test_the_document_tells_what_wants_a_token(house: House) -> None:
    """Swagger's Authorize shows a lock where nobody would be told 401."""
    for service, operation, expected in rows():
        served = house.bets if service == "bet-maker" else house.line
        assert served is not None
        method, _, path = operation.partition(" ")
        described = served.app.openapi()["paths"].get(path, {}).get(method.lower())
        if described is not None:
            assert ("security" in described) == (expected["nobody"] != "."), operation


async def test_in_open_mode_everybody_may_do_everything(tmp_path_factory: Any) -> None:  # noqa: ANN401
    """Whatever token they bring; and the documents ask for none."""
    folder, other = tmp_path_factory.mktemp("open"), tmp_path_factory.mktemp("alone")
    callers = {"nobody": None, "garbage": "zq7x", "feed": FEED}
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(serving(line_provider(folder)))
        bets = await stack.enter_async_context(serving(bet_maker(folder, line.url)))
        lone = await stack.enter_async_context(serving(bet_maker(other, None)))
        await until_ready(bets)
        for served in (line, bets, lone):
            document = served.app.openapi()
            assert "securitySchemes" not in document["components"]
            assert "security" not in str(document["paths"])
            for operation in operations_of(served) | {"GET /docs", "GET /openapi.json"}:
                found = await answers(served, operation, callers)
                assert found == {name: {"."} for name in callers}, operation
            assert (await served.get("/bets?user=7")).status_code in {200, 404}
        for path in ("/users", "/users/me", "/token"):
            assert (await bets.get(path)).status_code == 404
