"""The line as a whole: where it is kept, and the one way to change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stakeline.line_provider import feed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database
    from stakeline.line_provider.events import Change


@dataclass(frozen=True, slots=True)
class Line:
    """What the service works on.

    Attributes:
        database: where the line is kept.
        default_deadline_s: how far ahead the deadline of an event is that came without one.
        bell: wakes the feed requests that this process holds.
    """

    database: Database
    default_deadline_s: int
    bell: feed.Bell = field(default_factory=feed.Bell)

    async def change(
        self,
        act: Callable[[AsyncConnection, int], Awaitable[Change]],
        by: str,
        reason: str | None = None,
    ) -> Change:
        """Carry out one change: the head's lock, the event, its feed item, one commit.

        Args:
            act: makes the change, in the transaction that holds the head, at the time given.
            by: who changes the line.
            reason: why, if they say so.
        """

        async def attempt(conn: AsyncConnection) -> Change:
            head = await feed.lock_head(conn)
            change = await act(conn, head.now)
            if change.made:
                await feed.append(conn, head, change.event, by, reason)
            return change

        change = await self.database.attempt(attempt)
        if change.made:
            self.bell.ring()
        return change
