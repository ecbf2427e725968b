"""The rule in SQL and its Python twin: the same status and payout for every bet."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stakeline import ids, money
from stakeline.bet_maker import bets, history, tables
from stakeline.bet_maker.bets import Bet, bet_status, why
from stakeline.bet_maker.history import Selection
from tests.bet_maker.replica import NOW, Replica, open_replica

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stakeline.contract import EventStatus

STATUSES = st.sampled_from(["NEW", "WIN", "LOSE", "VOID"])
# Few instants, so that many bets are placed at the very microsecond of a closing.
INSTANTS = st.integers(-3, 3).map(lambda step: NOW + step) | st.integers(0, 2 * NOW)
EVENTS = st.lists(st.tuples(STATUSES, INSTANTS), min_size=1, max_size=4)
BETS = st.lists(
    st.tuples(
        st.integers(0, 3),
        INSTANTS,
        st.integers(1, money.MAX_AMOUNT),
        st.none() | st.integers(1, money.MAX_COEFFICIENT),
    ),
    max_size=30,
)
EDGES = [(n, NOW + step, 1050, 195) for n in range(4) for step in (-1, 0, 1)]


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Replica]]:
    """A replica, and the event loop it lives on."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        data_dir = tmp_path_factory.mktemp("status")
        opened = runner.run(stack.enter_async_context(open_replica(data_dir)))
        yield runner, opened
        runner.run(stack.aclose())


async def stored(replica: Replica, events: list[Any], placed: list[Any]) -> list[str]:
    """Put these events and bets into an empty database; the bets' ids."""
    event_rows: list[dict[str, Any]] = [
        {
            "event_id": f"{n}",
            "status": status,
            "closed_at": closed_at,
            "version": 1,
            "created_at": NOW,
            "updated_at": NOW,
            "epoch": "log",
        }
        for n, (status, closed_at) in enumerate(events)
    ]
    bet_rows: list[dict[str, Any]] = [
        {
            "bet_id": ids.new_bet_id(placed_at),
            "user_id": 1,
            "event_id": f"{n % len(events)}",
            "amount": amount,
            "coefficient": coefficient,
            "accept": "any",
            "placed_at": placed_at,
            "event_version": 1,
            "feed_seq": 0,
            "snapshot": 1,
            "fix_at": placed_at,
        }
        for n, placed_at, amount, coefficient in placed
    ]
    async with replica.database.write() as conn:
        await conn.execute(sa.delete(tables.bets))
        await conn.execute(sa.delete(tables.events))
        await conn.execute(tables.events.insert(), event_rows)
        if bet_rows:
            await conn.execute(tables.bets.insert(), bet_rows)
    return [row["bet_id"] for row in bet_rows]


async def every(replica: Replica) -> dict[str, Bet]:
    """The bets as SQL sees them."""
    async with replica.database.read() as conn:
        rows = (await conn.execute(bets.SHOWN)).mappings()
        return {row["bet_id"]: bets.shown(row) for row in rows}


async def of_status(replica: Replica, status: bets.BetStatus) -> list[str]:
    """The ids of the bets that the history lists under a status."""
    async with replica.database.read() as conn:
        found, _ = await history.page(conn, Selection(1, status), None, 1000)
    return [bet.bet_id for bet in found]


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
    replica: tuple[asyncio.Runner, Replica], events: list[Any], placed: list[Any]
) -> None:
    """Status, payout, reason and the history's filter follow one rule."""
    runner, opened = replica
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
