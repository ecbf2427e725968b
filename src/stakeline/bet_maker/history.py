"""The history of bets: pages, newest first, of a selection of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import ids
from stakeline.bet_maker.bets import SHOWN, Bet, BetStatus, shown
from stakeline.bet_maker.tables import bets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

SCANNED = 1000
"""How many bets a page reads at the most: a rare status cannot make a request slow."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which bets: None where anything goes; `placed_from` is inside, `placed_to` outside."""

    user_id: int | None
    status: BetStatus | None = None
    event_id: str | None = None
    placed_from: int | None = None
    placed_to: int | None = None


async def page(
    conn: AsyncConnection, chosen: Selection, before: str | None, limit: int
) -> tuple[Sequence[Bet], str | None]:
    """Up to `limit` bets placed before the bet `before`, newest first, and where to go on.

    A page may be short, even empty, though there are more: statuses are derived, so those that do
    not match are read and passed over, `SCANNED` at the most.
    """
    most = limit + 1 if chosen.status is None else max(limit + 1, SCANNED)
    read = _read(chosen, before, most).cte("read")
    oldest = sa.select(read.c.bet_id).order_by(read.c.bet_id).limit(1).scalar_subquery()
    count = sa.select(sa.func.count()).select_from(read).scalar_subquery()
    matches = sa.true() if chosen.status is None else read.c.status == chosen.status
    query = (
        sa.select(read, count.label("scanned"))
        .where(sa.or_(matches, read.c.bet_id == oldest))  # the oldest one says where to go on
        .order_by(read.c.bet_id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).mappings().all()
    found = [shown(row) for row in rows if chosen.status in {None, row["status"]}][:limit]
    if len(found) == limit and len(rows) > limit:
        return found, found[-1].bet_id
    return found, rows[-1]["bet_id"] if rows and rows[-1]["scanned"] == most else None


def _read(chosen: Selection, before: str | None, most: int) -> sa.Select[Any]:
    conditions: list[sa.ColumnElement[bool]] = []
    if chosen.user_id is not None:
        conditions.append(bets.c.user_id == chosen.user_id)
    if chosen.event_id is not None:
        conditions.append(bets.c.event_id == chosen.event_id)
    if chosen.placed_from is not None:
        conditions.append(bets.c.bet_id >= ids.first_bet_id(chosen.placed_from))
    if chosen.placed_to is not None:
        conditions.append(bets.c.bet_id < ids.first_bet_id(chosen.placed_to))
    if before is not None:
        conditions.append(bets.c.bet_id < before)
    return SHOWN.where(*conditions).order_by(bets.c.bet_id.desc()).limit(most)
