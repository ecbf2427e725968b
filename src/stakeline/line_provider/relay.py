"""The relay: publishing the feed's items to the broker, each after its commit and at least once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from stakeline import background, strictjson
from stakeline.broker import Broker, BrokerAway, Message
from stakeline.errors import Unavailable
from stakeline.line_provider import feed
from stakeline.line_provider.tables import head, relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.broker import Publisher
    from stakeline.contract import Cursor
    from stakeline.line_provider.line import Line

log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""How often it looks for items of other processes, whose own relays may be gone."""
BUSY_S = 0.02
"""How soon it looks again when another process's relay was at work."""
MOST = 200
"""How many items are published at once."""

_FOUND_RELAY = sa.text("""
INSERT INTO relay (id, epoch, seq) SELECT 1, epoch, 0 FROM head WHERE true ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of the log that come next: their epoch, the last one's seq, and what to publish."""

    epoch: str
    seq: int
    messages: list[Message]


class Relay:
    """Publishes what the cursor in the row `relay` has not passed; one process at a time does it.

    Args:
        line: whose feed it is, and whose bell says that there is more.
        url: the broker's.
        registry: where its metrics go.
    """

    def __init__(self, line: Line, url: str, registry: CollectorRegistry) -> None:
        self._line = line
        self._broker = Broker(url, "stakeline relay", registry)
        self._one_writer = line.database.engine.dialect.name == "sqlite"
        self._limit = MOST
        self._published = Counter(
            "stakeline_relay_items_total", "Items published and confirmed.", registry=registry
        )
        self._unheard = Counter(
            "stakeline_relay_unheard_total", "Of these, items that no queue got.", registry=registry
        )
        self._lag = Gauge(
            "stakeline_relay_lag_items", "Items that are not published yet.", registry=registry
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish until the block ends; needs the log, but no broker to start.

        Raises:
            Unavailable: the database cannot be written.
        """
        async with self._line.database.write() as conn:
            await conn.execute(_FOUND_RELAY)
        async with (
            background.running(self._measure_for_ever()),
            background.running(self._broker.publish_for_ever(self.step)),
        ):
            yield

    async def step(self, publisher: Publisher) -> None:
        """Publish some of what there is, or wait until there may be more.

        Raises:
            BrokerAway: not all was confirmed; it will be published again.
        """
        rung = self._line.bell.listen()
        try:
            batch = await self._publish_some(publisher)
        except Unavailable:
            await asyncio.sleep(LOOK_S)  # the requests say so, and /readyz
            return
        if batch is None:
            # It may have looked before the item that woke this one was there.
            await asyncio.sleep(BUSY_S)
        elif not batch.messages:
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), LOOK_S)

    async def _publish_some(self, publisher: Publisher) -> Batch | None:
        """What was published; None while another process's relay is at work."""
        database = self._line.database
        if self._one_writer:
            # SQLite has no lock but the one of all writers, which must not wait for a broker. Two
            # processes on one file may publish the same items, each in order: twice, never less.
            async with database.read() as conn:
                batch = await self._next(conn)
            if batch.messages:
                await self._publish(publisher, batch)
                async with database.write() as conn:
                    await _raise_cursor(conn, batch)
            return batch
        async with database.read() as conn:  # an idle look locks nothing
            last, after = await self._place(conn)
        if after == last.seq:
            return Batch(last.epoch, after, [])
        async with database.write() as conn:
            lock = sa.select(relay.c.id).with_for_update(skip_locked=True)
            if (await conn.execute(lock)).first() is None:
                return None
            batch = await self._next(conn)
            if batch.messages:
                await self._publish(publisher, batch)
                await _raise_cursor(conn, batch)
        return batch

    async def _place(self, conn: AsyncConnection) -> tuple[Cursor, int]:
        """The log's head, and the seq up to which its items are published."""
        row = (await conn.execute(sa.select(relay))).one()
        last = await feed.read_head(conn)
        # Of another log, or ahead of this one: somebody put it there, and every item is to come.
        after = row.seq if row.epoch == last.epoch and row.seq <= last.seq else 0
        self._lag.set(last.seq - after)
        return last, after

    async def _next(self, conn: AsyncConnection) -> Batch:
        last, after = await self._place(conn)
        bodies = await feed.items(conn, last.epoch, after, self._limit)
        messages = [
            Message(f"event.{_status(body)}", f"{last.epoch}:{seq}", body)
            for seq, body in enumerate(bodies, after + 1)  # the log has no gaps
        ]
        return Batch(last.epoch, after + len(bodies), messages)

    async def _publish(self, publisher: Publisher, batch: Batch) -> None:
        try:
            unheard = await publisher.publish(batch.messages)
        except BrokerAway:
            self._limit = max(1, self._limit // 4)  # what a slow broker confirms in time
            raise
        self._limit = min(MOST, self._limit * 2)
        self._published.inc(len(batch.messages))
        self._unheard.inc(unheard)

    async def _measure_for_ever(self) -> None:
        """Keep the lag's gauge right, also while there is no broker or another process works."""
        while True:
            try:
                async with self._line.database.read() as conn:
                    await self._place(conn)
            except Unavailable:
                pass  # the requests say so, and /readyz
            except Exception as error:  # this loop must outlive whatever it finds
                log.exception("the lag cannot be measured", exc_info=error)
            await asyncio.sleep(2 * LOOK_S)


async def _raise_cursor(conn: AsyncConnection, batch: Batch) -> None:
    # On SQLite another process may have been here, and further; it is not to be set back.
    further = relay.c.seq.between(batch.seq + 1, sa.select(head.c.seq).scalar_subquery())
    passed = sa.and_(relay.c.epoch == batch.epoch, further)
    await conn.execute(relay.update().where(~passed).values(epoch=batch.epoch, seq=batch.seq))


def _status(body: bytes) -> str:
    return str(strictjson.loads(body)["event"]["status"])
