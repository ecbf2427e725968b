"""Line and bets on two databases, without servers between them, at whatever time a test says."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stakeline import clock, contract
from stakeline.bet_maker import acceptance, bets
from stakeline.bet_maker import events as replica
from stakeline.bet_maker.app import prepare
from stakeline.db import Database
from stakeline.errors import Problem
from stakeline.line_provider import events, feed, line
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stakeline.bet_maker.bets import Asked, Bet
    from stakeline.contract import Cursor
    from stakeline.line_provider.events import Change, Event


class House:
    """An empty line, and a bet-maker's database that follows it from its start."""

    async def open(self, now: int) -> None:
        """Make both databases."""
        self._stack = AsyncExitStack()
        folder = Path(self._stack.enter_context(TemporaryDirectory()))
        self._ours = Database(databases.url_of(folder, "line-provider"))
        self._theirs = Database(databases.url_of(folder, "bet-maker"))
        self._stack.push_async_callback(self._ours.close)
        self._stack.push_async_callback(self._theirs.close)
        await feed.found_log(self._ours)
        await prepare(self._theirs, standalone=False)
        async with self._ours.read() as conn:
            top = await feed.read_head(conn)
        async with self._theirs.write() as conn:
            await replica.apply_snapshot(conn, top, now, [])
        self.epoch = top.epoch

    async def close(self) -> None:
        """Remove both databases."""
        await self._stack.aclose()

    async def change(
        self, now: int, event_id: str, act: Callable[[Event | None, int], Change]
    ) -> str:
        """What comes of an operator's act: `made`, `same`, or the code of its refusal."""
        async with self._ours.write() as conn:
            head = replace(await feed.lock_head(conn), now=now)
            (answer,) = await line.carry_out(conn, head, [line.Asked(event_id, act, "operator")])
        if isinstance(answer, Problem):
            return answer.code
        return "made" if answer.made else "same"

    async def follow(self, now: int, after: int, limit: int) -> Cursor | None:
        """Carry up to `limit` items after `after` over to the bets; how far those are then."""
        async with self._ours.read() as conn:
            head = await feed.read_head(conn)
            items = await feed.items(conn, self.epoch, after, limit)
        page = b'{"epoch":"%b","head":%d,"received_at":"%b","items":[%b]}' % (
            *(self.epoch.encode(), head.seq, clock.text(now).encode()),
            b",".join(items),
        )
        async with self._theirs.write() as conn:
            return await replica.apply_page(conn, contract.read_page(page))

    async def place(self, asked: Asked) -> Bet | Problem:
        """What comes of a bet."""
        (answer,) = await acceptance.accept(self._theirs, [asked], standalone=False)
        return answer

    async def events(self) -> Sequence[Event]:
        """The line."""
        async with self._ours.read() as conn:
            return await events.in_id_order(conn, "", 10)

    async def bets(self) -> list[Bet]:
        """Every bet, as it now stands."""
        async with self._theirs.read() as conn:
            return [bets.shown(row) for row in (await conn.execute(bets.SHOWN)).mappings()]
