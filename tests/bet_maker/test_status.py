"""The rule in SQL and its Python twin: the same status and payout for every bet."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings

from stakeline import money
from stakeline.bet_maker import bets
from stakeline.bet_maker.bets import Bet, bet_status, why
from stakeline.bet_maker.history import Selection
from tests.bet_maker.drawn import BETS, EVENTS, stored
from tests.bet_maker.replica import NOW

if TYPE_CHECKING:
    import asyncio

    from stakeline.contract import EventStatus
    from tests.bet_maker.replica import Replica

EDGES = [(n, NOW + step, 1050, 195) for n in range(4) for step in (-1, 0, 1)]


async def every(replica: Replica) -> dict[str, Bet]:
    """The bets as SQL sees them."""
    async with replica.database.read() as conn:
        rows = (await conn.execute(bets.SHOWN)).mappings()
        return {row["bet_id"]: bets.shown(row) for row in rows}


async def of_status(replica: Replica, status: bets.BetStatus) -> list[str]:
    """The ids of the bets that the history lists under a status."""
    found, _ = await replica.page(Selection(1, status))
    return found


def payout(status: str, amount: int, coefficient: int | None) -> Decimal | None:
    """What a bet returns, by the glossary's words."""
    if status == "PENDING" or coefficient is None:
        return None
    if status == "WON":
        exact = Decimal(amount) / 100 * Decimal(coefficient) / 100
        return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return Decimal(amount) / 100 if status == "VOID" else Decimal(0)


@given(EVENTS, BETS)
@example([(status, NOW) for status in ("NEW", "WIN", "LOSE", "VOID")], EDGES)
@settings(deadline=None, max_examples=60)
def test_sql_and_python_agree_on_every_bet(
    lasting: tuple[asyncio.Runner, Replica], events: list[Any], placed: list[Any]
) -> None:
    """Status, payout, reason and the history's filter follow one rule."""
    runner, opened = lasting
    ids_ = runner.run(stored(opened, events, placed))
    shown = runner.run(every(opened))
    assert shown.keys() == {*ids_}
    by_status: dict[str, set[str]] = {}
    for bet_id, (n, placed_at, amount, coefficient) in zip(ids_, placed, strict=True):
        event_status, closed_at = events[n % len(events)]
        bet, status = shown[bet_id], bet_status(placed_at, event_status, closed_at)
        assert bet.status == status
        paid = None if bet.payout is None else money.decimal(bet.payout)
        assert paid == payout(status, amount, coefficient)
        assert why(bet, event_status, closed_at).startswith(f"{status.lower()}: ")
        by_status.setdefault(status, set()).add(bet_id)
    statuses: tuple[bets.BetStatus, ...] = ("PENDING", "WON", "LOST", "VOID")
    for each in statuses:
        assert {*runner.run(of_status(opened, each))} == by_status.get(each, set())


@pytest.mark.parametrize(
    ("placed_at", "event_status", "status"),
    [
        (NOW - 1, "NEW", "PENDING"),
        (NOW - 1, "WIN", "WON"),
        (NOW - 1, "LOSE", "LOST"),
        (NOW - 1, "VOID", "VOID"),
        *((NOW, event_status, "VOID") for event_status in ("NEW", "WIN", "LOSE", "VOID")),
        *((NOW + 1, event_status, "VOID") for event_status in ("NEW", "WIN", "LOSE", "VOID")),
    ],
)
def test_a_bet_stands_iff_it_was_placed_before_the_closing(
    placed_at: int,
    event_status: EventStatus,
    status: str,
) -> None:
    """At the closing instant itself it is too late."""
    assert bet_status(placed_at, event_status, NOW) == status
