"""A database that is down, slow, read-only, restarted or cut off: 503 in time, and it goes on."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from stakeline.bet_maker.app import create_app
from stakeline.bet_maker.settings import Settings
from tests.cluster import Cluster, database, execute, run_script
from tests.postgresql.troubled import Troubled, in_time, troubled
from tests.serving import serving
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FROZEN = """
import asyncio, os, signal, sys
from stakeline.db import Database
from stakeline.line_provider import feed
async def hold():
    async with Database(sys.argv[1]).write() as conn:
        await feed.lock_head(conn)
        print("held", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
asyncio.run(hold())
"""
"""A process that is frozen while it holds the head of the line."""


@pytest.fixture
async def pair(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Troubled]:
    """Both services on databases of their own."""
    async with troubled(cluster, tmp_path) as both:
        yield both


async def test_a_database_that_is_killed_and_started_again(
    pair: Troubled, cluster: Cluster
) -> None:
    """While it is away every request gets its 503; all that was acknowledged is there after."""
    cluster.kill()
    await pair.assert_unavailable()
    await pair.assert_unavailable()
    cluster.start()
    await pair.assert_recovers("after")
    assert (await pair.place("first")).headers["idempotent-replayed"] == "true"


async def test_a_database_that_hangs(pair: Troubled) -> None:
    """Connections stand and no byte comes: every request is told in time, over and over."""
    pair.wire.hold()
    await pair.assert_unavailable()
    await pair.assert_unavailable()
    pair.wire.flow()
    await pair.assert_recovers("after")


async def test_a_database_that_is_cut_off(pair: Troubled) -> None:
    """Connections break, and no new one can be made."""
    pair.wire.cut()
    await pair.assert_unavailable()
    pair.wire.flow()
    await pair.assert_recovers("after")


async def test_many_requests_while_the_database_hangs(pair: Troubled) -> None:
    """More than there are connections: those that wait for one are told in time as well."""
    pair.wire.hold()
    asked = [in_time(pair.place(f"many-{n}")) for n in range(20)]
    asked += [in_time(pair.bets.get("/bets")) for _ in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {503}
    pair.wire.flow()
    await pair.assert_recovers("after")


@pytest.mark.parametrize("delay_s", [0.05, 0.1, 0.2, 0.4])
async def test_no_request_waits_longer_however_slow_the_database_is(
    pair: Troubled, delay_s: float
) -> None:
    """Answered or told to come again, also where a request takes several transactions."""
    pair.wire.delay_s = delay_s
    for _ in range(2):
        for answer in await pair.call_all():
            assert answer.status_code < 500 or "retry-after" in answer.headers
    pair.wire.delay_s = 0
    await pair.assert_recovers("after")


@pytest.mark.parametrize("delay_s", [0.1, 0.2, 60])
async def test_a_standalone_bet_maker_answers_in_time_too(
    cluster: Cluster, tmp_path: Path, delay_s: float
) -> None:
    """Its time is its database's, which it asks first: both together take no longer."""
    url = database(cluster.url, tmp_path, "bet-maker", "template_bet_maker")
    async with Wire(url).up() as wire:
        through = url.replace(f":{cluster.port}/", f":{urlsplit(wire.url).port}/")
        app = create_app(Settings(database_url=through, standalone=True))
        async with serving(app) as bets:
            body = {"event_id": "any", "amount": 1}
            assert (await bets.post("/bets", body)).status_code == 201
            wire.delay_s = delay_s
            calls = [bets.post("/bets", body), bets.get("/events"), bets.get("/bets")]
            calls.append(bets.put("/events/any", {"status": "WIN"}))
            answers = await asyncio.gather(*(in_time(call) for call in calls))
            assert {answer.status_code for answer in answers} <= {200, 201, 503}
            wire.cut()
            wire.delay_s = 0
            wire.flow()
            async with asyncio.timeout(30):
                while (await bets.post("/bets", body | {"event_id": "new"})).status_code != 201:
                    await asyncio.sleep(0.05)


async def test_a_slow_database_slows_but_tells_no_lie(pair: Troubled) -> None:
    """What is answered 201 is there; what is answered 503 can be repeated with its key."""
    pair.wire.delay_s = 0.2
    keys = [f"slow-{n}" for n in range(100)]
    answers = await asyncio.gather(*(in_time(pair.place(key)) for key in keys))
    assert {answer.status_code for answer in answers} <= {201, 503}
    pair.wire.delay_s = 0
    taken = {k: a.json()["bet_id"] for k, a in zip(keys, answers, strict=True) if a.is_success}
    async with asyncio.timeout(60):
        for key in keys:
            while not (answer := await pair.place(key)).is_success:
                await asyncio.sleep(0.05)
            assert taken.setdefault(key, answer.json()["bet_id"]) == answer.json()["bet_id"]
    bets = (await pair.bets.get("/bets?limit=1000")).json()
    assert len(bets) == len(keys) + 1


async def test_a_standby_takes_no_bets_until_it_is_the_primary(pair: Troubled) -> None:
    """A server that refuses writes is not ready; reads go on; when it takes writes, so do we."""
    ends = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    )
    for url in pair.databases:
        name = url.rpartition("/")[2]
        execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        execute(url, f"{ends} AND pid <> pg_backend_pid()")
    await pair.call_all()  # these find their connections broken
    for _ in range(3):
        placed, created = await asyncio.gather(
            in_time(pair.place("standby")),
            in_time(pair.line.post("/events", {"coefficient": 2})),
        )
        assert (placed.status_code, created.status_code) == (503, 503)
    assert (await pair.bets.get("/bets")).status_code == 200
    for service in (pair.line, pair.bets):
        assert (await service.get("/readyz")).json()["reason"] == "the database cannot be used"
    for url in pair.databases:  # the sessions that stand would go on refusing
        name = url.rpartition("/")[2]
        reset = f"BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; END"
        run_script(url, reset)
    await pair.place("standby")  # with this one the connections of the standby are given up
    await pair.assert_recovers("after")


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_connection_that_is_cut_while_a_bet_is_written(
    pair: Troubled, *, arrives: bool
) -> None:
    """503, since nobody knows; repeating the request with its key tells, and makes one bet."""
    for n in range(10):
        # Its statement is a transaction by itself, and has the key in its parameter.
        pair.wire.cut_at(b'"key":"commit-%d"' % n, arrives=arrives)
        answer = await in_time(pair.place(f"commit-{n}"))
        assert answer.status_code == 503, answer.text
        pair.wire.flow()
        async with asyncio.timeout(30):
            while (again := await pair.place(f"commit-{n}")).status_code != 201:
                await asyncio.sleep(0.02)
        if arrives:
            assert "idempotent-replayed" in again.headers
    bets = (await pair.bets.get("/bets?limit=1000")).json()
    assert len(bets) == 11


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
async def test_a_transaction_that_collides_is_tried_again(pair: Troubled, state: str) -> None:
    """Twice it meets another's, the third time it goes through, and nobody notices."""
    fail_bets(pair.databases[1], state, times=2)
    assert (await in_time(pair.place("collides"))).status_code == 201
    assert execute(pair.databases[1], "SELECT last_value FROM failures") == [(3,)]


