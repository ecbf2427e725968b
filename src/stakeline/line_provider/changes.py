"""The line's rules: how an event comes to be, changes and is decided.

Every function takes the connection of a transaction that holds the head's lock (`feed.lock_head`),
and returns the event as it now stands and whether that is a change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stakeline import clock, ids
from stakeline.errors import AlreadyDecided, EventExists, InvalidRequest, StaleVersion
from stakeline.line_provider import events, tables
from stakeline.line_provider.events import Change, Event

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.line_provider.events import Ruling, Terms


async def create(
    conn: AsyncConnection, now: int, event_id: str | None, terms: Terms, default_deadline_s: int
) -> Change:
    """A new event; without an id it gets a short one, without a deadline the default one.

    Raises:
        EventExists: the id is taken by an event that differs in a field that was given.
        InvalidRequest: no coefficient, or a deadline that has passed.
    """
    if event_id is None:
        event_id = ids.new_event_id()
        while await events.look_up(conn, event_id) is not None:
            event_id = ids.new_event_id()
    elif (event := await events.look_up(conn, event_id)) is not None:
        if replace(event, **terms.given()) != event:
            raise EventExists
        return Change(event, made=False)
    if terms.deadline is not None and terms.deadline <= now:
        raise InvalidRequest.of("body.deadline", "must be ahead of now")
    return await _insert(conn, now, event_id, terms, default_deadline_s)


async def put(
    conn: AsyncConnection,
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
    event = await events.look_up(conn, event_id)
    if event is not None:
        return await _change(conn, now, event, terms, if_match)
    if if_match is not None:
        raise StaleVersion
    return await _insert(conn, now, event_id, terms, default_deadline_s)


async def change(
    conn: AsyncConnection, now: int, event_id: str, terms: Terms, if_match: str | None
) -> Change:
    """The event with these terms.

    Raises:
        EventNotFound: there is none with this id.
        AlreadyDecided: it has a result and the terms differ in coefficient or deadline.
        StaleVersion: `if_match` does not name its version.
    """
    return await _change(conn, now, await events.find(conn, event_id), terms, if_match)


async def decide(
    conn: AsyncConnection, now: int, event_id: str, ruling: Ruling, if_match: str | None
) -> Change:
    """The event with this result; the first one fixes when it was decided, for ever.

    Raises:
        EventNotFound: there is none with this id.
        AlreadyDecided: it has another result, and this is no correction.
        StaleVersion: `if_match` does not name its version, and the result is not in force already.
        InvalidRequest: a closed_at without a result.
    """
    event = await events.find(conn, event_id)
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
    return await _update(conn, now, decided)


async def _change(
    conn: AsyncConnection, now: int, event: Event, terms: Terms, if_match: str | None
) -> Change:
    events.check_version(event, if_match)
    changed = replace(event, **terms.given())
    if changed == event:
        return Change(event, made=False)
    priced_anew = (changed.coefficient, changed.deadline) != (event.coefficient, event.deadline)
    if event.decided_at is not None and priced_anew:
        raise AlreadyDecided
    return await _update(conn, now, changed)


async def _insert(
    conn: AsyncConnection, now: int, event_id: str, terms: Terms, default_deadline_s: int
) -> Change:
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
    await conn.execute(tables.events.insert().values(_columns(event)))
    return Change(event, made=True)


async def _update(conn: AsyncConnection, now: int, event: Event) -> Change:
    event = replace(event, version=event.version + 1, updated_at=now)
    await conn.execute(
        tables.events.update()
        .where(tables.events.c.event_id == event.event_id)
        .values(_columns(event))
    )
    return Change(event, made=True)


def _columns(event: Event) -> dict[str, Any]:
    return {column.name: getattr(event, column.name) for column in tables.events.columns}
