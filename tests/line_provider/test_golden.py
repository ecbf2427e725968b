"""What releases have written is read for ever, and is written so that they can read it.

`tests/golden` has a feed page and a snapshot as release 0.1 wrote them. A release that writes
otherwise adds files of its own, and keeps these.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stakeline import contract, strictjson

if TYPE_CHECKING:
    from tests.serving import Served

GOLDEN = Path(__file__).parent.parent / "golden"
PAGES = sorted(GOLDEN.glob("feed-*.json"))
SNAPSHOTS = sorted(GOLDEN.glob("snapshot-*.ndjson"))


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_a_golden_page_is_read_and_would_be_written_again(file: Path) -> None:
    """Every item in it, to the last digit."""
    page, raw = contract.read_page(file.read_bytes()), json.loads(file.read_bytes())
    assert [item.seq for item in page.items] == list(range(1, page.head + 1))
    written = file.read_text()
    for item, golden in zip(page.items, raw["items"], strict=True):
        assert item.event is not None
        assert strictjson.dumps(contract.event_body(item.event)).decode() in written
        assert (item.event.status, item.event.version) == (
            golden["event"]["status"],
            golden["event"]["version"],
        )


@pytest.mark.parametrize("file", SNAPSHOTS, ids=lambda file: file.stem)
def test_a_golden_snapshot_is_read_and_would_be_written_again(file: Path) -> None:
    """Its first line, and every event."""
    top, *lines = file.read_bytes().splitlines()
    cursor, received_at = contract.read_snapshot_top(top)
    assert cursor.seq == 8
    assert received_at > cursor.at
    for line in lines:
        event_id, event = contract.read_snapshot_event(line)
        assert event is not None
        assert event.event_id == event_id
        assert strictjson.dumps(contract.event_body(event)) == line


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_written_today_has_all_that_earlier_releases_read(line: Served) -> None:
    """Fields may be added; those there were stay, with the same kind of value."""
    assert PAGES
    assert SNAPSHOTS
    body = {"event_id": "today", "coefficient": 2, "name": "Arsenal v Chelsea"}
    assert (await line.post("/events", body)).status_code == 201
    assert (await line.post("/events/today/result", {"status": "WIN"})).status_code == 200
    page = (await line.get("/feed?after=0&wait=0&nonce=0123456789abcdef")).json()
    top, *lines = (await line.get("/feed/snapshot")).text.splitlines()
    for file in PAGES:
        golden = json.loads(file.read_bytes())
        assert kinds(golden).items() <= kinds(page).items()
        assert kinds(golden["items"][0]).items() <= kinds(page["items"][-1]).items()
        assert (
            kinds(golden["items"][0]["event"]).items() <= kinds(page["items"][-1]["event"]).items()
        )
    for file in SNAPSHOTS:
        golden_top, *golden_lines = file.read_text().splitlines()
        assert kinds(json.loads(golden_top)).items() <= kinds(json.loads(top)).items()
        golden_event, event = json.loads(golden_lines[0]), json.loads(lines[-1])
        assert kinds(golden_event).items() <= kinds(event).items()


def kinds(value: dict[str, object]) -> dict[str, str]:
    """The kind of each field."""
    return {name: type(each).__name__ for name, each in value.items()}
