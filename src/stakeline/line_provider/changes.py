"""The line's rules: how an event comes to be, changes and is decided.

Every function takes the event as it stands, None where there is none, under the head's lock, and
the time in microseconds, read under it. It returns the event as it is to be, and whether that is a
change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stakeline import clock
from stakeline.errors import (
    AlreadyDecided,
    EventExists,
    EventNotFound,
    InvalidRequest,
    StaleVersion,
)
from stakeline.line_provider import events
from stakeline.line_provider.events import Change, Event

if TYPE_CHECKING:
    from stakeline.line_provider.events import Ruling, Terms


def create(
    event: Event | None,
    now: int,
    event_id: str,
    terms: Terms,
    default_deadline_s: int,
    *,
    made_up: bool = False,
) -> Change:
    """A new event; without a deadline it gets the default one.

    Raises:
        EventExists: the id is taken by an event that differs in a field that was given, or by any
            event if the id is `made_up` here.
        InvalidRequest: no coefficient, or a deadline that has passed.
    """
    if event is not None:
        if made_up or replace(event, **terms.given()) != event:
            raise EventExists
        return Change(event, made=False)
    if terms.deadline is not None and terms.deadline <= now:
        raise InvalidRequest.of("body.deadline", "must be ahead of now")
    return _new(now, event_id, terms, default_deadline_s)


def put(
    event: Event | None,
    now: int,
    event_id: str,
    terms: Terms,
    default_deadline_s: int,
    if_match: str | None,
) -> Change:
    """The event with these terms, made if there is none; takes deadlines that have passed.

    Raises:
        InvalidRequest: there is no such event, and no coefficient to make one.
        AlreadyDecided: the event has a result and the terms differ in coefficient or deadline.
        StaleVersion: `if_match` does not name its version.
    """
    if event is not None:
        return change(event, now, terms, if_match)
    if if_match is not None:
        raise StaleVersion
    return _new(now, event_id, terms, default_deadline_s)


def change(event: Event | None, now: int, terms: Terms, if_match: str | None) -> Change:
    """The event with these terms.

    Raises:
        EventNotFound: there is none with this id.
        AlreadyDecided: it has a result and the terms differ in coefficient or deadline.
        StaleVersion: `if_match` does not name its version.
    """
    event = _found(event)
    events.check_version(event, if_match)
    changed = replace(event, **terms.given())
    if changed == event:
        return Change(event, made=False)
    priced_anew = (changed.coefficient, changed.deadline) != (event.coefficient, event.deadline)
    if event.decided_at is not None and priced_anew:
        raise AlreadyDecided
    return _next(now, changed)


def decide(event: Event | None, now: int, ruling: Ruling, if_match: str | None) -> Change:
    """The event with this result; the first one fixes when it was decided, for ever.

    Raises:
        EventNotFound: there is none with this id.
        AlreadyDecided: it has another result, and this is no correction.
        StaleVersion: `if_match` does not name its version, and the result is not in force already.
        InvalidRequest: a closed_at without a result.
    """
    event = _found(event)
    if event.decided_at is None and ruling.status == "NEW":
        if ruling.closed_at is not None:
            raise InvalidRequest.of("body.closed_at", "comes with a result: WIN, LOSE or VOID")
        return Change(event, made=False)
    asked = event.asked_closed_at
    if ruling.closed_at is not None and (
        event.decided_at is None or ruling.closed_at != event.closed_at
    ):
        asked = ruling.closed_at
    decided = replace(
        event,
        status=ruling.status,
        decided_at=now if event.decided_at is None else event.decided_at,
        asked_closed_at=asked,
    )
    if decided == event:
        return Change(event, made=False)
    events.check_version(event, if_match)
    if event.decided_at is not None and not ruling.correction:
        raise AlreadyDecided
    return _next(now, decided)


def decide_due(event: Event | None, now: int, ruling: Ruling) -> Change:
    """The event with this result if it is due (`Event.is_due`); else it stays as it is.

    Raises:
        EventNotFound: there is none with this id.
    """
    event = _found(event)
    return decide(event, now, ruling, None) if event.is_due(now) else Change(event, made=False)


def _found(event: Event | None) -> Event:
    if event is None:
        raise EventNotFound
    return event


def _new(now: int, event_id: str, terms: Terms, default_deadline_s: int) -> Change:
    if terms.coefficient is None:
        raise InvalidRequest.of("body.coefficient", "is required")
    event = Event(
        event_id=event_id,
        name=terms.name,
        coefficient=terms.coefficient,
        deadline=terms.deadline or now + default_deadline_s * clock.US_PER_S,
        status="NEW",
        decided_at=None,
        asked_closed_at=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    return Change(event, made=True)


def _next(now: int, event: Event) -> Change:
    return Change(replace(event, version=event.version + 1, updated_at=now), made=True)
