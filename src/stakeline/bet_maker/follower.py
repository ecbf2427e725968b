"""Following the line: pulling its feed, and knowing line-provider's time from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from stakeline import background, clock
from stakeline.bet_maker import events
from stakeline.bet_maker.bets import Stamp
from stakeline.bet_maker.line import FeedUnreachable, Line
from stakeline.contract import UnreadableItem
from stakeline.errors import FeedChanged, MalformedJson, Unavailable

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.line import Snapshot
    from stakeline.contract import Cursor, FeedPage
    from stakeline.db import Database

log = structlog.get_logger(__name__)

FRESH_US = 5 * clock.US_PER_S
"""How old a fix may be for bets to be taken on it."""
WAIT_S = 1.0
PAUSE_S = 0.5
STEP_US = clock.US_PER_S
"""A jump of line-provider's clock, against the steady one here, that is worth an alarm."""


@dataclass(frozen=True, slots=True)
class Fix:
    """The newest feed answer whose head has been applied: line-provider's time, and freshness.

    Attributes:
        epoch: the log that was heard.
        received_at: line-provider's time when it got the request, microseconds.
        sent: the steady clock here when the request was sent, microseconds.
        took: how long the answer took: so much later than sent the request may have been received.
    """

    epoch: str
    received_at: int
    sent: int
    took: int

    def time_at(self, steady: int) -> int:
        """An upper bound of line-provider's time when the steady clock here shows `steady`."""
        return self.received_at + steady - self.sent


class Follower:
    """Keeps the replica at the line's head; each process has its own, what they apply is shared."""

    def __init__(self, database: Database, line: Line, registry: CollectorRegistry) -> None:
        self._database = database
        self._line = line
        self._fix: Fix | None = None
        self._rung = asyncio.Event()
        self._suspended = False
        self._trouble: str | None = "the line has not been heard yet"
        self._applied = Counter(
            "stakeline_feed_items_total", "Feed items applied.", registry=registry
        )
        self._steps = Counter(
            "stakeline_line_clock_steps_total",
            "Jumps of line-provider's clock by more than a second.",
            registry=registry,
        )
        Gauge(
            "stakeline_feed_age_seconds", "Age of the newest fix.", registry=registry
        ).set_function(self._age_s)

    async def stamp(self) -> Stamp:
        """The stamp of a bet whose request has just been read to its end."""
        fix = self._fix
        if fix is None:
            return Stamp("", 0, 0, fresh=False)
        now = clock.steady()
        return Stamp(fix.epoch, fix.time_at(now), fix.received_at, self._is_fresh(fix, now))

    async def time(self) -> int:
        """Line-provider's time, for display; before the first fix the local clock's."""
        return clock.now() if self._fix is None else self._fix.time_at(clock.steady())

    def why_stale(self) -> str | None:
        """None while bets can be taken, else what keeps them from it."""
        fix = self._fix
        if fix is not None and self._is_fresh(fix, clock.steady()):
            return None
        return self._trouble or "the line has not been heard for more than 5 s"

    def _is_fresh(self, fix: Fix, now: int) -> bool:
        return now - fix.sent <= FRESH_US and not self._suspended

    def running(self) -> AbstractAsyncContextManager[None]:
        """Follow the line until the block ends."""
        return background.running(self._run())

    def ring(self) -> None:
        """Ask the line at once: somebody says that it has changed."""
        self._rung.set()

    async def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                await self._step(wait_s)
            except (
                FeedChanged,
                FeedUnreachable,
                MalformedJson,
                Unavailable,
                UnreadableItem,
            ) as error:
                self._complain(error)
                wait_s = 0.0
                await asyncio.sleep(PAUSE_S)
            except Exception as error:
                log.exception("following failed", exc_info=error)
                self._complain(error)
                wait_s = 0.0
                await asyncio.sleep(PAUSE_S)
            else:
                self._trouble = None
                wait_s = WAIT_S

    async def _step(self, wait_s: float) -> None:
        async with self._database.read() as conn:
            cursor = await events.read_cursor(conn)
        if cursor is None:
            cursor = await self._start()
        sent, page = await self._ask(cursor, wait_s)
        took = clock.steady() - sent
        applied = await self._apply(page) if page.items else cursor
        if applied is not None and applied.epoch == page.epoch and applied.seq >= page.head:
            self._take_fix(Fix(page.epoch, page.received_at, sent, took))
        elif applied == cursor:
            raise FeedUnreachable(f"The feed has nothing to follow item {cursor.seq} with.")

    async def _ask(self, cursor: Cursor, wait_s: float) -> tuple[int, FeedPage]:
        """What follows the cursor, and when that was asked: what a ring cuts short is asked anew.

        The answer to a request without a wait is always taken, however often it rings.
        """
        if wait_s > 0 and not self._rung.is_set():
            sent = clock.steady()
            held = asyncio.create_task(self._line.feed(cursor, wait_s))
            rung = asyncio.create_task(self._rung.wait())
            try:
                await asyncio.wait({held, rung}, return_when=asyncio.FIRST_COMPLETED)
                if held.done():
                    return sent, held.result()
            finally:
                held.cancel()
                rung.cancel()
                await asyncio.gather(held, rung, return_exceptions=True)
        self._rung.clear()
        sent = clock.steady()
        return sent, await self._line.feed(cursor, 0.0)

    async def _start(self) -> Cursor:
        async with self._line.snapshot() as snapshot, self._database.write(within_s=None) as conn:
            cursor = await events.read_cursor(conn, lock=True)
            if cursor is not None:
                return cursor  # another process was quicker
            await _take(conn, snapshot)
            return snapshot.top

    async def _apply(self, page: FeedPage) -> Cursor | None:
        async with self._database.write() as conn:
            cursor = await events.apply_page(conn, page)
        self._applied.inc(len(page.items))
        for item in page.items:
            if item.event is None:
                log.error("unreadable event: frozen", event_id=item.event_id, seq=item.seq)
        return cursor

    def _take_fix(self, fix: Fix) -> None:
        if self._fix is not None:
            # A request may have waited to be received, as while line-provider is started again.
            step = fix.received_at - self._fix.time_at(fix.sent)
            if not -STEP_US - self._fix.took <= step <= STEP_US + fix.took:
                self._steps.inc()
                log.error("line-provider's clock has jumped", step_s=step / clock.US_PER_S)
        self._fix = fix
        self._suspended = False

    def _complain(self, error: Exception) -> None:
        trouble = str(error) or type(error).__name__
        if isinstance(error, FeedChanged):
            self._suspended = True  # at once: what the fix was good for is not the line any more
            trouble = f"{trouble} Run `stakeline bet-maker resync` to follow it from where it is."
        if trouble != self._trouble:
            log.warning("the line cannot be followed", why=trouble)
        self._trouble = trouble

    def _age_s(self) -> float:
        fix = self._fix
        return float("inf") if fix is None else (clock.steady() - fix.sent) / clock.US_PER_S


