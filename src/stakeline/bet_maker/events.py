"""The replica: bet-maker's own copy of the line, and how it follows it.

Functions that write take the connection of a transaction that has locked the cursor.
"""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from stakeline.bet_maker.tables import cursor, events
from stakeline.contract import Cursor, Event, FeedItem, FeedPage
from stakeline.errors import EventNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


Mode = Literal["following", "standalone"]

STATE = "SELECT mode, epoch, seq, at, snapshot FROM cursor"
NOBODY = ""
"""The epoch of a row that no log vouches for: it takes no bets."""

# Decided, or past its deadline; also decided and corrected to NEW, which leaves closed_at early.
_CLOSED_HERE = """(events.status <> 'NEW' OR events.closed_at < events.deadline
                   OR events.closed_at <= :now)"""

# A row of the same log gives way to a newer version. A row of another log gives way too, unless it
# was closed here and the new log has not decided it: betting never reopens. What was closed under
# the old log caps closed_at for ever, so that no late bet comes to stand. A snapshot's rows may be
# newer than its place in the log: the feed then comes to an item of a version that is here already,
# after one that could not be read and froze it; the same version again makes it good.
_APPLY = """
INSERT INTO events (event_id, name, coefficient, deadline, status, closed_at, version, created_at,
                    updated_at, epoch, frozen, closed_cap)
{rows}
ON CONFLICT (event_id) DO UPDATE SET
    name = excluded.name,
    coefficient = excluded.coefficient,
    deadline = excluded.deadline,
    status = excluded.status,
    version = excluded.version,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    epoch = excluded.epoch,
    frozen = 0,
    closed_cap = CASE
        WHEN events.epoch = excluded.epoch THEN events.closed_cap
        WHEN {closed_here} THEN events.closed_at END,
    closed_at = CASE
        WHEN events.epoch = excluded.epoch AND events.closed_cap < excluded.closed_at
            THEN events.closed_cap
        WHEN events.epoch <> excluded.epoch AND events.closed_at < excluded.closed_at
            AND {closed_here}
            THEN events.closed_at
        ELSE excluded.closed_at END
WHERE CASE
    WHEN events.epoch = excluded.epoch THEN excluded.version > events.version
        OR excluded.version = events.version AND events.frozen = 1
    WHEN {closed_here} THEN excluded.status <> 'NEW'
    ELSE true END
"""

# The events travel as one JSON parameter, so the statement is the same for any number of them. No
# event is there twice.
_fields = attrgetter(
    "event_id",
    "name",
    "coefficient",
    "deadline",
    "status",
    "closed_at",
    "version",
    "created_at",
    "updated_at",
)
_ROWS = {
    "sqlite": """
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
       :epoch, 0, NULL
FROM json_each(:events) WHERE true""",
    "postgresql": """
SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS bigint), CAST(value ->> 3 AS bigint),
       value ->> 4, CAST(value ->> 5 AS bigint), CAST(value ->> 6 AS bigint),
       CAST(value ->> 7 AS bigint), CAST(value ->> 8 AS bigint), :epoch, 0, NULL
FROM jsonb_array_elements(CAST(:events AS jsonb)) AS element (value)""",
}
_STATEMENTS = {
    dialect: sa.text(_APPLY.format(rows=rows, closed_here=_CLOSED_HERE))
    for dialect, rows in _ROWS.items()
}

# A standalone bet-maker decides its events itself: the same row, the same rule.
_DECIDE = sa.text("""
INSERT INTO events (event_id, status, closed_at, version, created_at, updated_at, epoch)
VALUES (:event_id, :status, :now, 1, :now, :now, 'standalone')
ON CONFLICT (event_id) DO UPDATE SET
    status = excluded.status,
    closed_at = CASE WHEN events.closed_at < :now THEN events.closed_at ELSE :now END,
    version = events.version + 1,
    updated_at = :now
WHERE events.status <> excluded.status
""")

_FOUND_CURSOR = sa.text("""
INSERT INTO cursor (id, mode, epoch, seq, at) VALUES (1, :mode, :epoch, 0, 0) ON CONFLICT DO NOTHING
""")


async def found_cursor(conn: AsyncConnection, mode: Mode) -> Mode:
    """Write the mode into a new database; the mode that an older one has."""
    epoch = "standalone" if mode == "standalone" else None
    await conn.execute(_FOUND_CURSOR, {"mode": mode, "epoch": epoch})
    known: Mode = (await conn.execute(sa.select(cursor.c.mode))).scalar_one()
    return known


