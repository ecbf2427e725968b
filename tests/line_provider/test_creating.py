"""Putting an event on the line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from stakeline import clock, ids
from tests.line_provider.calls import (
    LATER,
    LATER_STILL,
    PAST,
    at,
    created,
    decided,
    event_of,
    fields_of,
    new_id,
    refused,
)
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_new_event_is_shown_whole(line: Served) -> None:
    """The answer is the event with all its fields, as a GET shows it afterwards."""
    asked = {"event_id": "whole", "coefficient": 1.95, "deadline": LATER, "name": "A v B"}
    answer = await line.post("/events", asked)
    event = event_of(answer, 201)
    assert asked.items() <= event.items()
    assert (event["status"], event["closed_at"], event["version"]) == ("NEW", LATER, 1)
    assert event["created_at"] == event["updated_at"]
    assert abs(at(event["created_at"]) - clock.now()) < 5_000_000
    assert len(event) == 9
    assert event_of(await line.get("/events/whole")) == event


@pytest.mark.parametrize("path", ["/events", "/events/"])
@pytest.mark.parametrize("event_id", ["plain", "with:colon", "a:b:c", "...", "x" * 60])
async def test_location_leads_to_the_event(line: Served, path: str, event_id: str) -> None:
    """`Location` resolves to the event, whatever its id and however the request was written."""
    event_id = f"{event_id}{len(path)}"
    answer = await line.post(path, {"event_id": event_id, "coefficient": 2})
    where = urljoin(line.url + path, answer.headers["location"])
    assert where == f"{line.url}/events/{event_id}"
    assert (await line.client.get(where)).json()["event_id"] == event_id


async def test_an_event_without_an_id_gets_a_short_one(line: Served) -> None:
    """Two events without ids are two events."""
    one, other = [event_of(await line.post("/events", {"coefficient": 2}), 201) for _ in range(2)]
    assert one["event_id"] != other["event_id"]
    assert len(one["event_id"]) == 8


async def test_a_short_id_that_is_taken_is_not_given_again(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few ids left, two new events still get two."""
    monkeypatch.setattr(ids, "_SHORT_ALPHABET", "AB")
    answers: list[httpx2.Response] = []
    for _ in range(9):  # some at once, but not so many that the last ones wait for too long
        new = (line.post("/events", {"coefficient": 2}) for _ in range(11))
        answers += await asyncio.gather(*new)
    assert len({event_of(answer, 201)["event_id"] for answer in answers}) == 99


@pytest.mark.parametrize("event_id", [0, 7, 9223372036854775807])
async def test_a_whole_number_is_an_id_in_its_decimal_text(line: Served, event_id: int) -> None:
    """The number and its text are the same id."""
    assert (await created(line, event_id))["event_id"] == str(event_id)  # type: ignore[arg-type]
    refused(
        await line.post("/events", {"event_id": str(event_id), "coefficient": 9}),
        409,
        "event_exists",
    )


async def test_a_deadline_is_5000_s_ahead_by_default(line: Served) -> None:
    """An event with only a coefficient can be bet on for 5000 s."""
    event = event_of(await line.post("/events", {"coefficient": 2}), 201)
    assert at(event["deadline"]) - at(event["created_at"]) == 5000 * 1_000_000
    assert event["closed_at"] == event["deadline"]


async def test_the_default_deadline_is_a_setting(tmp_path: Path) -> None:
    """`LINE_PROVIDER_DEFAULT_DEADLINE_S` says how far ahead it is."""
    async with serving(line_provider(tmp_path, default_deadline_s=60)) as served:
        event = event_of(await served.post("/events", {"coefficient": 2}), 201)
        assert at(event["deadline"]) - at(event["created_at"]) == 60 * 1_000_000


@pytest.mark.parametrize(
    ("deadline", "shown"),
    [
        (LATER, LATER),
        ("2090-01-01T02:00:00+02:00", LATER),
        ("2090-01-01T00:00:00.25Z", "2090-01-01T00:00:00.250000Z"),
        (3786912000, LATER),
    ],
)
async def test_a_deadline_comes_as_text_or_unix_seconds(
    line: Served, deadline: object, shown: str
) -> None:
    """Both forms are taken; UTC is shown."""
    asked = {"coefficient": 2, "deadline": deadline}
    assert event_of(await line.post("/events", asked), 201)["deadline"] == shown


