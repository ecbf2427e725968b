"""A follower and the line it follows, in the hands of a test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stakeline.bet_maker.follower import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stakeline.bet_maker.line import Line
    from stakeline.contract import Cursor
    from tests.bet_maker.replica import Replica
    from tests.bet_maker.scripted_line import ScriptedLine


class Pair:
    """A scripted line and a follower of it, whose replica has taken no snapshot yet."""

    def __init__(self, replica: Replica, line: ScriptedLine, client: Line) -> None:
        self.replica, self.line, self.client = replica, line, client
        self.registry = CollectorRegistry()
        self.follower = Follower(replica.database, client, self.registry)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once it holds."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_ready(self) -> None:
        """Return once bets can be taken."""
        await self.until(lambda: self.follower.why_stale() is None)

    async def until_asked(self, times: int) -> None:
        """Return once the line was asked so many times more."""
        before = len(self.line.asked)
        await self.until(lambda: len(self.line.asked) >= before + times)

    def count(self, name: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name) or 0

    def forget_fix(self) -> None:
        """As if five seconds had gone by since the line was heard."""
        self.follower._fix = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the line; what is logged is not shown."""
        with capture_logs() as self.logged:
            async with self.follower.running():
                yield

    async def cursor(self) -> Cursor:
        """How far the line has been applied, which it has been."""
        cursor = await self.replica.cursor()
        assert cursor is not None
        return cursor
