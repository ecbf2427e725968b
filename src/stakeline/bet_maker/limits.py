"""Limits: how much a bet, a user's open bets and an event's exposure may be.

Totals hold for any number of processes: a group locks the rows of its users and events, in sorted
order, before it is judged. They are counted up with the bets, and summed anew where there is no
row. All bets of an event count while it takes bets, so its exposure is never counted down.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from stakeline import money
from stakeline.bet_maker.tables import counted_users, exposures
from stakeline.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.bets import Asked
    from stakeline.bet_maker.settings import Settings
    from stakeline.db import Database

_GAIN = "(amount * coefficient + 50) / 100 - amount"
# Ids travel as one JSON parameter. Far beyond any limit a sum need not be exact, but not overflow.
_DIALECTS = {
    "sqlite": {
        "$numbers": "SELECT value FROM json_each(:ids)",
        "$texts": "SELECT value FROM json_each(:ids)",
        "$exposure": f"CAST(min(total({_GAIN}), 4e18) AS INTEGER)",
    },
    "postgresql": {
        "$numbers": "SELECT n::bigint FROM jsonb_array_elements_text(CAST(:ids AS jsonb)) n",
        "$texts": "SELECT id FROM jsonb_array_elements_text(CAST(:ids AS jsonb)) id",
        "$exposure": f"CAST(least(coalesce(sum({_GAIN}), 0), 4e18) AS bigint)",
    },
}


def _in_both(statement: str) -> dict[str, sa.TextClause]:
    found = {}
    for dialect, words in _DIALECTS.items():
        text = statement
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        found[dialect] = sa.text(text)
    return found


_LOCK_USERS = _in_both("""
INSERT INTO counted_users (user_id, counted)
SELECT user_id, 0 FROM users WHERE user_id IN ($numbers) ORDER BY user_id
ON CONFLICT (user_id) DO UPDATE SET counted = 1
RETURNING user_id, counted
""")
_FORGET_STAKES = _in_both("DELETE FROM stakes WHERE user_id IN ($numbers)")
_SUM_STAKES = _in_both("""
INSERT INTO stakes (user_id, event_id, amount)
SELECT user_id, event_id, CAST(sum(amount) AS bigint) FROM bets
WHERE user_id IN ($numbers) GROUP BY user_id, event_id
""")
_OPEN_AMOUNTS = _in_both("""
SELECT stakes.user_id, CAST(sum(stakes.amount) AS bigint) AS amount
FROM stakes JOIN events ON events.event_id = stakes.event_id
WHERE stakes.user_id IN ($numbers) AND events.status = 'NEW'
GROUP BY stakes.user_id
""")
_LOCK_EVENTS = _in_both("""
INSERT INTO exposures (event_id)
SELECT event_id FROM events WHERE event_id IN ($texts) AND status = 'NEW' ORDER BY event_id
ON CONFLICT (event_id) DO UPDATE SET exposure = exposures.exposure
RETURNING event_id, exposure
""")
_SUM_EXPOSURES = _in_both("""
UPDATE exposures
SET exposure = (SELECT $exposure FROM bets WHERE bets.event_id = exposures.event_id)
WHERE event_id IN ($texts)
RETURNING event_id, exposure
""")
_TAKE_BACK = _in_both("DELETE FROM bets WHERE bet_id IN ($texts)")
_ADD_STAKES = sa.text("""
INSERT INTO stakes (user_id, event_id, amount) VALUES (:user_id, :event_id, :amount)
ON CONFLICT (user_id, event_id) DO UPDATE SET amount = stakes.amount + excluded.amount
""")
_SET_EXPOSURES = sa.text("UPDATE exposures SET exposure = :exposure WHERE event_id = :event_id")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is set, in cents; None where it is not."""

    smallest_amount: int | None = None
    largest_amount: int | None = None
    user_open_amount: int | None = None
    event_exposure: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The limits in the settings; None if there are none."""
        limits = cls(
            settings.smallest_amount,
            settings.largest_amount,
            settings.user_open_amount,
            settings.event_exposure,
        )
        return None if limits == cls() else limits

    async def lock(self, conn: AsyncConnection, group: Iterable[Asked]) -> Rooms:
        """The room that is left for a group, which nobody else takes until the transaction ends."""
        open_amounts: dict[int, int] = {}
        at_risk: dict[str, int] = {}
        if self.user_open_amount is not None:
            open_amounts = await _lock_users(conn, sorted({asked.user_id for asked in group}))
        if self.event_exposure is not None:
            at_risk = await _lock_events(conn, sorted({asked.event_id for asked in group}))
        return Rooms(self, open_amounts, at_risk)


class Rooms:
    """What is left of the limits for one group.

    Args:
        limits: that are set.
        open_amounts: what each user of the group has staked on events without a result.
        at_risk: the exposure of each event of the group that may take bets.
    """

    def __init__(
        self, limits: Limits, open_amounts: dict[int, int], at_risk: dict[str, int]
    ) -> None:
        self._limits = limits
        self._open_amounts = open_amounts
        self._at_risk = at_risk
        self._staked: Counter[tuple[int, str]] = Counter()
        self._touched: set[str] = set()

    def known(self, asked: Asked) -> bool:
        """Whether the bet can be judged: its event was there when the rows were locked."""
        return self._limits.event_exposure is None or asked.event_id in self._at_risk

    async def take(
        self, conn: AsyncConnection, group: Sequence[Asked], prices: Mapping[str, int | None]
    ) -> dict[str, LimitExceeded]:
        """Judge the bets that were inserted, in the order of the group, and count those that fit.

        Those that do not are removed again, in the transaction that made them.

        Args:
            conn: the transaction.
            group: the bets, in order.
            prices: the coefficient given to each that was inserted, by its id.

        Returns:
            The refusals, by bet id.
        """
        refused: dict[str, LimitExceeded] = {}
        for asked in group:
            if asked.bet_id in prices:
                refusal = self._judge(asked, prices[asked.bet_id])
                if refusal is not None:
                    refused[asked.bet_id] = refusal
        if refused:
            await _execute(conn, _TAKE_BACK, list(refused))
        await self._count(conn)
        return refused

    def _judge(self, asked: Asked, coefficient: int | None) -> LimitExceeded | None:
        limit, room = self._narrowest(asked, coefficient)
        smallest = self._limits.smallest_amount or 1
        if smallest <= asked.amount <= room:
            self._add(asked, coefficient)
            return None
        return LimitExceeded(
            limit=limit if asked.amount > room else "smallest_amount",
            largest_amount=money.decimal(room if room >= smallest else 0),
        )

    def _narrowest(self, asked: Asked, coefficient: int | None) -> tuple[str, int]:
        """The limit that leaves the least room for the bet, and the largest amount that fits."""
        limits, rooms = self._limits, {"": money.MAX_AMOUNT}
        if limits.largest_amount is not None:
            rooms["largest_amount"] = limits.largest_amount
        if limits.user_open_amount is not None:
            left = limits.user_open_amount - self._open_amounts.get(asked.user_id, 0)
            rooms["user_open_amount"] = max(left, 0)
        if limits.event_exposure is not None and coefficient is not None:
            left = limits.event_exposure - self._at_risk[asked.event_id]
            rooms["event_exposure"] = money.largest_amount(left, coefficient)
        return min(rooms.items(), key=lambda room: room[1])

    def _add(self, asked: Asked, coefficient: int | None) -> None:
        if self._limits.user_open_amount is not None:
            before = self._open_amounts.get(asked.user_id, 0)
            self._open_amounts[asked.user_id] = before + asked.amount
            self._staked[asked.user_id, asked.event_id] += asked.amount
        if self._limits.event_exposure is not None and coefficient is not None:
            gain = money.winnings(asked.amount, coefficient) - asked.amount
            self._at_risk[asked.event_id] += gain
            self._touched.add(asked.event_id)

    async def _count(self, conn: AsyncConnection) -> None:
        if self._staked:
            staked = [
                {"user_id": user_id, "event_id": event_id, "amount": amount}
                for (user_id, event_id), amount in self._staked.items()
            ]
            await conn.execute(_ADD_STAKES, staked)
        if self._touched:
            now = [{"event_id": one, "exposure": self._at_risk[one]} for one in self._touched]
            await conn.execute(_SET_EXPOSURES, now)


async def forget(database: Database, limits: Limits) -> None:
    """Have totals summed anew, since bets may have been taken by processes without the limits.

    Raises:
        Unavailable: the database cannot be written.
    """

    async def act(conn: AsyncConnection) -> None:
        for wanted, table in (
            (limits.user_open_amount, counted_users),
            (limits.event_exposure, exposures),
        ):
            if wanted is not None:
                # In the order in which groups lock them, or the two could wait for each other.
                key = table.primary_key.columns[0]
                await conn.execute(sa.select(key).order_by(key).with_for_update())
                await conn.execute(table.delete())

    await database.attempt(act)


async def _lock_users(conn: AsyncConnection, user_ids: list[int]) -> dict[int, int]:
    locked = await _execute(conn, _LOCK_USERS, user_ids)
    uncounted = [row.user_id for row in locked if not row.counted]
    if uncounted:
        await _execute(conn, _FORGET_STAKES, uncounted)
        await _execute(conn, _SUM_STAKES, uncounted)
    amounts = await _execute(conn, _OPEN_AMOUNTS, user_ids)
    return {row.user_id: row.amount for row in amounts}


async def _lock_events(conn: AsyncConnection, event_ids: list[str]) -> dict[str, int]:
    locked = await _execute(conn, _LOCK_EVENTS, event_ids)
    at_risk = {row.event_id: row.exposure for row in locked}
    unsummed = [event_id for event_id, exposure in at_risk.items() if exposure is None]
    if unsummed:
        summed = await _execute(conn, _SUM_EXPOSURES, unsummed)
        at_risk |= {row.event_id: row.exposure for row in summed}
    return at_risk


async def _execute(
    conn: AsyncConnection, statement: dict[str, sa.TextClause], ids: Sequence[object]
) -> Sequence[sa.Row[Any]]:
    result = await conn.execute(statement[conn.dialect.name], {"ids": json.dumps(ids)})
    return result.all() if result.returns_rows else []