@pytest.mark.parametrize("state", ["40001", "53100", "57014"])
async def test_a_transaction_that_cannot_get_through_is_unavailable(
    pair: Troubled, state: str
) -> None:
    """Collisions without end, a full disk, a cancelled statement: 503 in time, then all is well."""
    fail_bets(pair.databases[1], state, times=10**6)
    assert (await in_time(pair.place("never"))).status_code == 503
    execute(pair.databases[1], "DROP TRIGGER fails ON bets")
    assert (await pair.place("never")).status_code == 201


def fail_bets(url: str, state: str, times: int) -> None:
    """Let inserting bets fail so many times with this SQLSTATE."""
    script = f"""
    CREATE SEQUENCE failures;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('failures') <= {times} THEN RAISE SQLSTATE '{state}'; END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER fails AFTER INSERT ON bets FOR EACH STATEMENT EXECUTE FUNCTION fail()"""
    run_script(url, script)


async def test_a_frozen_process_does_not_hold_up_the_line_for_long(pair: Troubled) -> None:
    """The server takes the head's lock away from a process that stands still with it."""
    frozen = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FROZEN, pair.databases[0]), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert frozen.stdout is not None
        assert await frozen.stdout.readline() == b"held\n"
        first = await in_time(pair.line.post("/events", {"coefficient": 2}))
        assert first.status_code == 503
        await pair.assert_recovers("after")
    finally:
        frozen.kill()
        await frozen.communicate()
