"""The line's rules: how an event comes to be, changes and is decided, and when its betting closes.

Functions that write take the connection of a transaction that holds the head's lock
(`feed.lock_head`); they return the event as it now stands and whether that is a change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import clock, ids
from stakeline.errors import (
    AlreadyDecided,
    EventExists,
    EventNotFound,
    InvalidRequest,
    StaleVersion,
)
from stakeline.line_provider.tables import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.contract import EventStatus


@dataclass(frozen=True, slots=True)
class Event:
    """An event as line-provider keeps it; times in microseconds, coefficient in hundredths."""

    event_id: str
    name: str | None
    coefficient: int
    deadline: int
    status: EventStatus
    decided_at: int | None
    asked_closed_at: int | None
    version: int
    created_at: int
    updated_at: int

    @property
    def closed_at(self) -> int:
        """The instant from which no bet on the event can stand."""
        limits = (self.deadline, self.decided_at, self.asked_closed_at)
        return min(limit for limit in limits if limit is not None)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a caller says of an event; None where nothing was said."""

    coefficient: int | None = None
    deadline: int | None = None
    name: str | None = None

    def given(self) -> dict[str, Any]:
        """Only what was said."""
        said = {"coefficient": self.coefficient, "deadline": self.deadline, "name": self.name}
        return {field: value for field, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an operator says of an event's outcome."""

    status: EventStatus
    closed_at: int | None = None
    correction: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The event as it now stands; `made` is False where it stood so already."""

    event: Event
    made: bool


async def find(conn: AsyncConnection, event_id: str) -> Event:
    """The event.

    Raises:
        EventNotFound: there is none with this id.
    """
    event = await _look_up(conn, event_id)
    if event is None:
        raise EventNotFound
    return event


async def page(
    conn: AsyncConnection,
    *,
    status: EventStatus | None,
    bettable: bool | None,
    now: int,
    after: tuple[int, str],
    limit: int,
) -> Sequence[Event]:
    """Up to `limit` events after (deadline, event_id), soonest deadline first.

    Args:
        conn: a connection.
        status: only events of this status.
        bettable: True for events that take bets at `now`, False for the others.
        now: microseconds.
        after: where the page before ended.
        limit: the most events returned.
    """
    open_now = sa.and_(events.c.decided_at.is_(None), events.c.deadline > now)
    conditions = [sa.tuple_(events.c.deadline, events.c.event_id) > sa.tuple_(*after)]
    if status is not None:
        conditions.append(events.c.status == status)
    if bettable is not None:
        conditions.append(open_now if bettable else sa.not_(open_now))
    rows = await conn.execute(
        sa.select(events)
        .where(*conditions)
        .order_by(events.c.deadline, events.c.event_id)
        .limit(limit)
    )
    return [Event(**row) for row in rows.mappings()]


async def in_id_order(conn: AsyncConnection, after: str, limit: int) -> Sequence[Event]:
    """Up to `limit` events whose ids sort after `after`."""
    rows = await conn.execute(
        sa.select(events).where(events.c.event_id > after).order_by(events.c.event_id).limit(limit)
    )
    return [Event(**row) for row in rows.mappings()]


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
        while await _look_up(conn, event_id) is not None:
            event_id = ids.new_event_id()
    elif (event := await _look_up(conn, event_id)) is not None:
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
    event = await _look_up(conn, event_id)
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
    return await _change(conn, now, await find(conn, event_id), terms, if_match)


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
    event = await find(conn, event_id)
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
    check_version(event, if_match)
    if event.decided_at is not None and not ruling.correction:
        raise AlreadyDecided
    return await _update(conn, now, decided)


def check_version(event: Event, if_match: str | None) -> None:
    """Nothing, if `if_match` (an If-Match header's value) is absent, `*`, or names the version.

    Raises:
        StaleVersion: it names others only.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if etag(event) not in {tag.strip() for tag in if_match.split(",")}:
        raise StaleVersion


def etag(event: Event) -> str:
    """The event's ETag: its version."""
    return f'"{event.version}"'


async def _change(
    conn: AsyncConnection, now: int, event: Event, terms: Terms, if_match: str | None
) -> Change:
    check_version(event, if_match)
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
    await conn.execute(events.insert().values(_columns(event)))
    return Change(event, made=True)


async def _update(conn: AsyncConnection, now: int, event: Event) -> Change:
    event = replace(event, version=event.version + 1, updated_at=now)
    await conn.execute(
        events.update().where(events.c.event_id == event.event_id).values(_columns(event))
    )
    return Change(event, made=True)


async def _look_up(conn: AsyncConnection, event_id: str) -> Event | None:
    rows = await conn.execute(sa.select(events).where(events.c.event_id == event_id))
    row = rows.mappings().one_or_none()
    return None if row is None else Event(**row)


def _columns(event: Event) -> dict[str, Any]:
    return {column.name: getattr(event, column.name) for column in events.columns}
