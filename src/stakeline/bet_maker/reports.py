"""What the operator reads: what the house stands to lose now, and what each day's bets came to.

Both are summed from the bets and their events whenever they are asked for, by the rule of a bet's
status: a result, a correction or a moved deadline is in the next answer. Money is in cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import clock, ids
from stakeline.bet_maker.bets import POTENTIAL_PAYOUT, RETURNED, STATUS
from stakeline.bet_maker.tables import bets, events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

SCANNED = 20_000
"""How many bets a page of the report sums at the most, unless a single day has more."""
DAY_US = 86_400 * clock.US_PER_S

Place = tuple[int, str]
"""Where a page ended: at an exposure, or on a day; and after which event there."""

# SQLite's sum() fails above 2**63, which 10,000 of the largest payouts exceed: so they are summed
# in two parts, each of which is small.
_PART = 10**9
_MOST_RANK = 4 * 10**18


@dataclass(frozen=True, slots=True)
class Exposure:
    """An event's pending bets; `potential_payout` is None where no coefficient is known."""

    event_id: str
    name: str | None
    coefficient: int | None
    bets: int
    staked: int
    potential_payout: int | None

    @property
    def exposure(self) -> int | None:
        """What the house loses if all of them win, in cents; below 0 where it cannot lose."""
        return None if self.potential_payout is None else self.potential_payout - self.staked


@dataclass(frozen=True, slots=True)
class Entry:
    """What a day's bets on an event came to; `returned` is None where no coefficient is known.

    Attributes:
        day: of `placed_at`, in UTC, counted from 1970-01-01.
        event_id: the event's id.
        name: and its name.
        bets: how many were placed.
        staked: their amounts together.
        pending: how many of them are pending.
        pending_staked: the amounts of these.
        returned: the payouts of the others; a void bet returns its amount.
    """

    day: int
    event_id: str
    name: str | None
    bets: int
    staked: int
    pending: int
    pending_staked: int
    returned: int | None

    @property
    def margin(self) -> int | None:
        """What the house has kept of what is settled, in cents; below 0 where it has lost."""
        return None if self.returned is None else self.staked - self.pending_staked - self.returned


