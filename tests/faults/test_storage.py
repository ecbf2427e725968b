"""A full disk, a locked database: 503, nothing lost or half written, and it goes on by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from tests import databases, stopwatch
from tests.databases import held, url_of
from tests.serving import (
    Served,
    bet_maker,
    line_provider,
    patiently,
    serving,
    until_known,
    until_ready,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    import httpx2

    from stakeline.db import Database
    from tests.conftest import Both

NAME = "n" * 200
NO_LIMIT = 2**30
ANSWERED_S = 3.5
"""A write that cannot be carried out is answered within about 3 s: 2 s of waiting, and the work."""


class Disk:
    """The disk of one database, which a test may declare full: no page can be added to the file."""

    def __init__(self, database: Database) -> None:
        self._pages = NO_LIMIT
        event.listen(database.engine.sync_engine, "checkout", self._limit)
        connections = database._connections
        alone = connections.write_alone

        async def write_alone(*asked: Any) -> Any:  # noqa: ANN401 - as the engine's
            for kept in connections._keeping._idle:  # these are not checked out any more
                await kept.driver.execute_fetchall(f"PRAGMA max_page_count = {self._pages}")
            return await alone(*asked)

        connections.write_alone = write_alone  # type: ignore[method-assign, assignment]

    def fill(self) -> None:
        """Leave no room beyond the pages that are there."""
        self._pages = 1

    def clear(self) -> None:
        """Make room."""
        self._pages = NO_LIMIT

    def _limit(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count = {self._pages}")
        cursor.close()


def assert_unavailable(answer: httpx2.Response) -> None:
    """The answer is a 503 that says when to come again, and not why."""
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] in {
        "unavailable",
        "overloaded",
    }  # or those before it wait too long
    assert int(answer.headers["retry-after"]) >= 1
    assert not any(word in answer.text.lower() for word in ("sqlite", "postgres", "asyncpg"))


async def timed(
    answering: Awaitable[httpx2.Response], after_s: float = 0
) -> tuple[httpx2.Response, float]:
    """The answer to a request that is sent after a while, and how long it took."""
    await asyncio.sleep(after_s)
    return await stopwatch.timed(answering)


def assert_told_in_time(told: Sequence[tuple[httpx2.Response, float]]) -> None:
    """All answers say that the database is not available, soon enough."""
    for answer, _ in told:
        assert_unavailable(answer)
    assert max(took_s for _, took_s in told) < ANSWERED_S


async def assert_whole(line: Served, names: list[str]) -> None:
    """Events, feed and histories tell the same: these events, each once, without a gap."""
    events = (await line.get("/events?limit=1000")).json()
    assert sorted(each["event_id"] for each in events) == sorted(names)
    page = (await line.get("/feed?limit=1000&wait=0")).json()
    assert [item["seq"] for item in page["items"]] == list(range(1, page["head"] + 1))
    assert Counter(item["event"]["event_id"] for item in page["items"]) == Counter(names)
    history = (await line.get(f"/events/{names[-1]}/history")).json()
    assert [version["version"] for version in history] == [1]


async def keys_of_bets(bets: Served, file: str) -> Counter[str]:
    """How many bets there are for each key; as many as the history shows."""
    listed = (await bets.get("/bets?limit=1000")).json()
    keys = Counter(key for (key,) in databases.execute(file, "SELECT key FROM bets"))
    assert keys.total() == len(listed)
    return keys


async def place(bets: Served, key: str) -> httpx2.Response:
    """The answer to a bet on the event `open`."""
    body = {"event_id": "open", "amount": 1}
    return await bets.post("/bets", body, headers={"Idempotency-Key": key})


@pytest.mark.sqlite
async def test_a_full_disk_costs_line_provider_nothing(tmp_path: Path) -> None:
    """Events are refused with 503 and leave no trace; reading goes on; then all is taken again."""
    async with serving(line_provider(tmp_path)) as line:
        disk = Disk(line.app.state.line.database)
        disk.fill()
        made, refused = [], []
        for n in count():
            event_id = f"{n}-{NAME[:50]}"
            body = {"event_id": event_id, "coefficient": 1.5, "name": NAME}
            answer = await line.post("/events", body)
            if answer.status_code == 201:
                made.append(event_id)
                continue
            assert_unavailable(answer)
            refused.append(event_id)
            if len(refused) == 10:
                break
        assert (await line.get("/readyz")).status_code == 200
        if made:
            await assert_whole(line, made)
        disk.clear()
        for event_id in refused:
            body = {"event_id": event_id, "coefficient": 1.5, "name": NAME}
            assert (await line.post("/events", body)).status_code == 201
        await assert_whole(line, made + refused)
    async with serving(line_provider(tmp_path)) as line:
        await assert_whole(line, made + refused)


@pytest.mark.sqlite
async def test_a_full_disk_costs_bet_maker_nothing(line: Served, tmp_path: Path) -> None:
    """Bets are refused with 503, whole batches too; what the line says meanwhile is heard later."""
    file = url_of(tmp_path, "bet-maker")
    await line.post("/events", {"event_id": "open", "coefficient": 1.5})
    async with serving(bet_maker(tmp_path, line.url)) as bets:
        await until_ready(bets)
        disk, following = Disk(bets.app.state.desk.database), bets.app.state.desk.line
        disk.fill()
        made, refused = Counter[str](), []
        for n in count():
            key = f"{n:064}"
            answer = await place(bets, key)
            if answer.status_code == 201:
                made[key] += 1
                continue
            assert_unavailable(answer)
            refused.append(key)
            if len(refused) == 5:
                break
        batch = [{"event_id": "open", "amount": 2, "key": f"b{n}"} for n in range(100)]
        results = (await bets.post("/bets/batch", {"bets": batch})).json()["results"]
        assert {result["status"] for result in results} == {503}
        news = [f"{n}-{NAME[:50]}" for n in range(100)]
        await asyncio.gather(
            *(patiently(partial(line.put, f"/events/{name}", {"coefficient": 2})) for name in news)
        )
        async with asyncio.timeout(30):
            while following._trouble is None:  # it has tried to apply them, and failed
                await asyncio.sleep(0.02)
        assert await keys_of_bets(bets, file) == made
        assert (await bets.get("/events/open")).status_code == 200
        disk.clear()
        for name in news:
            await until_known(bets, name)
        again = [await place(bets, key) for key in refused]
        assert {answer.status_code for answer in again} == {201}
        assert not [answer for answer in again if "idempotent-replayed" in answer.headers]
        results = (await bets.post("/bets/batch", {"bets": batch})).json()["results"]
        assert {result["status"] for result in results} == {201}
        made.update([*refused, *(f"b{n}" for n in range(100))])
    async with serving(bet_maker(tmp_path, line.url)) as bets:
        assert await keys_of_bets(bets, file) == made


async def test_a_locked_line_is_503_in_time_and_then_goes_on(line: Served, tmp_path: Path) -> None:
    """However many wait, each is told within 3 s; nothing of it was written; reading goes on."""
    await line.post("/events", {"event_id": "open", "coefficient": 1.5})
    bodies = [{"event_id": f"e{n}", "coefficient": 1.5} for n in range(6)]
    async with held(url_of(tmp_path, "line-provider")):
        writing = asyncio.gather(
            *(timed(line.post("/events", body), n * 0.3) for n, body in enumerate(bodies)),
            timed(line.post("/events/open/result", {"status": "WIN"}), 0.2),
        )
        await asyncio.sleep(0.5)
        event, event_s = await stopwatch.timed(line.get("/events/open"))
        page, page_s = await stopwatch.timed(line.get("/feed?wait=0"))
        assert (event.json()["status"], page.json()["head"]) == ("NEW", 1)
        assert event_s + page_s < 1
        told = await writing
    assert_told_in_time(told)
    assert (await line.get("/feed?wait=0")).json()["head"] == 1
    for body in bodies:
        assert (await line.post("/events", body)).status_code == 201
    assert (await line.post("/events/open/result", {"status": "WIN"})).json()["version"] == 2


async def test_a_locked_bet_maker_is_503_in_time_and_then_goes_on(
    both: Both, tmp_path: Path
) -> None:
    """Each bet is told within 3 s; a repeat with its key makes it, once; reading goes on."""
    file = url_of(tmp_path, "bet-maker")
    await both.line.post("/events", {"event_id": "open", "coefficient": 1.5})
    await until_known(both.bets, "open")
    keys = [f"k{n}" for n in range(6)]
    async with held(file):
        writing = asyncio.gather(
            *(timed(place(both.bets, key), n * 0.3) for n, key in enumerate(keys))
        )
        await asyncio.sleep(0.5)
        assert (await both.bets.get("/bets")).json() == []
        assert (await both.bets.get("/events/open")).json()["status"] == "NEW"
        told = await writing
        assert (await both.bets.get("/readyz")).status_code == 200
    assert_told_in_time(told)
    assert not await keys_of_bets(both.bets, file)
    again = await asyncio.gather(*(place(both.bets, key) for key in keys * 2))
    assert {answer.status_code for answer in again} == {201}
    assert await keys_of_bets(both.bets, file) == Counter(keys)


async def test_a_locked_standalone_bet_maker_keeps_its_results(tmp_path: Path) -> None:
    """Neither bet nor result gets in while it is locked; both do afterwards, over a restart."""
    async with serving(bet_maker(tmp_path, None)) as bets:
        async with held(url_of(tmp_path, "bet-maker")):
            told = await asyncio.gather(
                timed(place(bets, "k")), timed(bets.put("/events/other", {"status": "WIN"}))
            )
            assert (await bets.get("/events/other")).status_code == 404
        assert_told_in_time(told)
        assert (await place(bets, "k")).status_code == 201
        assert (await bets.put("/events/open", {"status": "WIN"})).status_code == 200
    async with serving(bet_maker(tmp_path, None)) as bets:
        (bet,) = (await bets.get("/bets")).json()
        assert (bet["event_id"], bet["status"]) == ("open", "WON")
        assert (await place(bets, "k")).headers["idempotent-replayed"] == "true"
