"""Bets: what one is, and what has become of it.

A bet's status is not stored: it follows from the bet and its event, by one rule, in SQL (`STATUS`)
and in Python (`bet_status`). Settling, correcting or voiding an event changes the event's row only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa

from stakeline import clock, errors, money
from stakeline.bet_maker.tables import bets, events
from stakeline.db import BigInt, Identifier

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.contract import EventStatus

Accept = Literal["exact", "better", "any"]
BetStatus = Literal["PENDING", "WON", "LOST", "VOID"]


# These are made for every bet: as a Struct in a third of a dataclass's time.
class Stamp(msgspec.Struct):
    """When a bet was placed, told by line-provider's clock, in microseconds.

    Attributes:
        epoch: the log from which the time was told; it serves for bets on that line only.
        placed_at: the latest that it can have been.
        fix_at: line-provider's time in the answer from which that was reckoned.
        fresh: whether the line had been heard recently enough to take the bet.
    """

    epoch: str
    placed_at: int
    fix_at: int
    fresh: bool


class Asked(msgspec.Struct):
    """A bet that a user asked for; amount in cents, coefficient in hundredths; and its stamp.

    `token_version` is that of the token by which they are known: another one now revokes it.
    """

    bet_id: str
    user_id: int
    key: str | None
    event_id: str
    amount: int
    asked_coefficient: int | None
    accept: Accept
    epoch: str
    placed_at: int
    fix_at: int
    fresh: bool
    token_version: int = 0

    def takes(self, coefficient: int | None) -> bool:
        """Whether the price is one that the user asked for."""
        if self.accept == "any" or coefficient is None or self.asked_coefficient is None:
            return self.accept == "any"
        better = self.accept == "better" and coefficient > self.asked_coefficient
        return better or coefficient == self.asked_coefficient

    def same_body(self, bet: sa.Row[Any]) -> bool:
        """Whether the stored bet came of the same request."""
        return (self.event_id, self.amount, self.asked_coefficient, self.accept) == (
            bet.event_id,
            bet.amount,
            bet.asked_coefficient,
            bet.accept,
        )


class Bet(msgspec.Struct):
    """A bet as its user sees it; money in cents, the coefficient in hundredths."""

    bet_id: str
    event_id: str
    amount: int
    coefficient: int | None
    status: BetStatus
    placed_at: int
    event_version: int
    replayed: bool = False
    user_id: int = 0

    @property
    def potential_payout(self) -> int | None:
        """What it returns if it wins; None where no coefficient is known."""
        return None if self.coefficient is None else money.winnings(self.amount, self.coefficient)

    @property
    def payout(self) -> int | None:
        """What it returned; None while pending, and where no coefficient is known."""
        if self.coefficient is None:
            return None
        if self.status == "PENDING":
            return None
        return {"WON": self.potential_payout, "LOST": 0, "VOID": self.amount}[self.status]


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

POTENTIAL_PAYOUT = (bets.c.amount * bets.c.coefficient + 50) // 100
"""`Bet.potential_payout` in SQL; null where no coefficient is known."""

RETURNED = sa.case(
    (bets.c.coefficient.is_(None), None),
    (STATUS == "WON", POTENTIAL_PAYOUT),
    (STATUS == "VOID", bets.c.amount),
    else_=0,
)
"""`Bet.payout` in SQL, but 0 while pending."""

SHOWN = sa.select(
    bets.c.bet_id,
    bets.c.event_id,
    bets.c.amount,
    bets.c.coefficient,
    STATUS,
    bets.c.placed_at,
    bets.c.event_version,
    bets.c.user_id,
).join(events, events.c.event_id == bets.c.event_id)


def with_keys(query: sa.Select[Any], keys: Collection[tuple[int, str | None]]) -> sa.Select[Any]:
    """Only those bets of the query that have one of these (user_id, key).

    By a join: for a list of pairs after IN, SQLite goes through all bets there are.
    """
    columns = sa.column("user_id", BigInt), sa.column("key", Identifier)
    asked = sa.values(*columns, name="asked").data(list(keys)).cte("asked")
    return query.join(asked, sa.and_(bets.c.user_id == asked.c.user_id, bets.c.key == asked.c.key))


async def find(
    conn: AsyncConnection, user_id: int | None, bet_id: str
) -> tuple[Bet, dict[str, Any]]:
    """The user's bet, and its receipt's columns with those of its event; None: anybody's.

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
    ).where(bets.c.bet_id == bet_id)
    if user_id is not None:
        query = query.where(bets.c.user_id == user_id)
    row = (await conn.execute(query)).mappings().one_or_none()
    if row is None:
        raise errors.BetNotFound
    return shown(row), dict(row)


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
        user_id=row["user_id"],
    )
