"""The feed: every change of the line in commit order, without a gap, and how it is read."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import clock, db, strictjson
from stakeline.contract import FEED_VERSION, Cursor, event_body
from stakeline.errors import FeedChanged
from stakeline.line_provider.tables import feed, head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database
    from stakeline.line_provider.events import Event

LOOK_S = 0.02
"""How often a process looks for changes that others made, while it holds requests."""

_FOUND_LOG = sa.text("""
INSERT INTO head (id, epoch, seq, at) VALUES (1, :epoch, 0, :at) ON CONFLICT DO NOTHING
""")
_HEAD = {
    dialect: f"SELECT epoch, seq, at, {expression} FROM head"  # noqa: S608 - constants
    for dialect, expression in db.CLOCK.items()
}


@dataclass(frozen=True, slots=True)
class Head:
    """The log's last item; `now` is the database's time since its row was locked."""

    epoch: str
    seq: int
    at: int
    now: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be put into the log: an event after its change, who made it, why if they said."""

    event: Event
    by: str
    reason: str | None


async def found_log(database: Database) -> None:
    """Name a new log, unless there is one; safe when several processes start at once."""
    async with database.write() as conn:
        values = {"epoch": secrets.token_hex(8), "at": await db.now(conn)}
        await conn.execute(_FOUND_LOG, values)


async def lock_head(conn: AsyncConnection) -> Head:
    """The head, locked until the transaction ends: changes of the line stand in one row."""
    row = (await conn.execute(sa.select(head).with_for_update())).one()
    return Head(row.epoch, row.seq, row.at, await db.now(conn))


async def append(conn: AsyncConnection, locked: Head, entries: Sequence[Entry]) -> None:
    """Put these, one or more, at the end of the log, in order.

    Args:
        conn: the transaction that holds the head and changed the events.
        locked: the head it holds.
        entries: each change by itself, also where there are several of one event.
    """
    # Items made at the same time, or by a clock that was set back, must not carry the same time:
    # followers tell a restored log from their own by the time of an item.
    first_at = max(locked.now, locked.at + 1)
    items = [
        {
            "seq": locked.seq + n,
            "at": first_at + n - 1,
            "event_id": entry.event.event_id,
            "version": entry.event.version,
            "event": strictjson.dumps(event_body(entry.event)).decode(),
            "by": entry.by,
            "reason": entry.reason,
        }
        for n, entry in enumerate(entries, start=1)
    ]
    await conn.execute(feed.insert(), items)
    await conn.execute(head.update().values(seq=items[-1]["seq"], at=items[-1]["at"]))


async def read_head(conn: AsyncConnection) -> Cursor:
    """The place of the log's last item."""
    row = (await conn.execute(sa.select(head))).one()
    return Cursor(row.epoch, row.seq, row.at)


async def read_head_and_clock(database: Database) -> tuple[Cursor, int]:
    """The same with the database's time, in one round trip."""
    ((epoch, seq, at, now),) = await database.read_alone(_HEAD[database.engine.dialect.name])
    return Cursor(epoch, seq, at), clock.now() if now is None else now


async def check(conn: AsyncConnection, last: Cursor, after: int, at: int | None) -> None:
    """Nothing, if this log has the item at `after` that was written at `at`.

    Raises:
        FeedChanged: it has not: the follower read another log.
    """
    if after > last.seq:
        raise FeedChanged
    if after == 0 or at is None:
        return
    written = await conn.scalar(sa.select(feed.c.at).where(feed.c.seq == after))
    if written != at:
        raise FeedChanged


async def items(conn: AsyncConnection, epoch: str, after: int, limit: int) -> Sequence[bytes]:
    """Up to `limit` items that follow `after`, each as its JSON."""
    rows = await conn.execute(
        sa.select(feed.c.seq, feed.c.at, feed.c.event)
        .where(feed.c.seq > after)
        .order_by(feed.c.seq)
        .limit(limit)
    )
    # The event is spliced in as it was written: reading it only to write it again would be waste.
    return [
        b'{"v":%d,"epoch":"%b","seq":%d,"at":"%b","event":%b}'
        % (FEED_VERSION, epoch.encode(), row.seq, clock.text(row.at).encode(), row.event.encode())
        for row in rows
    ]


async def history(
    conn: AsyncConnection, event_id: str, after: int, limit: int
) -> Sequence[dict[str, Any]]:
    """Up to `limit` versions of the event after version `after`: what changed, when, by whom."""
    rows = await conn.execute(
        sa.select(feed)
        .where(feed.c.event_id == event_id, feed.c.version >= after)
        .order_by(feed.c.version)
        .limit(limit + 1)
    )
    versions: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for row in rows:
        event = strictjson.loads(row.event.encode())
        changed = [field for field, value in event.items() if _differs(before.get(field), value)]
        if row.version > after:
            versions.append(
                {
                    "version": row.version,
                    "seq": row.seq,
                    "at": clock.text(row.at),
                    "by": row.by,
                    "reason": row.reason,
                    "changed": sorted(set(changed) - {"version", "updated_at"}),
                }
                | {"event": strictjson.Raw(row.event.encode())}
            )
        before = event
    return versions[:limit]


def _differs(one: object, other: object) -> bool:
    return getattr(one, "text", one) != getattr(other, "text", other)


class Bell:
    """Wakes the feed requests that this process holds, when the line has changed.

    Attributes:
        held: how many they are.
    """

    def __init__(self) -> None:
        self.held = 0
        self._head = 0
        self._rung = asyncio.Event()

    def ring(self, head: int) -> None:
        """Wake all who wait, if they have not been told that the log's last item is `head`."""
        if head == self._head:
            return
        self._head = head
        self._rung.set()
        self._rung = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """What the next ring sets; take it before looking, so that no ring is missed."""
        return self._rung
