"""The line as a whole: where it is kept, and the one way to change it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Histogram

from stakeline import background
from stakeline.errors import Problem, Unavailable
from stakeline.grouping import Grouping
from stakeline.line_provider import events, feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database
    from stakeline.line_provider.events import Change, Event
    from stakeline.line_provider.feed import Entry, Head

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One change that somebody asks for.

    Attributes:
        event_id: of the event that changes.
        act: makes of the event as it stands (None: there is none), at the time given, the one that
            is to be, or raises the `Problem` that is the answer.
        by: who changes the line.
        reason: why, if they say so.
    """

    event_id: str
    act: Callable[[Event | None, int], Change]
    by: str
    reason: str | None = None


class Line:
    """What the service works on.

    Attributes:
        database: where the line is kept.
        default_deadline_s: how far ahead the deadline of an event is that came without one.
        bell: wakes the feed requests that this process holds.
    """

    def __init__(
        self, database: Database, default_deadline_s: int, registry: CollectorRegistry
    ) -> None:
        self.database = database
        self.default_deadline_s = default_deadline_s
        self.bell = feed.Bell()
        sizes = Histogram(
            "stakeline_changes_per_commit",
            "How many changes of the line shared one commit.",
            registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self._grouping = Grouping(self._commit, sizes)

    async def change(
        self,
        event_id: str,
        act: Callable[[Event | None, int], Change],
        by: str,
        reason: str | None = None,
    ) -> Change:
        """Carry out one change: as `Asked` says.

        Raises:
            Problem: what `act` raises; `Overloaded`, `Unavailable` or `Internal`.
        """
        (answer,) = await self.change_all([Asked(event_id, act, by, reason)])
        if isinstance(answer, Problem):
            raise answer
        return answer

    async def change_all(self, asked: Sequence[Asked]) -> list[Change | Problem]:
        """Carry out changes in one transaction, in order; each one's own answer.

        Those of others may share the transaction. Its time is taken after they have all arrived.
        Where one is `Unavailable` nobody knows yet whether it is made.

        Raises:
            Overloaded: too many wait; none of these was made.
        """
        return await self._grouping.ask(asked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry out changes, and look for those of other processes, until the block ends."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background.running(self._look_for_ever()))
            await stack.enter_async_context(self._grouping.running())
            yield

    async def _commit(self, asked: Sequence[Asked]) -> list[Change | Problem]:
        async def attempt(conn: AsyncConnection) -> tuple[Head, list[Change | Problem]]:
            head = await feed.lock_head(conn)
            answers = await carry_out(conn, head, asked)
            if all(isinstance(answer, Problem) for answer in answers):
                await conn.rollback()  # a refusal holds, whether a COMMIT would succeed or not
            return head, answers

        head, answers = await self.database.attempt(attempt)
        self.bell.ring(head.seq + sum(isinstance(a, events.Change) and a.made for a in answers))
        return answers

    async def _look_for_ever(self) -> None:
        """Ring the bell for what other processes have changed, while anybody waits for it."""
        while True:
            await asyncio.sleep(feed.LOOK_S)
            if self.bell.held:
                try:
                    head, _ = await feed.read_head_and_clock(self.database)
                    self.bell.ring(head.seq)
                except Unavailable:
                    pass  # the requests say so, and /readyz
                except Exception as error:  # this loop must outlive whatever it finds
                    log.exception("the line cannot be read", exc_info=error)


async def carry_out(
    conn: AsyncConnection, head: Head, asked: Sequence[Asked]
) -> list[Change | Problem]:
    """Make the changes, one after another, and put them into the log; each one's own answer.

    Args:
        conn: the transaction that holds the head.
        head: the head; its time is that of all the changes.
        asked: the changes. One that is refused leaves no trace, and no other is the worse for it.
    """
    line = await events.look_up(conn, {one.event_id for one in asked})
    answers: list[Change | Problem] = []
    made: list[Entry] = []
    for one in asked:
        try:
            change = one.act(line.get(one.event_id), head.now)
        except Problem as problem:
            answers.append(problem)
            continue
        answers.append(change)
        if change.made:
            line[one.event_id] = change.event
            made.append(feed.Entry(change.event, one.by, one.reason))
    if made:
        changed = {entry.event.event_id for entry in made}
        await events.store(conn, [line[event_id] for event_id in changed])
        await feed.append(conn, head, made)
    return answers
