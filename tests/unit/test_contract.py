"""What crosses between the services: written by one, read strictly by the other."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakeline import clock, contract, strictjson
from stakeline.contract import Cursor, Event, FeedItem, UnreadableItem
from stakeline.errors import MalformedJson

AT = "2026-08-01T18:00:00Z"
EIGHTEEN = clock.parse_instant(AT)
EVENT: dict[str, Any] = {
    "event_id": "derby",
    "name": "Arsenal v Chelsea",
    "coefficient": 1.95,
    "deadline": AT,
    "status": "NEW",
    "closed_at": AT,
    "version": 1,
    "created_at": AT,
    "updated_at": AT,
}
ITEM: dict[str, Any] = {"v": 1, "epoch": "log", "seq": 8, "at": AT, "event": EVENT}
PAGE: dict[str, Any] = {"epoch": "log", "head": 8, "received_at": AT, "items": [ITEM]}

instants = st.integers(clock.parse_instant("2000-01-01T00:00:00Z"), clock.LATEST - 1)
names = st.none() | st.text(st.characters(exclude_categories=["C", "M", "Z"]), min_size=1).map(
    lambda text: text[:60]
)


def read(page: dict[str, Any]) -> contract.FeedPage:
    """The page, read from its JSON."""
    return contract.read_page(json.dumps(page).encode())


def with_event(**fields: object) -> dict[str, Any]:
    """The page, its event with other fields."""
    return PAGE | {"items": [ITEM | {"event": EVENT | fields}]}


def test_a_page_is_read() -> None:
    """A page becomes what bet-maker counts in: microseconds and hundredths."""
    page = read(PAGE)
    assert (page.epoch, page.head, page.received_at) == ("log", 8, EIGHTEEN)
    (item,) = page.items
    assert item.event is not None
    assert (item.seq, item.at, item.event_id) == (8, EIGHTEEN, "derby")
    assert (item.event.coefficient, item.event.deadline) == (195, EIGHTEEN)


def test_fields_of_a_later_release_are_passed_over() -> None:
    """Unknown fields of page, item and event change nothing, so old and new run side by side."""
    page = with_event(league="PL") | {"region": "uk"}
    page["items"][0]["trace"] = "x"
    assert read(page) == read(PAGE)


@given(
    st.builds(
        Event,
        event_id=st.from_regex(r"[A-Za-z0-9_:-]{1,64}", fullmatch=True),
        name=st.none() | st.just("Arsenal v Chelsea"),
        coefficient=st.integers(1, 1_000_000).map(lambda n: str(n / 100)),
        deadline=instants.map(clock.text),
        status=st.sampled_from(get_args(contract.EventStatus)),
        closed_at=instants.map(clock.text),
        version=st.integers(0, 2**63 - 1).map(str),
        created_at=instants.map(clock.text),
        updated_at=instants.map(clock.text),
    ),
    names,
)
@settings(deadline=None, max_examples=200)
def test_an_event_crosses_unchanged(event: Event, name: str | None) -> None:
    """What one service writes of an event is what the other reads."""
    written = contract.event_body(event) | {"name": name}
    event_id, read_back = contract.read_snapshot_event(strictjson.dumps(written))
    assert event_id == event.event_id
    assert read_back is not None
    assert read_back.model_copy(update={"name": event.name}) == event


def test_what_a_standalone_bet_maker_does_not_know_is_null() -> None:
    """No coefficient, no deadline, and no closed_at while it lies at the end of time."""

    class Row:
        event_id, name, coefficient, deadline, status = "7", None, None, None, "NEW"
        closed_at, version, created_at, updated_at = clock.LATEST, 0, EIGHTEEN, EIGHTEEN

    body = contract.event_body(Row)
    assert (body["coefficient"], body["deadline"], body["closed_at"]) == (None, None, None)
    assert body["created_at"] == AT


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "POSTPONED"},
        {"status": None},
        {"coefficient": 0},
        {"coefficient": 1.955},
        {"deadline": "tomorrow"},
        {"deadline": None},
        {"closed_at": "2026-08-01T18:00:00"},
        {"version": -1},
        {"version": 1.5},
        {"name": "a\nb"},
    ],
)
def test_an_unreadable_event_is_known_by_its_id(fields: dict[str, object]) -> None:
    """Where only the id can be read the item says so, and is not lost."""
    assert read(with_event(**fields)).items == [FeedItem(8, EIGHTEEN, "derby", None)]
    line = json.dumps(EVENT | fields).encode()
    assert contract.read_snapshot_event(line) == ("derby", None)


@pytest.mark.parametrize(
    "page",
    [
        PAGE | {"items": [ITEM | {"v": 2}]},
        PAGE | {"items": [ITEM | {"v": 0}]},
        PAGE | {"items": [ITEM, ITEM | {"v": 2, "seq": 9}]},
        PAGE | {"items": [ITEM | {"epoch": "other"}]},
        PAGE | {"items": [ITEM | {"seq": -1}]},
        PAGE | {"items": [ITEM | {"seq": "eight"}]},
        PAGE | {"items": [ITEM | {"at": 5}]},
        PAGE | {"items": [ITEM | {"event": None}]},
        PAGE | {"items": [{"v": 1}]},
        PAGE | {"items": [5]},
        PAGE | {"items": {}},
        PAGE | {"head": -1},
        PAGE | {"head": None},
        PAGE | {"epoch": 5},
        PAGE | {"received_at": "today"},
        with_event(event_id="a b"),
        with_event(event_id=None),
        with_event(event_id=["derby"]),
        {},
        [],
        5,
    ],
    ids=lambda page: json.dumps(page)[-90:],
)
def test_nothing_of_an_unreadable_page_is_read(page: Any) -> None:  # noqa: ANN401 - any JSON value
    """An unknown version, another epoch, no readable id: the whole page is refused."""
    with pytest.raises(UnreadableItem):
        read(page)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"epoch": NaN}', b"\xff"])
def test_a_page_that_is_not_json_is_refused(body: bytes) -> None:
    """What is no JSON is told apart from what cannot be read."""
    with pytest.raises(MalformedJson):
        contract.read_page(body)


def test_the_top_of_a_snapshot_is_read() -> None:
    """The first line says where the feed goes on, and line-provider's time."""
    top = {"epoch": "log", "seq": 8, "at": AT, "received_at": "2026-08-01T18:00:01Z"}
    read_top = contract.read_snapshot_top(json.dumps(top).encode())
    assert read_top == (Cursor("log", 8, EIGHTEEN), EIGHTEEN + 1_000_000)


@pytest.mark.parametrize(
    "line", [b"{}", b"5", b'{"epoch":"log","seq":-1}', json.dumps(EVENT).encode()]
)
def test_another_first_line_is_no_snapshot(line: bytes) -> None:
    """Without epoch, seq and times there is nothing to go on from."""
    with pytest.raises(UnreadableItem, match="unreadable snapshot"):
        contract.read_snapshot_top(line)


@pytest.mark.parametrize("line", [b"{}", b"5", b"[]", b'{"event_id":"a/b"}', b'{"event_id":null}'])
def test_a_line_of_a_snapshot_needs_a_readable_id(line: bytes) -> None:
    """A line without a readable id refuses the snapshot."""
    with pytest.raises(UnreadableItem, match="without a readable id"):
        contract.read_snapshot_event(line)
