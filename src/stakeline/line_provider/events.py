"""Events: what one is, when its betting closes, and finding them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import strictjson
from stakeline.errors import EventNotFound, StaleVersion
from stakeline.line_provider.tables import events

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.contract import EventStatus


# The ids travel as one JSON parameter, so the statement is the same for any number of them.
_IDS = {
    "sqlite": sa.text("SELECT value FROM json_each(:ids)"),
    "postgresql": sa.text("SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))"),
}
_COLUMNS = [column.name for column in events.columns]
_STORE = sa.text(f"""
INSERT INTO events ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
ON CONFLICT (event_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
""")  # noqa: S608 - constants


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

    def is_due(self, now: int) -> bool:
        """Whether auto-result is to decide it: as `due` finds it."""
        return self.decided_at is None and self.created_at < self.deadline <= now


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
    event = (await look_up(conn, {event_id})).get(event_id)
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


_UNDECIDED = (events.c.decided_at.is_(None), events.c.deadline > events.c.created_at)
"""Events without a first result whose deadline is after their creation."""


async def soonest_undecided(conn: AsyncConnection) -> int | None:
    """The earliest deadline of those; None if there are none."""
    deadline: int | None = await conn.scalar(
        sa.select(sa.func.min(events.c.deadline)).where(*_UNDECIDED)
    )
    return deadline


async def due(conn: AsyncConnection, now: int, limit: int) -> Sequence[str]:
    """Ids of up to `limit` of those whose deadline has come at `now`."""
    query = sa.select(events.c.event_id).where(*_UNDECIDED, events.c.deadline <= now)
    rows = await conn.execute(query.order_by(events.c.deadline, events.c.event_id).limit(limit))
    return [row.event_id for row in rows]


async def in_id_order(conn: AsyncConnection, after: str, limit: int) -> Sequence[Event]:
    """Up to `limit` events whose ids sort after `after`."""
    rows = await conn.execute(
        sa.select(events).where(events.c.event_id > after).order_by(events.c.event_id).limit(limit)
    )
    return [Event(**row) for row in rows.mappings()]


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


async def look_up(conn: AsyncConnection, event_ids: Collection[str]) -> dict[str, Event]:
    """Those of these events that there are, by id."""
    ids = _IDS[conn.dialect.name].bindparams(ids=strictjson.dumps(list(event_ids)).decode())
    rows = await conn.execute(sa.select(events).where(events.c.event_id.in_(ids)))
    return {row["event_id"]: Event(**row) for row in rows.mappings()}


async def store(conn: AsyncConnection, changed: Collection[Event]) -> None:
    """Write the events as they now stand, new ones and others."""
    await conn.execute(
        _STORE, [{name: getattr(event, name) for name in _COLUMNS} for event in changed]
    )
