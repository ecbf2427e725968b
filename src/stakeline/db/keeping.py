"""Connections that are kept for statements which are transactions by themselves.

The pool's work on a connection costs as much as some ten bets of a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MOST_KEPT = 3
"""Two groups at once, and a look-up; more are the pool's again after their use."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection that is not given back to its pool, the driver's in it, and what is noted of it.

    `driver` is asyncpg's or aiosqlite's, which have no types.
    """

    conn: AsyncConnection
    driver: Any
    info: dict[Any, Any]


class Keeping:
    """Connections that nobody uses now, a few of the pool's: the others are for transactions."""

    def __init__(self) -> None:
        self._idle: list[Kept] = []

    async def take(self, engine: AsyncEngine) -> Kept:
        """One that was given here, or another one of the pool."""
        if self._idle:
            return self._idle.pop()
        conn = await engine.connect()
        raw = await conn.get_raw_connection()
        return Kept(conn, raw.driver_connection, raw.info)

    async def give(self, kept: Kept) -> None:
        """Keep it for the next one, or give it back to its pool."""
        if len(self._idle) < MOST_KEPT:
            self._idle.append(kept)
        else:
            await kept.conn.close()

    def forget(self) -> None:
        """Break all of them: their server will not do any more."""
        for kept in self._idle:
            kept.driver.terminate()

    async def close(self) -> None:
        """Give all back to their pool."""
        while self._idle:
            await self._idle.pop().conn.close()