async def resync(database: Database, line: Line) -> Cursor:
    """Take the line as it now is, whatever log was followed before; where the feed goes on.

    The cursor is lowered only where the log was restored from an earlier time: what a running
    bet-maker has applied of this log meanwhile is not taken back.

    Raises:
        FeedUnreachable: line-provider does not answer as it should; nothing was changed.
        UnreadableItem: it answers what this release cannot read; nothing was changed.
        Unavailable: the database cannot be written; nothing was changed.
    """
    async with database.read() as conn:
        before = await events.read_cursor(conn)
    async with line.snapshot() as snapshot, database.write(within_s=None) as conn:
        now = await events.read_cursor(conn, lock=True)
        if not _overtaken(snapshot.top, before, now):
            await _take(conn, snapshot)
            return snapshot.top
    # One more would be overtaken, too, so this one is fetched while nobody can apply anything.
    async with database.write(within_s=None) as conn:
        await events.read_cursor(conn, lock=True)
        async with line.snapshot() as snapshot:
            await _take(conn, snapshot)
            return snapshot.top


def _overtaken(top: Cursor, before: Cursor | None, now: Cursor | None) -> bool:
    """Whether somebody has applied more than a snapshot has while that was being fetched.

    A cursor that was beyond the snapshot's place before is beyond a log that was restored.
    """
    return now is not None and now != before and now.epoch == top.epoch and now.seq > top.seq


async def _take(conn: AsyncConnection, snapshot: Snapshot) -> None:
    await events.apply_snapshot(conn, snapshot.top, snapshot.received_at, snapshot.portions())
