"""Changing an event: PUT, PATCH and If-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

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

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_put_makes_an_event(line: Served, slash: str) -> None:
    """PUT on a new id is 201 with `Location`; omitted fields get their defaults."""
    path = f"/events/put:{len(slash)}{slash}"
    answer = await line.put(path, {"coefficient": 3})
    event = event_of(answer, 201)
    assert (event["version"], event["name"], event["status"]) == (1, None, "NEW")
    assert at(event["deadline"]) - at(event["created_at"]) == 5000 * 1_000_000
    assert urljoin(line.url + path, answer.headers["location"]) == line.url + path.rstrip("/")


async def test_put_takes_a_deadline_that_has_passed(line: Served) -> None:
    """Imports bring matches that have been played."""
    event = event_of(await line.put("/events/played", {"coefficient": 3, "deadline": PAST}), 201)
    assert (event["deadline"], event["closed_at"]) == (PAST, PAST)


async def test_put_needs_a_coefficient_to_make_an_event(line: Served) -> None:
    """Without one there is nothing to bet on."""
    assert fields_of(await line.put("/events/unpriced", {"name": "A"})) == ["body.coefficient"]
    refused(await line.get("/events/unpriced"), 404, "event_not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "change",
    [
        {"coefficient": 2.5},
        {"deadline": LATER_STILL},
        {"deadline": PAST},
        {"name": "B"},
        {"coefficient": 3, "deadline": LATER_STILL, "name": "C"},
    ],
)
async def test_a_change_keeps_what_it_does_not_name(
    line: Served, method: str, change: dict[str, Any]
) -> None:
    """An omitted field keeps its value; the version rises by one."""
    event_id = new_id()
    event = await created(line, event_id, name="A")
    changed = event_of(await line.client.request(method, f"/events/{event_id}", json=change))
    assert changed.pop("updated_at") > event.pop("updated_at")
    closed_at = change.get("deadline", LATER)
    assert changed == event | change | {"version": 2, "closed_at": closed_at}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_what_stands_so_already_is_no_change(line: Served, method: str) -> None:
    """The same terms again are 200 with the same version, and no feed item."""
    event = await created(line, f"same-{method}", name="A")
    head = (await line.get("/feed?wait=0")).json()["head"]
    for terms in ({}, {"name": "A"}, {"coefficient": "1.95", "deadline": LATER, "name": "A"}):
        answer = await line.client.request(method, f"/events/same-{method}", json=terms)
        assert event_of(answer) == event
    assert (await line.get("/feed?wait=0")).json()["head"] == head


async def test_patch_needs_an_event(line: Served) -> None:
    """PATCH changes what there is, and makes nothing."""
    refused(await line.patch("/events/none", {"coefficient": 2}), 404, "event_not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_status_and_closed_at_are_not_changed_here(line: Served, method: str) -> None:
    """The only way to a result is the result."""
    await created(line, f"no-{method}")
    for change in ({"status": "WIN"}, {"closed_at": PAST}, {"version": 7}, {"event_id": "x"}):
        answer = await line.client.request(method, f"/events/no-{method}", json=change)
        assert fields_of(answer) == ["body"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("status", ["WIN", "NEW"])
async def test_the_terms_are_fixed_from_the_first_result_on(
    line: Served, method: str, status: str
) -> None:
    """Price and deadline stay, also after a correction to NEW; the name may still change."""
    event_id = new_id()
    await created(line, event_id)
    event = await decided(line, event_id, "WIN")
    if status == "NEW":
        event = await decided(line, event_id, "NEW", correction=True)
    for change in ({"coefficient": 2}, {"deadline": LATER_STILL}, {"deadline": PAST, "name": "B"}):
        answer = await line.client.request(method, f"/events/{event_id}", json=change)
        refused(answer, 409, "already_decided")
    assert event_of(await line.get(f"/events/{event_id}")) == event
    named = event_of(
        await line.client.request(
            method, f"/events/{event_id}", json={"coefficient": 1.95, "name": "B"}
        )
    )
    assert (named["name"], named["closed_at"]) == ("B", event["closed_at"])


@pytest.mark.parametrize(
    ("if_match", "honoured"),
    [
        ('"2"', True),
        ("*", True),
        ('"1" , "2"', True),
        ('"1"', False),
        ('"3"', False),
        ("2", False),
        ('W/"2"', False),
        ("", False),
        ('"1", "3"', False),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {"coefficient": 3}),
        ("PATCH", "", {"coefficient": 3}),
        ("POST", "/result", {"status": "WIN"}),
    ],
)
async def test_if_match_guards_every_change(
    line: Served, method: str, path: str, body: dict[str, Any], if_match: str, *, honoured: bool
) -> None:
    """A change is made if the header names the version, and is 412 if it names others only."""
    event_id = new_id()
    await created(line, event_id)
    event = event_of(await line.patch(f"/events/{event_id}", {"name": "A"}))
    answer = await line.client.request(
        method, f"/events/{event_id}{path}", json=body, headers={"If-Match": if_match}
    )
    if honoured:
        assert event_of(answer)["version"] == 3
    else:
        refused(answer, 412, "stale_version")
        assert event_of(await line.get(f"/events/{event_id}")) == event


async def test_if_match_needs_an_event(line: Served) -> None:
    """What is not there has no version: PUT makes nothing then."""
    for if_match in ('"1"', "*"):
        answer = await line.put("/events/void", {"coefficient": 2}, headers={"If-Match": if_match})
        refused(answer, 412, "stale_version")
    refused(await line.get("/events/void"), 404, "event_not_found")


async def test_a_result_in_force_heeds_no_if_match(line: Served) -> None:
    """Giving the result that stands is 200 even with a stale version: a retry must not fail."""
    await created(line, "retried")
    first = await line.post(
        "/events/retried/result", {"status": "WIN"}, headers={"If-Match": '"1"'}
    )
    again = await line.post(
        "/events/retried/result", {"status": "WIN"}, headers={"If-Match": '"1"'}
    )
    assert event_of(again) == event_of(first)
    for body in ({"status": "LOSE"}, {"status": "LOSE", "correction": True}):
        answer = await line.post("/events/retried/result", body, headers={"If-Match": '"1"'})
        refused(answer, 412, "stale_version")
