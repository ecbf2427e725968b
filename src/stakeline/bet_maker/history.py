"""The history of bets: pages, newest first, of a selection of any size, each bet as its JSON.

The database writes the JSON, which takes a fraction of what rows, objects and an encoder take, and
none of it holds up the event loop. `bodies.bet_json` writes one alike; a test holds the two
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import ids
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
    low = "" if chosen.placed_from is None else ids.first_bet_id(chosen.placed_from)
    high = _BEYOND if chosen.placed_to is None else ids.first_bet_id(chosen.placed_to)
    values = {
        "user_id": chosen.user_id,
        "event_id": chosen.event_id,
        "status": chosen.status,
        "low": low,
        "high": high if before is None else min(high, before),
    }
    given = {name: value for name, value in values.items() if value is not None}
    statement = _statement(conn.dialect.name, frozenset(given), most, with_users=with_users)
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


@lru_cache(maxsize=256)
def _statement(
    dialect: str, given: frozenset[str], most: int, *, with_users: bool
) -> sa.TextClause:
    """The newest `most` bets of a selection: their ids and their JSON, or `_PASSED_OVER`.

    Of one user, or one event, they are read as a range of the index that has just these: without
    that, PostgreSQL may go through everybody's bets, to find one user's among them in order. The
    number is in the text, so that it is planned for.
    """
    line = _line(dialect, with_users=with_users)
    if "status" in given:
        line = f"CASE WHEN status = :status THEN {line} ELSE '{_PASSED_OVER}' END"
    match [name for name in ("user_id", "event_id") if name in given]:
        case [column]:
            place = f"(bets.{column}, bets.bet_id)"
            within = f"{place} >= (:{column}, :low) AND {place} < (:{column}, :high)"
            order = f"bets.{column} DESC, bets.bet_id DESC"
        case columns:
            within = " AND ".join([f"bets.{column} = :{column}" for column in columns] + [_SPAN])
            order = "bets.bet_id DESC"
    statement = sa.text(f"""
SELECT bet_id, {line} AS shown
FROM (SELECT bets.bet_id, bets.event_id, bets.amount, bets.coefficient,
             {_sql(POTENTIAL_PAYOUT)} AS potential_payout, {_sql(STATUS.element)} AS status,
             bets.placed_at, bets.event_version, bets.user_id
      FROM bets JOIN events ON events.event_id = bets.event_id
      WHERE {within} ORDER BY {order} LIMIT {most}) AS bet
ORDER BY bet_id DESC
""")  # noqa: S608 - constants, and parameters
    if "user_id" in given:
        return statement.bindparams(sa.bindparam("user_id", type_=BigInt))
    return statement


def _sql(expression: sa.ColumnElement[Any]) -> str:
    return str(expression.compile(compile_kwargs={"literal_binds": True}))


def _line(dialect: str, *, with_users: bool) -> str:
    """The SQL of a bet's JSON; none of its texts has a character that JSON would escape.

    What cannot be written makes all of it null, which no answer is made of.
    """
    write = _DECIMAL[dialect].format
    fields = {
        '{"bet_id":"': "bet_id",
        '","event_id":"': "event_id",
        '","amount":': write("amount"),
        ',"coefficient":': f"CASE WHEN {_KNOWN} THEN {write('coefficient')} ELSE 'null' END",
        ',"potential_payout":': (
            f"CASE WHEN {_KNOWN} THEN {write('potential_payout')} ELSE 'null' END"
        ),
        ',"status":"': "status",
        '","payout":': f"""CASE
            WHEN NOT {_KNOWN} OR status = 'PENDING' THEN 'null'
            WHEN status = 'WON' THEN {write("potential_payout")}
            WHEN status = 'VOID' THEN {write("amount")}
            ELSE '0.00' END""",
        ',"placed_at":"': _TIME[dialect],
        'Z","event_version":': "event_version",
    }
    if with_users:
        fields[',"user_id":"'] = "user_id"
    end = '"}' if with_users else "}"
    return " || ".join(f"'{name}' || {value}" for name, value in fields.items()) + f" || '{end}'"


_SPAN = "bets.bet_id >= :low AND bets.bet_id < :high"
_KNOWN = "coefficient IS NOT NULL"
_DECIMAL = {
    "sqlite": "printf('%d.%02d', {0} / 100, {0} % 100)",
    "postgresql": "CAST({0} * 0.01 AS text)",
}
"""Hundredths as a number with two decimals."""
_FRACTION = {
    "sqlite": "printf('.%06d', placed_at % 1000000)",
    "postgresql": "'.' || lpad(CAST(placed_at % 1000000 AS text), 6, '0')",
}
_SECOND = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', placed_at / 1000000, 'unixepoch')",
    "postgresql": "to_char(to_timestamp(placed_at / 1000000) AT TIME ZONE 'UTC',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS')""",
}
_TIME = {
    dialect: f"{_SECOND[dialect]} || CASE placed_at % 1000000 WHEN 0 THEN '' ELSE {fraction} END"
    for dialect, fraction in _FRACTION.items()
}
"""`placed_at` as `clock.text` writes it, but for its `Z`."""
