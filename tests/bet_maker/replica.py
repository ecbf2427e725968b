"""bet-maker's database without a service around it, in the hands of a test."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import clock, ids
from stakeline.bet_maker import acceptance, bets, events, history, tables
from stakeline.bet_maker.app import prepare
from stakeline.bet_maker.bets import Asked, Bet
from stakeline.contract import Cursor, Event, FeedItem, FeedPage
from stakeline.db import Database
from tests import databases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from stakeline.bet_maker.history import Selection
    from stakeline.bet_maker.limits import Limits
    from stakeline.errors import Problem

NOW = clock.parse_instant("2026-08-01T18:00:00Z")
"""The time of these tests."""
HOUR = 3600 * clock.US_PER_S


def event(event_id: str = "derby", /, **fields: Any) -> Event:  # noqa: ANN401 - any field
    """An event that takes bets for an hour at 2.00; times in microseconds, odds in hundredths."""
    known = {
        "event_id": event_id,
        "name": None,
        "coefficient": 200,
        "deadline": NOW + HOUR,
        "status": "NEW",
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    } | fields
    known.setdefault("closed_at", known["deadline"])
    return Event.model_construct(**known)


def item(seq: int, *, of: Event | str) -> FeedItem:
    """The item at `seq`: an event, or only the id of one that cannot be read."""
    if isinstance(of, str):
        return FeedItem(seq, NOW + seq, of, None)
    return FeedItem(seq, NOW + seq, of.event_id, of)


def page(*items: FeedItem, epoch: str = "log", now: int = NOW) -> FeedPage:
    """A feed page with these items, asked for at `now`."""
    return FeedPage(epoch, max(one.seq for one in items), now, list(items))


def asked(event_id: str = "derby", /, **fields: Any) -> Asked:  # noqa: ANN401 - any field
    """A bet of 10.00 at whatever price there is, on a fresh line, placed now."""
    placed_at = fields.pop("placed_at", NOW)
    known: dict[str, Any] = {
        "bet_id": ids.new_bet_id(placed_at),
        "user_id": 1,
        "key": None,
        "event_id": event_id,
        "amount": 1000,
        "asked_coefficient": None,
        "accept": "any",
        "epoch": "log",
        "placed_at": placed_at,
        "fix_at": placed_at,
        "fresh": True,
    }
    return Asked(**(known | fields))


@dataclass(frozen=True, slots=True)
class Replica:
    """The database, and what tests do with it."""

    database: Database
    url: str

    async def apply(self, *items: FeedItem, epoch: str = "log", now: int = NOW) -> Cursor | None:
        """Apply a page with these items; the cursor after that."""
        async with self.database.write() as conn:
            return await events.apply_page(conn, page(*items, epoch=epoch, now=now))

    async def resync(
        self, *known: Event | str, epoch: str = "log", seq: int = 0, now: int = NOW
    ) -> None:
        """Take a snapshot with these events; of some only the id can be read."""
        portion = [(one, None) if isinstance(one, str) else (one.event_id, one) for one in known]
        async with self.database.write() as conn:
            await events.apply_snapshot(conn, Cursor(epoch, seq, NOW), now, [portion])

    async def place(self, *group: Asked, limits: Limits | None = None) -> list[Bet | Problem]:
        """What comes of a group of bets."""
        return await acceptance.accept(self.database, group, standalone=False, limits=limits)

    async def place_one(self, event_id: str = "derby", /, **fields: Any) -> Bet:  # noqa: ANN401
        """A bet that is accepted."""
        (bet,) = await self.place(await self._asked_here(event_id, fields))
        assert isinstance(bet, Bet), bet
        return bet

    async def refusal(self, event_id: str = "derby", /, **fields: Any) -> str:  # noqa: ANN401
        """The code by which a bet is refused."""
        (problem,) = await self.place(await self._asked_here(event_id, fields))
        assert not isinstance(problem, Bet), problem
        return problem.code

    async def _asked_here(self, event_id: str, fields: dict[str, Any]) -> Asked:
        cursor = await self.cursor()
        return asked(event_id, **({"epoch": cursor.epoch if cursor else "log"} | fields))

    async def bet(self, placed: Bet) -> Bet:
        """The bet as it now stands."""
        async with self.database.read() as conn:
            return (await bets.find(conn, 1, placed.bet_id))[0]

    async def page(
        self, chosen: Selection, before: str | None = None, limit: int = 1000
    ) -> tuple[list[str], str | None]:
        """The ids on a page of the history, and where to go on."""
        async with self.database.read() as conn:
            found, last = await history.page(conn, before, limit, chosen=chosen)
        return [json.loads(bet)["bet_id"] for bet in found], last

    async def event(self, event_id: str = "derby") -> sa.Row[Any]:
        """The event's row."""
        async with self.database.read() as conn:
            return await events.find(conn, event_id)

    async def cursor(self) -> Cursor | None:
        """How far the line has been applied."""
        async with self.database.read() as conn:
            return await events.read_cursor(conn)

    async def number_of_bets(self) -> int:
        """How many bets there are."""
        async with self.database.read() as conn:
            return await conn.scalar(sa.select(sa.func.count()).select_from(tables.bets)) or 0


@asynccontextmanager
async def open_replica(data_dir: Path, *, standalone: bool = False) -> AsyncIterator[Replica]:
    """A new replica: standalone, or one that has taken an empty snapshot of the log `log`."""
    url = databases.url_of(data_dir, "bet-maker")
    database = Database(url)
    await prepare(database, standalone=standalone)
    opened = Replica(database, url)
    if not standalone:
        await opened.resync()
    yield opened
    await database.close()
