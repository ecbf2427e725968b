"""Bets of any kind on events of any kind, drawn by hypothesis and put straight into a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from hypothesis import strategies as st

from stakeline import ids, money
from stakeline.bet_maker import tables
from tests.bet_maker.replica import NOW

if TYPE_CHECKING:
    from tests.bet_maker.replica import Replica

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
    async with replica.database.write(within_s=None) as conn:
        await conn.execute(sa.delete(tables.bets))
        await conn.execute(sa.delete(tables.events))
        await conn.execute(tables.events.insert(), event_rows)
        if bet_rows:
            await conn.execute(tables.bets.insert(), bet_rows)
    return [row["bet_id"] for row in bet_rows]
