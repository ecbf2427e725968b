"""What line-provider's tests ask for and look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stakeline import clock, ids

if TYPE_CHECKING:
    import httpx2

    from tests.serving import Served

LATER = "2090-01-01T00:00:00Z"
LATER_STILL = "2091-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
FEED = "/feed?wait=0"


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must have this status and code."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    return body


def fields_of(answer: httpx2.Response) -> list[str]:
    """The fields that an `invalid_request` names."""
    return [error["field"] for error in refused(answer, 422, "invalid_request")["errors"]]


def event_of(answer: httpx2.Response, status: int = 200) -> dict[str, Any]:
    """The event in an answer, which must have this status and the event's version as its ETag."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == status, body
    assert answer.headers["etag"] == f'"{body["version"]}"'
    return body


async def created(line: Served, event_id: str, **terms: object) -> dict[str, Any]:
    """A new event with these terms."""
    terms = {"coefficient": 1.95, "deadline": LATER} | terms
    return event_of(await line.post("/events", {"event_id": event_id} | terms), 201)


async def decided(line: Served, event_id: str, status: str, **more: object) -> dict[str, Any]:
    """The event, once it has this result."""
    return event_of(await line.post(f"/events/{event_id}/result", {"status": status} | more))


def new_id() -> str:
    """An id that no other test uses."""
    return ids.new_event_id()


def at(text: str) -> int:
    """The microseconds of a time."""
    return clock.parse_instant(text)