def _parts(amount: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """A sum that may be larger than 64 bits, in two columns for `_whole`."""
    return sa.func.sum(amount // _PART), sa.func.sum(amount % _PART)


def _whole(many: Any, rest: Any) -> int | None:  # noqa: ANN401 - what the database sums to
    return None if many is None else int(many) * _PART + int(rest)


_MANY, _REST = _parts(POTENTIAL_PAYOUT)
_STAKED = sa.func.sum(bets.c.amount)
_EXPOSED = (
    sa.select(
        events.c.event_id,
        events.c.name,
        events.c.coefficient,
        sa.func.count().label("bets"),
        _STAKED.label("staked"),
        _MANY.label("many"),
        _REST.label("rest"),
        sa.case(
            (_MANY >= _MOST_RANK // _PART, sa.literal_column(str(_MOST_RANK), sa.BigInteger)),
            else_=sa.func.coalesce(_MANY * _PART + _REST - _STAKED, _STAKED),
        ).label("rank"),
    )
    .join_from(events, bets, bets.c.event_id == events.c.event_id)
    # The first one follows from the second; written out, it leads to the index of open events.
    .where(sa.text("events.status = 'NEW'"), STATUS == "PENDING")
    .group_by(events.c.closed_at, events.c.event_id)  # in the order of that index
    .subquery("exposed")
)


async def exposures(
    conn: AsyncConnection, after: Place | None, limit: int
) -> tuple[Sequence[Exposure], Place | None]:
    """Up to `limit` events with pending bets, the largest exposure first, and where to go on.

    Where no coefficient is known, the most staked is first. An event whose exposure changes between
    two pages may be on both, or on none.
    """
    query = sa.select(_EXPOSED).order_by(_EXPOSED.c.rank.desc(), _EXPOSED.c.event_id)
    if after is not None:
        rank, event_id = after
        is_rank = _EXPOSED.c.rank == rank
        query = query.where(
            sa.or_(_EXPOSED.c.rank < rank, is_rank & (_EXPOSED.c.event_id > event_id))
        )
    rows = (await conn.execute(query.limit(limit + 1))).all()
    found = [
        Exposure(
            row.event_id,
            row.name,
            row.coefficient,
            row.bets,
            int(row.staked),
            _whole(row.many, row.rest),
        )
        for row in rows[:limit]
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    return found, None if last is None else (int(last.rank), last.event_id)


_DAY = (bets.c.placed_at // DAY_US).label("day")
_PENDING = STATUS == "PENDING"
_PAID_MANY, _PAID_REST = _parts(RETURNED)
_ENTRIES = (
    sa.select(
        _DAY,
        events.c.event_id,
        events.c.name,
        sa.func.count().label("bets"),
        _STAKED.label("staked"),
        sa.func.sum(sa.case((_PENDING, 1), else_=0)).label("pending"),
        sa.func.sum(sa.case((_PENDING, bets.c.amount), else_=0)).label("pending_staked"),
        _PAID_MANY.label("many"),
        _PAID_REST.label("rest"),
    )
    .join_from(bets, events, bets.c.event_id == events.c.event_id)
    .group_by(_DAY, events.c.event_id)
    .order_by(_DAY.desc(), events.c.event_id)
)


async def report(
    conn: AsyncConnection,
    placed_from: int | None,
    placed_to: int | None,
    after: Place | None,
    limit: int,
) -> tuple[Sequence[Entry], Place | None]:
    """Up to `limit` entries of the bets of a time, the newest day first, and where to go on.

    A page sums whole days, and as many as have `SCANNED` bets: it may be short, though there is
    more.

    Args:
        conn: a connection.
        placed_from: the first instant, in microseconds; None: any.
        placed_to: the one after the last; None: any.
        after: where the page before ended.
        limit: how many entries.
    """
    day, event_id = after or (clock.LATEST // DAY_US, "")
    start = placed_from or 0
    end = min(placed_to or clock.LATEST, (max(day, 0) + 1) * DAY_US)
    first_day = await _first_day(conn, start, end)
    if first_day is None:
        return [], None
    query = _ENTRIES.where(*_between(max(start, first_day * DAY_US), end)).limit(limit + 1)
    if event_id:
        query = query.where(sa.or_(day > _DAY, events.c.event_id > event_id))
    found = [
        Entry(
            row.day,
            row.event_id,
            row.name,
            row.bets,
            int(row.staked),
            int(row.pending),
            int(row.pending_staked),
            _whole(row.many, row.rest),
        )
        for row in await conn.execute(query)
    ]
    if len(found) > limit:
        return found[:limit], (found[limit - 1].day, found[limit - 1].event_id)
    return found, None if first_day * DAY_US <= start else (first_day - 1, "")


async def _first_day(conn: AsyncConnection, start: int, end: int) -> int | None:
    """The day down to which the newest bets of a time can be summed at once; None: it has none."""
    newest_first = sa.select(bets.c.bet_id).where(*_between(start, end)).limit(1)
    newest_first = newest_first.order_by(bets.c.bet_id.desc())
    newest, beyond = (
        await conn.execute(
            sa.select(
                newest_first.scalar_subquery(), newest_first.offset(SCANNED).scalar_subquery()
            )
        )
    ).one()
    if newest is None:
        return None
    if beyond is None:
        return start // DAY_US
    return min(ids.placed_ms(newest) * 1000, ids.placed_ms(beyond) * 1000 + DAY_US) // DAY_US


def _between(start: int, end: int) -> tuple[sa.ColumnElement[bool], ...]:
    return bets.c.bet_id >= ids.first_bet_id(start), bets.c.bet_id < ids.first_bet_id(end)
