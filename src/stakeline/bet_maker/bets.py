"""Bets: how one is accepted, and what has become of it.

A bet's status is not stored: it follows from the bet and its event, by one rule, in SQL (`STATUS`)
and in Python (`bet_status`). Settling, correcting or voiding an event changes the event's row only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from stakeline import clock, errors, money
from stakeline.bet_maker.tables import bets, cursor, events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.contract import EventStatus
    from stakeline.errors import Problem

Accept = Literal["exact", "better", "any"]
BetStatus = Literal["PENDING", "WON", "LOST", "VOID"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a bet was placed, told by line-provider's clock, in microseconds.

    Attributes:
        placed_at: the latest that it can have been.
        fix_at: line-provider's time in the answer from which that was reckoned.
        fresh: whether the line had been heard recently enough to take the bet.
    """

    placed_at: int
    fix_at: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A bet that a user asked for; amount in cents, coefficient in hundredths."""

    bet_id: str
    user_id: int
    key: str | None
    event_id: str
    amount: int
    asked_coefficient: int | None
    accept: Accept
    stamp: Stamp

    def same_body(self, bet: sa.Row[Any]) -> bool:
        """Whether the stored bet came of the same request."""
        return (self.event_id, self.amount, self.asked_coefficient, self.accept) == (
            bet.event_id,
            bet.amount,
            bet.asked_coefficient,
            bet.accept,
        )


@dataclass(frozen=True, slots=True)
class Bet:
    """A bet as its user sees it; money in cents, the coefficient in hundredths."""

    bet_id: str
    event_id: str
    amount: int
    coefficient: int | None
    status: BetStatus
    placed_at: int
    event_version: int
    replayed: bool = False

    @property
    def potential_payout(self) -> int | None:
        """What it returns if it wins; None where no coefficient is known."""
        return None if self.coefficient is None else money.winnings(self.amount, self.coefficient)

    @property
    def payout(self) -> int | None:
        """What it returned; None while pending, and where no coefficient is known."""
        if self.coefficient is None:
            return None
        won = self.potential_payout
        return {"PENDING": None, "WON": won, "LOST": 0, "VOID": self.amount}[self.status]


def bet_status(placed_at: int, event_status: EventStatus, closed_at: int) -> BetStatus:
    """The rule: a bet stands iff it was placed before betting closed; one that does not is void."""
    if placed_at >= closed_at:
        return "VOID"
    outcomes: dict[str, BetStatus] = {"NEW": "PENDING", "WIN": "WON", "LOSE": "LOST"}
    return outcomes.get(event_status, "VOID")


def why(bet: Bet, event_status: EventStatus, closed_at: int) -> str:
    """One sentence on why the bet stands as it does."""
    placed, closed = clock.text(bet.placed_at), clock.text(closed_at)
    if bet.placed_at >= closed_at:
        return f"void: placed at {placed}, not before betting closed at {closed}"
    if event_status == "NEW":
        return f"pending: placed at {placed}, and the event has no result in force"
    if event_status == "VOID":
        return "void: the event was called off"
    outcome = "won" if event_status == "WIN" else "lost"
    return (
        f"{outcome}: placed at {placed}, before betting closed at {closed}, result {event_status}"
    )


STATUS = sa.case(
    (bets.c.placed_at >= events.c.closed_at, "VOID"),
    (events.c.status == "NEW", "PENDING"),
    (events.c.status == "WIN", "WON"),
    (events.c.status == "LOSE", "LOST"),
    else_="VOID",
).label("status")
"""`bet_status` in SQL, over bets joined to events."""

SHOWN = sa.select(
    bets.c.bet_id,
    bets.c.event_id,
    bets.c.amount,
    bets.c.coefficient,
    STATUS,
    bets.c.placed_at,
    bets.c.event_version,
).join(events, events.c.event_id == bets.c.event_id)

# The group travels as one JSON parameter, so the statement is prepared once for any size of group.
_GROUP = """
WITH asked AS (
    SELECT json_extract(value, '$[0]') AS bet_id, json_extract(value, '$[1]') AS user_id,
           json_extract(value, '$[2]') AS key, json_extract(value, '$[3]') AS event_id,
           json_extract(value, '$[4]') AS amount, json_extract(value, '$[5]') AS asked_coefficient,
           json_extract(value, '$[6]') AS accept, json_extract(value, '$[7]') AS placed_at,
           json_extract(value, '$[8]') AS fix_at, json_each.key AS n
    FROM json_each(:asked))
"""

_NAME_EVENTS = sa.text(f"""{_GROUP}
INSERT INTO events (event_id, status, closed_at, version, created_at, updated_at, epoch)
SELECT event_id, 'NEW', {clock.LATEST}, 0, min(placed_at), min(placed_at), 'standalone' FROM asked
WHERE NOT EXISTS (SELECT 1 FROM bets WHERE bets.user_id = asked.user_id AND bets.key = asked.key)
GROUP BY event_id ON CONFLICT DO NOTHING
""")  # noqa: S608 - a constant

_ACCEPT = sa.text(f"""{_GROUP}
INSERT INTO bets (bet_id, user_id, key, event_id, amount, coefficient, asked_coefficient, accept,
                  placed_at, event_version, feed_seq, fix_at)
SELECT asked.bet_id, asked.user_id, asked.key, asked.event_id, asked.amount, events.coefficient,
       asked.asked_coefficient, asked.accept, asked.placed_at, events.version, cursor.seq,
       asked.fix_at
