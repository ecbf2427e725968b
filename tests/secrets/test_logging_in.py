"""`POST /token`: the forms it takes, and that a refusal tells nothing, not even by its time."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
import pytest_asyncio
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from stakeline.auth import passwords
from stakeline.bet_maker import logins
from tests import databases
from tests.secrets.closed import BETS, OPERATOR, PASSWORD, by, log_in
from tests.serving import Served, bet_maker, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALONE: dict[str, Any] = {k: v for k, v in BETS.items() if k != "line_provider_token"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = {"username": OPERATOR, "password": PASSWORD}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A standalone bet-maker with one operator."""
    async with serving(bet_maker(tmp_path_factory.mktemp("logins"), None, **ALONE)) as served:
        yield served


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_failed(bets: Served) -> None:
    """No failure of another test counts."""
    # In a thread: the service, which may be in the middle of a transaction, has to go on.
    await asyncio.to_thread(databases.execute, url_of(bets), "DELETE FROM logins")


def url_of(bets: Served) -> str:
    """Of its database."""
    engine = bets.app.state.entrance.database.engine
    url = engine.url.render_as_string(hide_password=False)
    return str(url.replace("+aiosqlite", "").replace("+asyncpg", ""))


async def by_form(bets: Served, form: Any, **headers: str) -> httpx2.Response:  # noqa: ANN401 - text, or pairs
    """The answer to a form."""
    content = form if isinstance(form, bytes) else urlencode(form).encode()
    return await bets.client.post("/token", content=content, headers=FORM | headers)


async def test_a_token_is_good_for_a_quarter_of_an_hour(bets: Served) -> None:
    """And no cache may keep the answer."""
    answer = await log_in(bets, OPERATOR.upper(), PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert (await bets.get("/bets", headers=by(body["access_token"]))).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"grant_type": "password"},
        {"grant_type": ""},
        {"grant_type": "password", "scope": "", "client_id": "", "client_secret": ""},
        {"grant_type": "password", "client_id": "swagger", "client_secret": "x"},
    ],
)
async def test_the_form_of_oauth2(bets: Served, more: dict[str, str]) -> None:
    """As Swagger's Authorize sends it; the parameters of a media type are of no matter."""
    assert (await by_form(bets, GOOD | more)).status_code == 200
    for charset in ("; charset=utf-8", ";charset=ISO-8859-1"):
        sent = await by_form(bets, GOOD | more, **{"Content-Type": FORM["Content-Type"] + charset})
        assert sent.status_code == 200
    client = await by_form(bets, GOOD | more, Authorization="Basic c3dhZ2dlcjp4")
    assert client.status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ([*GOOD.items(), ("username", OPERATOR)], 400),
        ([*GOOD.items(), ("password", "another")], 400),
        ([*GOOD.items(), ("grant_type", "password"), ("grant_type", "password")], 400),
        (b"username=olga&password=%ff%fe", 400),
        (b"username=olga&password=%C3%28", 400),
        ("username=olga&password=Lübeck".encode(), 400),
        (b"username=olga&password", 400),
        (b"username=olga&&password=x", 400),
        (b"{}", 400),
        (b"", 422),
        (b"username=olga", 422),
        (b"password=x", 422),
        (b"username=olga;password=x", 422),
        (GOOD | {"grant_type": "client_credentials"}, 422),
        (GOOD | {"grant_type": "refresh_token"}, 422),
        (GOOD | {"grant_type": "Password"}, 422),
        (GOOD | {"role": "operator"}, 422),
        (GOOD | {"password": "x" * 1025}, 422),
        (GOOD | {"password": "ü" * 513}, 422),
        (GOOD | {"username": "x" * 1025}, 422),
        (GOOD | {"password": "x" * 17_000}, 413),
        (GOOD | {"username": "ol\0ga"}, 401),
        (GOOD | {"password": "\0"}, 401),
        (GOOD | {"password": ""}, 401),
    ],
)
async def test_a_form_that_is_none(bets: Served, form: Any, status: int) -> None:  # noqa: ANN401 - as `by_form`
    """Nothing in it is taken, guessed or repeated."""
    answer = await by_form(bets, form)
    assert answer.status_code == status, answer.text
    assert PASSWORD not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (GOOD | {"grant_type": "password"}, 422),
        (GOOD | {"role": "operator"}, 422),
        ({"username": OPERATOR}, 422),
        (GOOD | {"password": 123456789012}, 422),
        (GOOD | {"password": None}, 422),
        (GOOD | {"password": [PASSWORD]}, 422),
        (GOOD | {"username": {}}, 422),
        ([], 422),
        (None, 422),
        (1, 422),
        ("text", 422),
        (GOOD | {"password": "x" * 1025}, 422),
    ],
)
async def test_json_that_is_no_login(bets: Served, body: Any, status: int) -> None:  # noqa: ANN401 - any JSON
    """Unknown fields included."""
    answer = (
        await bets.client.post("/token", json=body)
        if body is not None
        else await bets.client.post(
            "/token", content=b"null", headers={"Content-Type": "application/json"}
        )
    )
    assert answer.status_code == status, answer.text
    assert PASSWORD not in answer.text


