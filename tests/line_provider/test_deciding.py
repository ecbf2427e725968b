"""Giving an event its result, and correcting it: the instant from which no bet can stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock
from tests.line_provider.calls import (
    LATER,
    LATER_STILL,
    PAST,
    at,
    created,
    decided,
    event_of,
    fields_of,
    refused,
)

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("status", ["WIN", "LOSE", "VOID"])
async def test_the_first_result_closes_the_event(line: Served, status: str) -> None:
    """Before its deadline an event closes when it is decided, to the microsecond."""
    await created(line, f"first-{status}")
    before = clock.now()
    event = await decided(line, f"first-{status}", status)
    assert (event["status"], event["version"], event["deadline"]) == (status, 2, LATER)
    assert before <= at(event["closed_at"]) <= clock.now()
    assert event["closed_at"] == event["updated_at"]


async def test_a_result_after_the_deadline_leaves_closed_at(line: Served) -> None:
    """After its deadline an event has been closed already."""
    event_of(await line.put("/events/late", {"coefficient": 2, "deadline": PAST}), 201)
    assert (await decided(line, "late", "WIN"))["closed_at"] == PAST


@pytest.mark.parametrize(
    ("asked", "closed_at"),
    [(PAST, PAST), (1577836800, PAST), ("2019-06-01T12:00:00.5Z", "2019-06-01T12:00:00.500000Z")],
)
async def test_the_operator_may_close_it_earlier(
    line: Served, asked: object, closed_at: str
) -> None:
    """`closed_at` says from when the outcome was known, if that was before the result came."""
    await created(line, f"earlier-{asked}".replace(" ", ""))
    event = await decided(line, f"earlier-{asked}", "WIN", closed_at=asked)
    assert event["closed_at"] == closed_at


@pytest.mark.parametrize("asked", [LATER, LATER_STILL])
async def test_the_operator_cannot_close_it_later(line: Served, asked: str) -> None:
    """What is known is known: neither deadline nor result are outlived."""
    await created(line, f"later-{asked}")
    event = await decided(line, f"later-{asked}", "WIN", closed_at=asked)
    assert event["closed_at"] == event["updated_at"]


@pytest.mark.parametrize("first", [{}, {"closed_at": PAST}, {"closed_at": LATER_STILL}])
async def test_the_same_result_again_changes_nothing(line: Served, first: dict[str, Any]) -> None:
    """A repeat is 200, with or without its `closed_at`, with or without `correction`."""
    event_id = f"again-{first.get('closed_at', 'none')}"
    await created(line, event_id)
    event = await decided(line, event_id, "WIN", **first)
    head = (await line.get("/feed?wait=0")).json()["head"]
    for more in ({}, first, {"correction": True}, {"closed_at": event["closed_at"]}):
        assert await decided(line, event_id, "WIN", **more) == event
    assert (await line.get("/feed?wait=0")).json()["head"] == head


@pytest.mark.parametrize("other", ["LOSE", "VOID", "NEW"])
async def test_another_result_needs_to_be_a_correction(line: Served, other: str) -> None:
    """Without `correction` it is `already_decided`; with it the result changes."""
    await created(line, f"other-{other}")
    event = await decided(line, f"other-{other}", "WIN")
    for body in ({"status": other}, {"status": other, "correction": False}):
        refused(await line.post(f"/events/other-{other}/result", body), 409, "already_decided")
    assert event_of(await line.get(f"/events/other-{other}")) == event
    corrected = await decided(line, f"other-{other}", other, correction=True)
    assert (corrected["status"], corrected["version"]) == (other, 3)
    assert corrected["closed_at"] == event["closed_at"]


async def test_another_closed_at_needs_to_be_a_correction(line: Served) -> None:
    """The same status with another `closed_at` is another result."""
    await created(line, "moved")
    first = await decided(line, "moved", "WIN")
    body = {"status": "WIN", "closed_at": PAST}
    refused(await line.post("/events/moved/result", body), 409, "already_decided")
    moved = await decided(line, "moved", "WIN", closed_at=PAST, correction=True)
    assert (moved["closed_at"], moved["version"]) == (PAST, 3)
    body = {"status": "WIN", "closed_at": LATER}
    refused(await line.post("/events/moved/result", body), 409, "already_decided")
    back = await decided(line, "moved", "WIN", closed_at=LATER, correction=True)
    assert back["closed_at"] == first["closed_at"]


async def test_a_decided_event_never_opens_again(line: Served) -> None:
    """To NEW and back: `decided_at` stays, so `closed_at` does, and nobody can bet on it."""
    await created(line, "reopened")
    first = await decided(line, "reopened", "WIN")
    for status in ("NEW", "LOSE", "NEW", "VOID", "WIN"):
        event = await decided(line, "reopened", status, correction=True)
        assert (event["status"], event["closed_at"]) == (status, first["closed_at"])
        open_now = (await line.get("/events?bettable=true&limit=1000")).json()
        assert "reopened" not in [event["event_id"] for event in open_now]
    assert event["version"] == 7


async def test_the_operators_closed_at_outlives_corrections(line: Served) -> None:
    """A correction that says nothing of `closed_at` keeps the one that was given."""
    await created(line, "kept")
    await decided(line, "kept", "WIN", closed_at=PAST)
    assert (await decided(line, "kept", "NEW", correction=True))["closed_at"] == PAST
    assert (await decided(line, "kept", "LOSE", correction=True))["closed_at"] == PAST


async def test_new_is_no_first_result(line: Served) -> None:
    """An event without a result is NEW already: 200, nothing changed, no `closed_at` taken."""
    event = await created(line, "fresh")
    assert await decided(line, "fresh", "NEW") == event
    assert await decided(line, "fresh", "NEW", correction=True) == event
    answer = await line.post("/events/fresh/result", {"status": "NEW", "closed_at": PAST})
    assert fields_of(answer) == ["body.closed_at"]
    assert event_of(await line.get("/events/fresh")) == event
    assert event_of(await line.patch("/events/fresh", {"coefficient": 3}))["version"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.status"),
        ({"status": "win"}, "body.status"),
        ({"status": "DRAW"}, "body.status"),
        ({"status": None}, "body.status"),
        ({"status": "WIN", "closed_at": "yesterday"}, "body.closed_at"),
        ({"status": "WIN", "correction": "perhaps"}, "body.correction"),
        ({"status": "WIN", "reason": "a\nb"}, "body.reason"),
        ({"status": "WIN", "coefficient": 2}, "body"),
    ],
)
async def test_a_malformed_result_is_refused(line: Served, body: object, field: str) -> None:
    """Nothing is decided by what cannot be read."""
    await line.put("/events/unread", {"coefficient": 2, "deadline": LATER})
    assert fields_of(await line.post("/events/unread/result", body)) == [field]
    assert (await line.get("/events/unread")).json()["status"] == "NEW"


async def test_an_unknown_event_gets_no_result(line: Served) -> None:
    """There is nothing to decide."""
    answer = await line.post("/events/nowhere/result", {"status": "WIN"})
    refused(answer, 404, "event_not_found")