@pytest.mark.parametrize("deadline", [PAST, 1577836800])
async def test_a_past_deadline_is_refused(line: Served, deadline: object) -> None:
    """Nobody could bet on such an event: 422, and nothing is made."""
    asked = {"event_id": "late", "coefficient": 2, "deadline": deadline}
    assert fields_of(await line.post("/events", asked)) == ["body.deadline"]
    refused(await line.get("/events/late"), 404, "event_not_found")


@pytest.mark.parametrize("coefficient", [0.01, "1.9", 10000, "10000.00"])
async def test_a_coefficient_comes_as_number_or_text(line: Served, coefficient: Any) -> None:  # noqa: ANN401 - either
    """A number and its text are the same coefficient; two decimals are shown."""
    answer = await line.post("/events", {"coefficient": coefficient})
    assert f'"coefficient":{float(coefficient):.2f},' in answer.text


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "body.coefficient"),
        ({"coefficient": None}, "body.coefficient"),
        ({"coefficient": 0}, "body.coefficient"),
        ({"coefficient": 10000.01}, "body.coefficient"),
        ({"coefficient": 1.955}, "body.coefficient"),
        ({"coefficient": 2, "event_id": "a b"}, "body.event_id"),
        ({"coefficient": 2, "event_id": ""}, "body.event_id"),
        ({"coefficient": 2, "event_id": -1}, "body.event_id"),
        ({"coefficient": 2, "deadline": "soon"}, "body.deadline"),
        ({"coefficient": 2, "deadline": "2090-01-01T00:00:00"}, "body.deadline"),
        ({"coefficient": 2, "name": ""}, "body.name"),
        ({"coefficient": 2, "name": "x" * 201}, "body.name"),
        ({"coefficient": 2, "status": "WIN"}, "body"),
        ({"coefficient": 2, "closed_at": LATER}, "body"),
    ],
)
async def test_a_wrong_field_is_named(line: Served, asked: dict[str, Any], field: str) -> None:
    """A field outside its bounds, or one that only the server sets, makes no event."""
    before = (await line.get("/feed?wait=0")).json()["head"]
    assert fields_of(await line.post("/events", asked)) == [field]
    assert (await line.get("/feed?wait=0")).json()["head"] == before


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"name": "A v B"},
        {"deadline": LATER},
        {"deadline": 3786912000},
        {"coefficient": "2.0", "deadline": "2089-12-31T23:00:00-01:00", "name": "A v B"},
    ],
)
async def test_a_repeat_is_answered_with_the_event(line: Served, again: dict[str, Any]) -> None:
    """A repeat whose every given field equals the event's is 200 and changes nothing."""
    event_id = new_id()
    event = await created(line, event_id, coefficient=2, name="A v B")
    head = (await line.get("/feed?wait=0")).json()["head"]
    repeat = await line.post("/events", {"event_id": event_id, "coefficient": 2} | again)
    assert event_of(repeat, 200) == event
    assert urljoin(f"{line.url}/events", repeat.headers["location"]).endswith(event_id)
    assert (await line.get("/feed?wait=0")).json()["head"] == head


@pytest.mark.parametrize(
    "other", [{"coefficient": 2.01}, {"deadline": LATER_STILL}, {"deadline": PAST}, {"name": "B"}]
)
async def test_another_event_cannot_take_an_id(line: Served, other: dict[str, Any]) -> None:
    """A repeat that differs in a given field is `event_exists`, and the event stays."""
    event_id = new_id()
    event = await created(line, event_id, coefficient=2)
    answer = await line.post("/events", {"event_id": event_id, "coefficient": 2} | other)
    refused(answer, 409, "event_exists")
    assert event_of(await line.get(f"/events/{event_id}")) == event


async def test_a_repeat_after_the_result_is_still_the_event(line: Served) -> None:
    """What was published stays published, also once it is decided."""
    await created(line, "over")
    event = await decided(line, "over", "WIN")
    repeat = await line.post(
        "/events", {"event_id": "over", "coefficient": 1.95, "deadline": LATER}
    )
    assert event_of(repeat, 200) == event


@pytest.mark.parametrize("event_id", ["unknown", "%C3%A9", "a%20b"])
async def test_an_unknown_event_is_not_found(line: Served, event_id: str) -> None:
    """What could be an id is not found; what could not is refused."""
    answer = await line.get(f"/events/{event_id}")
    if event_id == "unknown":
        refused(answer, 404, "event_not_found")
    else:
        assert fields_of(answer) == ["path.event_id"]