async def read_cursor(conn: AsyncConnection, *, lock: bool = False) -> Cursor | None:
    """How far the line has been applied; None before the first snapshot.

    Args:
        conn: a connection.
        lock: keep others from applying until this transaction ends.
    """
    row = (
        await conn.execute(sa.select(cursor).with_for_update() if lock else sa.select(cursor))
    ).one()
    return None if row.epoch is None else Cursor(row.epoch, row.seq, row.at)


async def state(conn: AsyncConnection) -> tuple[Any, ...]:
    """The same as long as the line is not changed here, by whichever process."""
    return tuple((await conn.execute(sa.text(STATE))).one())


async def apply_page(conn: AsyncConnection, page: FeedPage) -> Cursor | None:
    """Apply a feed page, all of it that is next; the cursor after that.

    Items at or below the cursor and those of another log are dropped; after a gap nothing is
    applied, so the next request asks for what is missing.
    """
    at = await read_cursor(conn, lock=True)
    if at is None or at.epoch != page.epoch:
        return at
    items = [item for item in page.items if item.seq > at.seq]
    if not items or any(item.seq != at.seq + n for n, item in enumerate(items, start=1)):
        return at
    await _apply(conn, page.epoch, items, page.received_at)
    await _set_cursor(conn, last := Cursor(page.epoch, items[-1].seq, items[-1].at))
    return last


async def apply_snapshot(
    conn: AsyncConnection,
    top: Cursor,
    received_at: int,
    portions: Iterable[Sequence[tuple[str, Event | None]]],
) -> None:
    """Take a whole snapshot as the line, and go on from there.

    Rows that were here count as another log's, even where the new log bears the old one's name (it
    was restored from a backup): events that the snapshot does not have take no more bets.

    Args:
        conn: the transaction.
        top: where the feed goes on.
        received_at: line-provider's time when it began the snapshot.
        portions: the events with their ids.
    """
    await conn.execute(events.update().values(epoch=NOBODY))
    await conn.execute(cursor.update().values(snapshot=cursor.c.snapshot + 1))
    for portion in portions:
        items = [FeedItem(top.seq, top.at, event_id, event) for event_id, event in portion]
        await _apply(conn, top.epoch, items, received_at)
    await _set_cursor(conn, top)


async def decide(conn: AsyncConnection, event_id: str, status: str, now: int) -> None:
    """Give a standalone event its result, or another one: a correction."""
    await conn.execute(_DECIDE, {"event_id": event_id, "status": status, "now": now})


async def find(conn: AsyncConnection, event_id: str) -> sa.Row[Any]:
    """The event's row.

    Raises:
        EventNotFound: none with this id is known here.
    """
    row = (await conn.execute(sa.select(events).where(events.c.event_id == event_id))).one_or_none()
    if row is None:
        raise EventNotFound
    return row


async def page(
    conn: AsyncConnection, now: int, after: tuple[int, str], limit: int
) -> Sequence[sa.Row[Any]]:
    """Up to `limit` events that take bets at `now`, soonest first, after (closed_at, id)."""
    rows = await conn.execute(
        sa.select(events)
        .join(cursor, cursor.c.epoch == events.c.epoch)
        .where(
            events.c.status == "NEW",
            events.c.frozen == 0,
            events.c.closed_at > now,
            sa.tuple_(events.c.closed_at, events.c.event_id) > sa.tuple_(*after),
        )
        .order_by(events.c.closed_at, events.c.event_id)
        .limit(limit)
    )
    return rows.all()


async def _apply(conn: AsyncConnection, epoch: str, items: Sequence[FeedItem], now: int) -> None:
    newest: dict[str, Event] = {}
    decided: dict[str, Event] = {}
    for item in items:
        event = item.event
        if event is None:
            continue
        if event.event_id not in newest or event.version > newest[event.event_id].version:
            newest[event.event_id] = event
        if event.status != "NEW":
            decided.setdefault(event.event_id, event)
    # What came before an event's newest version does not matter, but for a result that has been
    # corrected to NEW since: where the event was closed under another log, only that lets it in.
    undone = [event for event_id, event in decided.items() if newest[event_id].status == "NEW"]
    for known in (undone, newest.values()):
        if known:
            values = json.dumps([_fields(event) for event in known])
            parameters = {"events": values, "epoch": epoch, "now": now}
            await conn.execute(_STATEMENTS[conn.dialect.name], parameters)
    # Only its last state counts, and it cannot be read: no bets until a later item can.
    last = {item.event_id: item.event for item in items}
    frozen = [event_id for event_id, event in last.items() if event is None]
    if frozen:
        await conn.execute(events.update().where(events.c.event_id.in_(frozen)).values(frozen=1))


async def _set_cursor(conn: AsyncConnection, to: Cursor) -> None:
    await conn.execute(cursor.update().values(epoch=to.epoch, seq=to.seq, at=to.at))
