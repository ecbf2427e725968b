"""Auto-result: what nobody has decided by its deadline is decided at random."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from stakeline import clock
from stakeline.line_provider import auto_result
from tests import databases
from tests.line_provider.calls import LATER, PAST, at, event_of
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.serving import Served


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Served]:
    """A line-provider that decides at random."""
    async with serving(line_provider(tmp_path, auto_result="random")) as served:
        yield served


def ahead(us: int) -> str:
    """The instant so many microseconds from now."""
    return clock.text(clock.now() + us)


async def put(line: Served, event_id: str, deadline: str) -> dict[str, Any]:
    """A new event."""
    return event_of(
        await line.put(f"/events/{event_id}", {"coefficient": 2, "deadline": deadline}), 201
    )


async def soon(line: Served, event_id: str, deadline: str | None = None) -> dict[str, Any]:
    """A new event whose deadline is moved to some 0.1 s from now, or as given.

    Created so, it might be late already on a busy machine, and then nothing decides it.
    """
    await put(line, event_id, LATER)
    deadline = ahead(100_000) if deadline is None else deadline
    return event_of(await line.patch(f"/events/{event_id}", {"deadline": deadline}))


async def history(line: Served, event_id: str) -> list[dict[str, Any]]:
    """Every version of the event."""
    versions: list[dict[str, Any]] = (await line.get(f"/events/{event_id}/history")).json()
    return versions


async def until_decided(line: Served, event_id: str) -> dict[str, Any]:
    """The event, once it has a result."""
    async with asyncio.timeout(10):
        while (event := (await line.get(f"/events/{event_id}")).json())["status"] == "NEW":
            await asyncio.sleep(0.01)
    return dict(event)


async def test_an_event_is_decided_at_its_deadline(line: Served) -> None:
    """Not before and not much after; it closes at the deadline, and its history says who it was."""
    event = await soon(line, "soon", ahead(300_000))
    decided = await until_decided(line, "soon")
    assert decided["status"] in {"WIN", "LOSE"}
    assert decided["closed_at"] == event["deadline"]
    assert 0 <= at(decided["updated_at"]) - at(event["deadline"]) < clock.US_PER_S
    by = [version["by"] for version in await history(line, "soon")]
    assert by == ["anonymous", "anonymous", "auto-result"]


async def test_both_results_come_up(line: Served) -> None:
    """A fair coin: forty events are not all the same (once in 10^12 they are)."""
    for n in range(40):
        await soon(line, str(n))
    statuses = {(await until_decided(line, str(n)))["status"] for n in range(40)}
    assert statuses == {"WIN", "LOSE"}


async def test_a_deadline_that_moves_is_followed(line: Served) -> None:
    """Earlier: it is decided then. Later: it is not decided before that."""
    await put(line, "earlier", LATER)
    await soon(line, "later", ahead(500_000))
    await line.patch("/events/later", {"deadline": LATER})
    await line.patch("/events/earlier", {"deadline": ahead(50_000)})
    await until_decided(line, "earlier")
    await soon(line, "after", ahead(600_000))
    await until_decided(line, "after")
    assert (await line.get("/events/later")).json()["status"] == "NEW"


@pytest.mark.parametrize("status", ["WIN", "LOSE", "VOID", "NEW"])
async def test_an_operators_word_is_never_overwritten(line: Served, status: str) -> None:
    """What was decided before the deadline stays, also when it was corrected to NEW."""
    await soon(line, "mine", ahead(400_000))
    for body in ({"status": "VOID"}, {"status": status, "correction": True}):
        event_of(await line.post("/events/mine/result", body))
    before = await history(line, "mine")
    await soon(line, "after", ahead(500_000))
    await until_decided(line, "after")
    assert await history(line, "mine") == before


async def test_an_operator_corrects_it_as_any_result(line: Served) -> None:
    """A correction stands; without the word for it the result is decided already."""
    await soon(line, "soon")
    decided = await until_decided(line, "soon")
    other = "LOSE" if decided["status"] == "WIN" else "WIN"
    assert (await line.post("/events/soon/result", {"status": other})).status_code == 409
    corrected = {"status": other, "correction": True}
    assert event_of(await line.post("/events/soon/result", corrected))["status"] == other
    await soon(line, "after")
    await until_decided(line, "after")
    assert len(await history(line, "soon")) == 4


async def test_what_is_brought_in_after_the_match_waits_for_its_result(line: Served) -> None:
    """An import puts events with past deadlines, and then their results: none is drawn between."""
    await put(line, "played", PAST)
    await soon(line, "soon")
    await until_decided(line, "soon")
    assert event_of(await line.post("/events/played/result", {"status": "WIN"}))["version"] == 2


async def test_it_is_off_by_default(tmp_path: Path) -> None:
    """Without the setting nothing is decided by itself; with it, what was missed is made up for."""
    async with serving(line_provider(tmp_path)) as line:
        await soon(line, "soon")
        await asyncio.sleep(0.2 + auto_result.LOOK_S)
        assert (await line.get("/events/soon")).json()["status"] == "NEW"
    async with serving(line_provider(tmp_path, auto_result="random")) as line:
        decided = await until_decided(line, "soon")
        assert decided["closed_at"] == decided["deadline"] < decided["updated_at"]


async def test_many_on_one_line_decide_each_event_once(tmp_path: Path) -> None:
    """Four of them at the same deadlines: every event has one result, and the log no gap."""
    async with AsyncExitStack() as stack:
        lines = [
            await stack.enter_async_context(serving(line_provider(tmp_path, auto_result="random")))
            for _ in range(4)
        ]
        names = [str(n) for n in range(auto_result.MOST + 20)]
        for name in names:
            await put(lines[0], name, LATER)
        deadline = ahead(500_000)
        for name in names:
            await lines[0].patch(f"/events/{name}", {"deadline": deadline})
        for name in names:
            await until_decided(lines[1], name)
        for name in names:
            assert [version["version"] for version in await history(lines[2], name)] == [1, 2, 3]
        page = (await lines[3].get("/feed?limit=1000&wait=0")).json()
        assert page["head"] == len(page["items"]) == 3 * len(names)


async def test_it_goes_on_after_trouble(line: Served, tmp_path: Path) -> None:
    """A database that cannot be used for a while delays results, and loses none."""
    await soon(line, "soon", ahead(500_000))
    with capture_logs() as logged:
        async with databases.held(databases.url_of(tmp_path, "line-provider")), asyncio.timeout(10):
            while not any("auto-result" in entry["event"] for entry in logged):
                await asyncio.sleep(0.05)
    await until_decided(line, "soon")
