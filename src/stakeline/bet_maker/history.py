"""The history of bets: pages, newest first, of a selection of any size, each bet as its JSON.

The database writes the JSON (`written_bets`), and none of it holds up the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import ids
from stakeline.bet_maker import written_bets
from stakeline.bet_maker.bets import POTENTIAL_PAYOUT, STATUS, BetStatus
from stakeline.db import BigInt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

SCANNED = 1000
"""How many bets a page reads at the most: a rare status cannot make a request slow."""
_PASSED_OVER = ""
_BEYOND = "~"
"""After all ids of bets."""
_ALL = 10**9
_SPAN = "bets.bet_id >= :low AND bets.bet_id < :high"
_JOINED = {
    "sqlite": "group_concat(shown, char(10))",
    "postgresql": "string_agg(shown, chr(10))",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which bets: None where anything goes; `placed_from` is inside, `placed_to` outside."""

    user_id: int | None
    status: BetStatus | None = None
    event_id: str | None = None
    placed_from: int | None = None
    placed_to: int | None = None


async def page(
    conn: AsyncConnection,
    before: str | None,
    limit: int,
    *,
    chosen: Selection,
    with_users: bool = False,
) -> tuple[Sequence[str], str | None]:
    """The JSON of up to `limit` bets placed before the bet `before`, and where to go on.

    The newest is first. A page may be short, even empty, though there are more: statuses are
    derived, so those that do not match are read and passed over, `SCANNED` at the most.

    Args:
        conn: a connection.
        before: where the page before ended.
        limit: how many.
        chosen: which bets.
        with_users: whether each bet says whose it is, as operators see it.
    """
    most = limit + 1 if chosen.status is None else max(limit + 1, SCANNED)
    given = _given(chosen, before)
    statement = _page(conn.dialect.name, frozenset(given), most, with_users=with_users)
    rows = (await conn.execute(statement, given)).all()
    found: list[str] = []
    last = None
    for bet_id, shown in rows:
        if shown == _PASSED_OVER:
            continue
        if len(found) == limit:
            return found, last
        found.append(shown)
        last = bet_id
    return found, rows[-1].bet_id if len(rows) == most else None


async def end_of_part(
    conn: AsyncConnection, before: str | None, size: int, *, chosen: Selection
) -> str | None:
    """The last of the next `size` bets of a selection, of any status; None: there are fewer."""
    given = _given(chosen, before)
    end: str | None = await conn.scalar(_end(frozenset(given), size), given)
    return end


async def part(
    conn: AsyncConnection,
    before: str | None,
    end: str | None,
    *,
    chosen: Selection,
    with_users: bool = False,
) -> str:
    """The JSON of all bets of a selection from the bet `end` on, a line each, the newest first.

    Args:
        conn: a connection.
        before: they were placed before this one.
        end: the last one that they may be; None: all that there are.
        chosen: which bets.
        with_users: whether each bet says whose it is, as operators see it.

    Raises:
        ValueError: one of them cannot be written.
    """
    given = _given(chosen, before) | ({} if end is None else {"low": end})
    statement = _part(conn.dialect.name, frozenset(given), with_users=with_users)
    row = (await conn.execute(statement, given)).one()
    if row.unwritten:
        raise ValueError("a bet that no release can have written")
    return row.lines or ""


def _given(chosen: Selection, before: str | None) -> dict[str, Any]:
    """The parameters of a statement on a selection."""
    low = "" if chosen.placed_from is None else ids.first_bet_id(chosen.placed_from)
    high = _BEYOND if chosen.placed_to is None else ids.first_bet_id(chosen.placed_to)
    values = {
        "user_id": chosen.user_id,
        "event_id": chosen.event_id,
        "status": chosen.status,
        "low": low,
        "high": high if before is None else min(high, before),
    }
    return {name: value for name, value in values.items() if value is not None}


@lru_cache(maxsize=256)
def _page(dialect: str, given: frozenset[str], most: int, *, with_users: bool) -> sa.TextClause:
    """The newest `most` bets of a selection: their ids and their JSON, or `_PASSED_OVER`.

    The number is in the text, so that it is planned for.
    """
    line = written_bets.line(dialect, with_users=with_users)
    if "status" in given:
        line = f"CASE WHEN status = :status THEN {line} ELSE '{_PASSED_OVER}' END"
    return _statement(
        given,
        f"SELECT bet_id, {line} AS shown FROM ({_bets(given, most)}) AS bet ORDER BY bet_id DESC",  # noqa: S608 - constants, and parameters
    )


@lru_cache(maxsize=256)
def _part(dialect: str, given: frozenset[str], *, with_users: bool) -> sa.TextClause:
    """All bets of a selection: their JSON as one text, and how many cannot be written.

    Without their limits the planner would join the selects into one, which writes each bet twice.
    """
    within = "WHERE status = :status" if "status" in given else ""
    return _statement(
        given,
        f"""
SELECT {_JOINED[dialect]} AS lines, count(*) - count(shown) AS unwritten
FROM (SELECT {written_bets.line(dialect, with_users=with_users)} AS shown
      FROM ({_bets(given, _ALL)}) AS bet {within} ORDER BY bet_id DESC LIMIT {_ALL}) AS written
""",  # noqa: S608 - constants, and parameters
    )


@lru_cache(maxsize=256)
def _end(given: frozenset[str], size: int) -> sa.TextClause:
    within, order = _place(given)
    return _statement(
        given,
        f"SELECT bet_id FROM bets WHERE {within} ORDER BY {order} LIMIT 1 OFFSET {size - 1}",  # noqa: S608 - constants, and parameters
    )


def _statement(given: frozenset[str], text: str) -> sa.TextClause:
    statement = sa.text(text)
    if "user_id" in given:
        return statement.bindparams(sa.bindparam("user_id", type_=BigInt))
    return statement


def _bets(given: frozenset[str], most: int) -> str:
    """The SQL of the newest `most` bets of a selection, with what their JSON is made of."""
    within, order = _place(given)
    return f"""
SELECT bets.bet_id, bets.event_id, bets.amount, bets.coefficient,
       {_sql(POTENTIAL_PAYOUT)} AS potential_payout, {_sql(STATUS.element)} AS status,
       bets.placed_at, bets.event_version, bets.user_id
FROM bets JOIN events ON events.event_id = bets.event_id
WHERE {within} ORDER BY {order} LIMIT {most}
"""  # noqa: S608 - constants, and parameters


def _place(given: frozenset[str]) -> tuple[str, str]:
    """The SQL of which bets a selection has, but for their status, and of their order.

    Of one user, or one event, they are read as a range of the index that has just these: without
    that, PostgreSQL may go through everybody's bets, to find one user's among them in order.
    """
    match [name for name in ("user_id", "event_id") if name in given]:
        case [column]:
            place = f"(bets.{column}, bets.bet_id)"
            within = f"{place} >= (:{column}, :low) AND {place} < (:{column}, :high)"
            return within, f"bets.{column} DESC, bets.bet_id DESC"
        case columns:
            within = " AND ".join([f"bets.{column} = :{column}" for column in columns] + [_SPAN])
            return within, "bets.bet_id DESC"


def _sql(expression: sa.ColumnElement[Any]) -> str:
    return str(expression.compile(compile_kwargs={"literal_binds": True}))
