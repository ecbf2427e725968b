"""The snapshot: where to go on from, read before any row; then every event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock
from stakeline.line_provider import api_feed
from tests import databases
from tests.line_provider.calls import at, created, decided, new_id
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def snapshot(line: Served) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first line, and the others."""
    answer = await line.get("/feed/snapshot")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.endswith("\n")
    top, *events = [json.loads(text) for text in answer.text.splitlines()]
    return top, events


async def test_it_is_not_ready_without_its_database(tmp_path: Path) -> None:
    """Where the log cannot be read nobody can be told of the line."""
    async with serving(line_provider(tmp_path)) as served:
        assert (await served.get("/readyz")).is_success
        databases.execute(databases.url_of(tmp_path, "line-provider"), "DROP TABLE head")
        answer = await served.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "the database cannot be used")
        assert (await served.get("/feed")).status_code == 503


async def test_a_snapshot_of_an_empty_line_is_its_top(line: Served) -> None:
    """There is a place to go on from even before the first event."""
    top, events = await snapshot(line)
    assert (top["seq"], events) == (0, [])
    answer = await line.get("/feed", params={**cursor_of(top), "wait": "0"})
    assert answer.json()["items"] == []


def cursor_of(top: dict[str, Any]) -> dict[str, Any]:
    """The cursor with which the feed goes on."""
    return {"after": top["seq"], "epoch": top["epoch"], "at": top["at"]}


async def test_a_snapshot_is_the_line_as_it_stands(line: Served) -> None:
    """Every event in its last state, and the cursor of the last item."""
    before = clock.now()
    one, other = new_id(), new_id()
    await created(line, one)
    await created(line, other)
    decided_event = await decided(line, one, "WIN")
    top, events = await snapshot(line)
    by_id = {event["event_id"]: event for event in events}
    assert len(by_id) == len(events)
    assert by_id[one] == decided_event
    assert by_id[other] == (await line.get(f"/events/{other}")).json()
    page = (await line.get(f"/feed?after={top['seq'] - 1}&wait=0")).json()
    assert (top["epoch"], top["seq"]) == (page["epoch"], page["head"])
    assert top["at"] == page["items"][0]["at"]
    assert before <= at(top["received_at"]) <= clock.now()


async def test_the_feed_goes_on_from_a_snapshot(line: Served) -> None:
    """What happens after a snapshot is all in the feed after its cursor."""
    top, _ = await snapshot(line)
    event = await created(line, new_id())
    answer = await line.get("/feed", params=cursor_of(top))
    assert [item["event"] for item in answer.json()["items"]] == [event]


async def test_a_long_snapshot_has_every_event_once(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read in pages, of which nobody sees the edges."""
    monkeypatch.setattr(api_feed, "SNAPSHOT_PAGE", 3)
    made = [(await created(line, new_id()))["event_id"] for _ in range(7)]
    _, events = await snapshot(line)
    found = [event["event_id"] for event in events]
    assert found == sorted(set(found))
    assert {*made} <= {*found}
