"""Group commit of the line: changes that wait share a commit, and none is the worse for it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from structlog.testing import capture_logs

from stakeline import grouping, ids
from stakeline.errors import Internal
from tests import databases
from tests.line_provider.calls import LATER, created, event_of, refused
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    import httpx2

    from stakeline.line_provider.events import Change
    from tests.serving import Served


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Served]:
    """A line-provider with an empty line."""
    async with serving(line_provider(tmp_path)) as served:
        yield served


async def at_once(folder: Path, *calls: Coroutine[Any, Any, httpx2.Response]) -> list[Any]:
    """The answers to calls that arrive, in this order, while somebody holds the database."""
    async with databases.held(databases.url_of(folder, "line-provider")):
        tasks = []
        for call in calls:
            tasks.append(asyncio.create_task(call))
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
    return await asyncio.gather(*tasks)


async def commits(line: Served) -> int:
    """How many commits have changed the line, or found that nothing changes."""
    metrics = (await line.get("/metrics")).text
    (count,) = (
        one.split()[1]
        for one in metrics.splitlines()
        if one.startswith("stakeline_changes_per_commit_count")
    )
    return int(float(count))


async def log_of(line: Served) -> list[dict[str, Any]]:
    """The items of a short feed."""
    items: list[dict[str, Any]] = (await line.get("/feed?limit=1000&wait=0")).json()["items"]
    return items


async def test_changes_that_wait_share_a_commit(line: Served, tmp_path: Path) -> None:
    """Each is an item of its own, in the order in which they came, at a time of its own."""
    await created(line, "derby")
    before = await commits(line)
    answers = await at_once(
        tmp_path, *(line.patch("/events/derby", {"name": f"{n}"}) for n in range(30))
    )
    assert await commits(line) - before <= 2
    assert sorted(event_of(answer)["version"] for answer in answers) == list(range(2, 32))
    log = await log_of(line)
    assert [item["seq"] for item in log] == list(range(1, 32))
    assert [item["event"]["version"] for item in log] == list(range(1, 32))
    assert {item["event"]["version"]: item["event"] for item in log[1:]} == {
        answer.json()["version"]: answer.json() for answer in answers
    }
    times = [item["at"] for item in log]
    assert times == sorted(set(times))
    assert (await line.get("/events/derby")).json() == log[-1]["event"]


async def test_each_of_a_group_is_judged_by_what_came_before_it(
    line: Served, tmp_path: Path
) -> None:
    """A result fixes the price for those behind it; refusals leave no trace in the log."""
    await created(line, "derby")
    stale = {"If-Match": '"1"'}
    answers = await at_once(
        tmp_path,
        line.patch("/events/derby", {"coefficient": 3}),
        line.patch("/events/derby", {"coefficient": 4}, headers=stale),
        line.post("/events/derby/result", {"status": "WIN"}),
        line.patch("/events/derby", {"coefficient": 5}),
        line.post("/events/derby/result", {"status": "LOSE"}),
        line.post("/events/derby/result", {"status": "WIN"}),
        line.patch("/events/nobody", {"coefficient": 5}),
        line.post("/events", {"event_id": "next", "coefficient": 2, "deadline": LATER}),
        line.post("/events", {"event_id": "next", "coefficient": 3}),
        line.patch("/events/next", {"name": "A v B"}),
    )
    priced, stale_, won, late, other, again, nobody, made, taken, named = answers
    assert event_of(priced)["coefficient"] == 3
    refused(stale_, 412, "stale_version")
    assert event_of(won)["version"] == 3
    refused(late, 409, "already_decided")
    refused(other, 409, "already_decided")
    assert event_of(again) == event_of(won)
    refused(nobody, 404, "event_not_found")
    assert event_of(made, 201)["version"] == 1
    refused(taken, 409, "event_exists")
    assert event_of(named)["version"] == 2
    log = await log_of(line)
    assert [(item["seq"], item["event"]["event_id"], item["event"]["version"]) for item in log] == [
        (1, "derby", 1),
        (2, "derby", 2),
        (3, "derby", 3),
        (4, "next", 1),
        (5, "next", 2),
    ]


async def test_history_says_who_and_why_for_each_of_a_group(line: Served, tmp_path: Path) -> None:
    """Reasons stay with their own change."""
    await created(line, "derby")
    await at_once(
        tmp_path,
        line.post("/events/derby/result", {"status": "WIN", "reason": "won"}),
        line.patch("/events/derby", {"name": "A v B"}),
        line.post(
            "/events/derby/result", {"status": "VOID", "correction": True, "reason": "called off"}
        ),
    )
    versions = (await line.get("/events/derby/history")).json()
    assert [version["reason"] for version in versions] == [None, "won", None, "called off"]
    assert [version["changed"] for version in versions[1:]] == [
        ["closed_at", "status"],
        ["name"],
        ["status"],
    ]


async def test_a_database_that_is_held_changes_nothing(line: Served, tmp_path: Path) -> None:
    """All who wait are told within 3 s, also who has come last; none of it was done."""
    await created(line, "derby")
    async with databases.held(databases.url_of(tmp_path, "line-provider")):
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(line.patch("/events/derby", {"name": f"{n}"}) for n in range(5))
        )
        assert time.perf_counter() - began < 3.5
    for answer in answers:
        refused(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    assert len(await log_of(line)) == 1
    assert event_of(await line.patch("/events/derby", {"name": "A v B"}))["version"] == 2


async def test_overload_is_503_at_once(line: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into the queue is told to come back."""
    await created(line, "derby")
    monkeypatch.setattr(grouping, "MOST_WAITING", 0)
    refused(await line.patch("/events/derby", {"name": "A v B"}), 503, "overloaded")
    monkeypatch.undo()
    assert event_of(await line.patch("/events/derby", {"name": "A v B"}))["version"] == 2


async def test_who_breaks_a_group_breaks_no_other(line: Served, tmp_path: Path) -> None:
    """The group is repeated one by one; only the bad one is told that something went wrong."""
    await created(line, "derby")

    def break_off(*_: object) -> NoReturn:
        raise ZeroDivisionError

    async def broken() -> Change:
        changed: Change = await line.app.state.line.change("derby", break_off, "somebody")
        return changed

    async def asked() -> Exception | None:
        try:
            await broken()
        except Internal as problem:
            return problem
        return None

    with capture_logs():
        one, bad, other = await at_once(
            tmp_path,
            line.patch("/events/derby", {"name": "one"}),
            asked(),  # type: ignore[arg-type] # not over HTTP
            line.patch("/events/derby", {"name": "other"}),
        )
    assert (event_of(one)["version"], event_of(other)["version"]) == (2, 3)
    assert isinstance(bad, Internal)


async def test_an_id_that_is_made_up_is_never_anothers(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of equal events each gets one of its own, however often an id is drawn again."""
    monkeypatch.setattr(ids, "_SHORT_ALPHABET", "ab")
    body = {"coefficient": 2, "deadline": LATER}
    answers = await asyncio.gather(*(line.post("/events", body) for _ in range(60)))
    made = [event_of(answer, 201) for answer in answers]
    assert len({event["event_id"] for event in made}) == 60
    assert {event["version"] for event in made} == {1}
