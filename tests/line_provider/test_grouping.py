"""Group commit of the line: changes that wait share a commit, and none is the worse for it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from structlog.testing import capture_logs

from stakeline import grouping, ids
from stakeline.errors import Internal, Problem
from stakeline.line_provider import changes
from stakeline.line_provider.events import Change, Ruling, Terms
from stakeline.line_provider.line import Asked
from tests import databases
from tests.line_provider.calls import LATER, created, event_of, refused
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    import httpx2

    from stakeline.contract import EventStatus
    from tests.serving import Served


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Served]:
    """A line-provider with an empty line."""
    async with serving(line_provider(tmp_path)) as served:
        yield served


async def at_once(folder: Path, *calls: Coroutine[Any, Any, httpx2.Response]) -> list[Any]:
    """The answers to calls that arrive while somebody holds the database."""
    async with databases.held(databases.url_of(folder, "line-provider")):
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0.5)
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
    """Each is an item of its own, at a time of its own, and has the answer that is in it."""
    await created(line, "derby")
    before = await commits(line)
    answers = await at_once(
        tmp_path, *(line.patch("/events/derby", {"name": f"{n}"}) for n in range(30))
    )
    assert await commits(line) - before < 10
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


def priced(coefficient: int, if_match: str | None = None) -> Callable[..., Change]:
    """The act of a PATCH."""
    return partial(changes.change, terms=Terms(coefficient), if_match=if_match)


def ruled(status: EventStatus, *, correction: bool = False) -> Callable[..., Change]:
    """The act of a result."""
    ruling = Ruling(status, correction=correction)
    return partial(changes.decide, ruling=ruling, if_match=None)


def made(event_id: str, coefficient: int) -> Callable[..., Change]:
    """The act of a POST."""
    terms = Terms(coefficient)
    return partial(changes.create, event_id=event_id, terms=terms, default_deadline_s=60)


async def test_each_of_a_group_is_judged_by_what_came_before_it(line: Served) -> None:
    """A result fixes the price for those behind it; refusals leave no trace in the log."""
    await created(line, "derby")
    acts = [
        ("derby", priced(300), 2),
        ("derby", priced(400, '"1"'), "stale_version"),
        ("derby", ruled("WIN"), 3),
        ("derby", priced(500), "already_decided"),
        ("derby", ruled("LOSE"), "already_decided"),
        ("derby", ruled("WIN"), 3),
        ("nobody", priced(500), "event_not_found"),
        ("next", made("next", 200), 1),
        ("next", made("next", 300), "event_exists"),
        ("next", priced(300), 2),
    ]
    answers = await line.app.state.line.change_all(
        [Asked(event_id, act, "operator") for event_id, act, _ in acts]
    )
    assert [
        answer.code if isinstance(answer, Problem) else answer.event.version for answer in answers
    ] == [expected for _, _, expected in acts]
    assert [n for n, one in enumerate(answers) if isinstance(one, Change) and one.made] == [
        *(0, 2, 7, 9)
    ]
    log = await log_of(line)
    assert [(item["seq"], item["event"]["event_id"], item["event"]["version"]) for item in log] == [
        (1, "derby", 1),
        (2, "derby", 2),
        (3, "derby", 3),
        (4, "next", 1),
        (5, "next", 2),
    ]
    for event_id, item in (("derby", log[2]), ("next", log[4])):
        assert (await line.get(f"/events/{event_id}")).json() == item["event"]


async def test_history_says_who_and_why_for_each_of_a_group(line: Served) -> None:
    """Names and reasons stay with their own change."""
    await created(line, "derby")
    await line.app.state.line.change_all(
        [
            Asked("derby", ruled("WIN"), "ann", "won"),
            Asked("derby", partial(changes.change, terms=Terms(name="A"), if_match=None), "bob"),
            Asked("derby", ruled("VOID", correction=True), "eve", "called off"),
        ]
    )
    versions = (await line.get("/events/derby/history")).json()[1:]
    assert [(one["by"], one["reason"], one["changed"]) for one in versions] == [
        ("ann", "won", ["closed_at", "status"]),
        ("bob", None, ["name"]),
        ("eve", "called off", ["status"]),
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
    assert {event_of(one)["version"], event_of(other)["version"]} == {2, 3}
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