FROM asked
JOIN events ON events.event_id = asked.event_id
JOIN cursor ON cursor.epoch = events.epoch
WHERE events.status = 'NEW'
  AND asked.placed_at < events.closed_at
  AND (asked.accept = 'any' OR events.coefficient = asked.asked_coefficient
       OR asked.accept = 'better' AND events.coefficient > asked.asked_coefficient)
ORDER BY asked.user_id, asked.key, asked.n
ON CONFLICT DO NOTHING
RETURNING bet_id, coefficient, event_version
""")  # noqa: S608 - a constant


async def accept(
    conn: AsyncConnection, group: Sequence[Asked], *, standalone: bool
) -> list[Bet | Problem]:
    """Accept the bets of a group that can be, in one statement; each one's own answer, in order.

    A key that was used before answers with its bet (`replayed`) or refuses, whatever the state of
    the feed; so does the later one of two equal keys in the group.
    """
    fresh = [asked for asked in group if asked.stamp.fresh]
    accepted: dict[str, sa.Row[Any]] = {}
    if fresh:
        values = {"asked": json.dumps([_as_parameter(asked) for asked in fresh])}
        if standalone:
            await conn.execute(_NAME_EVENTS, values)
        accepted = {row.bet_id: row for row in await conn.execute(_ACCEPT, values)}
    left = [asked for asked in group if asked.bet_id not in accepted]
    reasons = await _Reasons.look_up(conn, left) if left else None
    return [
        reasons.of(asked)
        if reasons is not None and asked.bet_id not in accepted
        else _as_bet(asked, accepted[asked.bet_id])
        for asked in group
    ]


async def find(conn: AsyncConnection, user_id: int, bet_id: str) -> tuple[Bet, dict[str, Any]]:
    """The user's bet, and its receipt's columns with those of its event.

    Raises:
        BetNotFound: the user has no bet with this id.
    """
    query = SHOWN.add_columns(
        bets.c.asked_coefficient,
        bets.c.accept,
        bets.c.feed_seq,
        bets.c.fix_at,
        events.c.status.label("event_status"),
        events.c.closed_at,
    ).where(bets.c.user_id == user_id, bets.c.bet_id == bet_id)
    row = (await conn.execute(query)).mappings().one_or_none()
    if row is None:
        raise errors.BetNotFound
    return shown(row), dict(row)


class _Reasons:
    """Why bets were not accepted.

    Looked up in statements of their own, after the one that accepts: that one could not see what a
    rival had committed meanwhile.
    """

    def __init__(self, by_key: dict[tuple[int, str], Any], by_event: dict[str, Any]) -> None:
        self._by_key = by_key
        self._by_event = by_event

    @classmethod
    async def look_up(cls, conn: AsyncConnection, left: Sequence[Asked]) -> _Reasons:
        keys = [(asked.user_id, asked.key) for asked in left if asked.key is not None]
        by_key: dict[tuple[int, str], Any] = {}
        if keys:
            query = SHOWN.add_columns(
                bets.c.user_id, bets.c.key, bets.c.asked_coefficient, bets.c.accept
            ).where(sa.tuple_(bets.c.user_id, bets.c.key).in_(keys))
            by_key = {(row.user_id, row.key): row for row in await conn.execute(query)}
        query = (
            sa.select(events, (cursor.c.epoch == events.c.epoch).label("vouched"))
            .select_from(events.join(cursor, sa.true()))
            .where(events.c.event_id.in_({asked.event_id for asked in left}))
        )
        return cls(by_key, {row.event_id: row for row in await conn.execute(query)})

    def of(self, asked: Asked) -> Bet | Problem:
        bet = None if asked.key is None else self._by_key.get((asked.user_id, asked.key))
        if bet is not None:
            if not asked.same_body(bet):
                return errors.IdempotencyKeyReused()
            return shown(bet._mapping, replayed=True)  # noqa: SLF001 - SQLAlchemy's public name
        if not asked.stamp.fresh:
            return errors.FeedStale()
        event = self._by_event.get(asked.event_id)
        if event is None:
            return errors.EventNotFound()
        if not event.vouched or event.status != "NEW" or asked.stamp.placed_at >= event.closed_at:
            return errors.BettingClosed()
        return errors.PriceChanged(coefficient=money.decimal(event.coefficient))


def _as_parameter(asked: Asked) -> list[object]:
    return [
        asked.bet_id,
        asked.user_id,
        asked.key,
        asked.event_id,
        asked.amount,
        asked.asked_coefficient,
        asked.accept,
        asked.stamp.placed_at,
        asked.stamp.fix_at,
    ]


def _as_bet(asked: Asked, row: sa.Row[Any]) -> Bet:
    return Bet(
        bet_id=asked.bet_id,
        event_id=asked.event_id,
        amount=asked.amount,
        coefficient=row.coefficient,
        status="PENDING",
        placed_at=asked.stamp.placed_at,
        event_version=row.event_version,
    )


def shown(row: Any, *, replayed: bool = False) -> Bet:  # noqa: ANN401 - any mapping of columns
    """The bet in a row of `SHOWN`."""
    return Bet(
        bet_id=row["bet_id"],
        event_id=row["event_id"],
        amount=row["amount"],
        coefficient=row["coefficient"],
        status=row["status"],
        placed_at=row["placed_at"],
        event_version=row["event_version"],
        replayed=replayed,
    )