async def test_other_media_types_are_refused(bets: Served) -> None:
    """Multipart, text, none."""
    for kind in ("multipart/form-data; boundary=x", "text/plain", "", "application/xml"):
        answer = await bets.client.post("/token", content=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert (await bets.get("/token")).status_code == 405


async def users_of_all_kinds(bets: Served) -> dict[str, str]:
    """Names for which a login fails, by why it does; the operator's name is theirs."""
    token = (await log_in(bets, OPERATOR, PASSWORD)).json()["access_token"]
    made = [
        await bets.post("/users", {"username": name, "password": PASSWORD}, headers=by(token))
        for name in ("inactive", "removed")
    ]
    if made[0].is_success:  # or another test has made them
        await bets.patch(made[0].headers["location"], {"active": False}, headers=by(token))
    gone = await bets.client.delete(made[1].headers["location"], headers=by(token))
    assert gone.status_code == 204
    return {
        "unknown": "nobody",
        "inactive": "inactive",
        "removed": "removed",
        "malformed": "no body at all!",
        "the removed one's new name": "~3",
        "anonymous": "anonymous",
    }


async def test_a_refusal_says_nothing(bets: Served) -> None:
    """The same answer for a wrong password as for a name that nobody has, or has no more."""
    names = await users_of_all_kinds(bets)
    answers = {why: await log_in(bets, name, PASSWORD) for why, name in names.items()}
    answers["wrong password"] = await log_in(bets, OPERATOR, "wrong password, quite")
    assert {answer.status_code for answer in answers.values()} == {401}
    assert len({answer.text for answer in answers.values()}) == 1
    varying = {"date", "x-request-id"}
    heads = {
        tuple(sorted((k, v) for k, v in answer.headers.items() if k not in varying))
        for answer in answers.values()
    }
    assert len(heads) == 1
    (head,) = heads
    assert any(name == "www-authenticate" for name, _ in head)


async def test_a_refusal_takes_the_same_time_whatever_the_reason(
    bets: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a tenth of the processor, which other work on the machine does not change much."""
    monkeypatch.setattr(logins, "MOST_OF_ACCOUNT", 10**6)
    monkeypatch.setattr(logins, "MOST_OF_ADDRESS", 10**6)
    names = await users_of_all_kinds(bets) | {"wrong password": OPERATOR}
    del names["the removed one's new name"]
    for _ in range(5):
        took_s: dict[str, list[float]] = {why: [] for why in names}
        for n in range(12):  # one after another in turn, so that all have the same conditions
            for why in sorted(names, key=lambda why: hash((n, why))):
                began = time.process_time()
                await log_in(bets, names[why], "wrong password, quite")
                took_s[why].append(time.process_time() - began)
            await asyncio.to_thread(databases.execute, url_of(bets), "DELETE FROM logins")
        middles = {why: statistics.median(each) for why, each in took_s.items()}
        if max(middles.values()) < 1.1 * min(middles.values()):
            return
    pytest.fail(f"times differ: {middles}")


async def test_after_five_failures_even_the_right_password_is_refused(bets: Served) -> None:
    """By 429, with how many seconds to wait; whether the account exists or not."""
    for name in (OPERATOR, "nobody"):
        for _ in range(logins.MOST_OF_ACCOUNT):
            assert (await log_in(bets, name, "wrong password, quite")).status_code == 401
        for password in (PASSWORD, "wrong password, quite"):
            answer = await log_in(bets, name, password)
            assert answer.status_code == 429
            assert answer.json()["code"] == "too_many_requests"
            assert 880 <= int(answer.headers["retry-after"]) <= 900


async def test_twenty_failures_of_an_address(bets: Served) -> None:
    """Of any names, together."""
    for n in range(logins.MOST_OF_ADDRESS):
        assert (await log_in(bets, f"nobody-{n}", PASSWORD)).status_code == 401
    assert (await log_in(bets, OPERATOR, PASSWORD)).status_code == 429


async def test_an_outdated_hash_is_replaced_by_the_next_login(bets: Served) -> None:
    """Whose user notices nothing, and whose tokens stay good."""
    old = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8192, parallelism=1)]).hash(PASSWORD)
    token = (await log_in(bets, OPERATOR, PASSWORD)).json()["access_token"]
    databases.execute(
        url_of(bets),
        f"UPDATE users SET password_hash = '{old}' WHERE username = '{OPERATOR}'",  # noqa: S608
    )
    stored = f"SELECT password_hash FROM users WHERE username = '{OPERATOR}'"  # noqa: S608 - ours
    assert (await log_in(bets, OPERATOR, "wrong password, quite")).status_code == 401
    assert databases.execute(url_of(bets), stored)[0][0] == old
    assert (await log_in(bets, OPERATOR, PASSWORD)).status_code == 200
    ((now,),) = databases.execute(url_of(bets), stored)
    assert now.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await log_in(bets, OPERATOR, PASSWORD)).status_code == 200
    assert (await bets.get("/bets", headers=by(token))).status_code == 200


async def test_fifty_logins_at_once_let_others_by(bets: Served) -> None:
    """They all succeed, each in its turn; what needs no password is not held up by them."""
    took_s = []
    first = time.perf_counter()
    tasks = [asyncio.create_task(log_in(bets, OPERATOR, PASSWORD)) for _ in range(50)]
    async with asyncio.timeout(30):
        while not all(task.done() for task in tasks):
            began = time.perf_counter()
            assert (await bets.get("/healthz")).status_code == 200
            took_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)
    statuses = [task.result().status_code for task in tasks]
    assert set(statuses) <= {200, 503}  # on a busy machine the database is too slow for some
    assert statuses.count(200) > 40
    assert len(took_s) > 20
    # Quick on a quiet machine; on any other quicker by far than to wait for all of them.
    took_all_s = time.perf_counter() - first
    assert statistics.quantiles(took_s, n=100)[98] < max(0.1, took_all_s / 8)


async def test_too_many_at_once_are_told_to_come_back(
    bets: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 at once, with `Retry-After`; those that wait are served."""
    monkeypatch.setattr(passwords, "MOST_WAITING", 10)
    answers = await asyncio.gather(*(log_in(bets, OPERATOR, PASSWORD) for _ in range(60)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) > passwords.AT_ONCE
    problems = [answer for answer in answers if answer.status_code == 503]
    refused = next(answer for answer in problems if answer.json()["code"] == "overloaded")
    assert refused.headers["retry-after"] == "1"


async def test_who_hangs_up_does_not_lock_the_account(bets: Served) -> None:
    """A login under way is carried to its end."""
    address = urlsplit(bets.url)
    body = urlencode(GOOD).encode()
    for _ in range(2 * logins.MOST_OF_ACCOUNT):
        with socket.create_connection((address.hostname, address.port)) as caller:
            head = f"POST /token HTTP/1.1\r\nHost: here\r\nContent-Type: {FORM['Content-Type']}\r\n"
            caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while databases.execute(url_of(bets), "SELECT 1 FROM logins"):
            await asyncio.sleep(0.02)
    assert (await log_in(bets, OPERATOR, PASSWORD)).status_code == 200


async def test_a_hundred_guesses_at_once_through_two_processes(tmp_path: Path) -> None:
    """Five are checked, whatever comes at the same time; the rest is told to wait."""
    async with (
        serving(bet_maker(tmp_path, None, **ALONE)) as one,
        serving(bet_maker(tmp_path, None, **ALONE)) as other,
    ):
        guesses = [log_in([one, other][n % 2], OPERATOR, f"wrong password {n}") for n in range(100)]
        statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
        assert statuses.count(401) == logins.MOST_OF_ACCOUNT
        assert statuses.count(429) == 95
        rows = databases.execute(url_of(one), "SELECT count(*), sum(failed) FROM logins")
        assert [int(each) for each in rows[0]] == [5, 5]
