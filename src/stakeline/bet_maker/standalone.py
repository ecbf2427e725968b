"""Standalone: a bet-maker without a line, whose events are only identifiers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stakeline.bet_maker.bets import Stamp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stakeline.db import Database


class Standalone:
    """Stands in the follower's place; its time is its own database's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stamp(self) -> Stamp:
        """The stamp of a bet whose request has just been read to its end; always fresh."""
        now = await self.time()
        return Stamp("standalone", now, now, fresh=True)

    async def time(self) -> int:
        """The database's time, in microseconds."""
        return await self._database.now()

    def why_stale(self) -> str | None:
        """None: nothing keeps a standalone bet-maker from taking bets."""
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """There is nothing to follow."""
        yield
