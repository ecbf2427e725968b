"""Acceptance: one statement judges all bets of a group, and each gets its own answer.

The database is the judge: the statement that checks the rules is the one that inserts, so they hold
for any number of processes without a lock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from stakeline import clock, errors, strictjson
from stakeline.bet_maker import groups
from stakeline.bet_maker.bets import Bet, with_keys
from stakeline.bet_maker.reasons import Reasons
from stakeline.bet_maker.tables import bets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.bets import Asked
    from stakeline.bet_maker.limits import Limits
    from stakeline.db import Database
    from stakeline.errors import Problem

    CarryOut = Callable[..., Awaitable[Sequence[Sequence[Any]]]]
    """Carries out a statement with its parameters, and gives its rows."""
    Accepted = dict[str, tuple[int | None, int]]
    """The coefficient given, and the event's version, by the ids of the bets that were inserted."""

log = structlog.get_logger(__name__)
_MOST_REPEATS = 3

_NAME_EVENTS = f"""
INSERT INTO events (event_id, status, closed_at, version, created_at, updated_at, epoch)
SELECT event_id, 'NEW', {clock.LATEST}, 0, min(placed_at), min(placed_at), 'standalone' FROM asked
WHERE NOT EXISTS (SELECT 1 FROM bets WHERE bets.user_id = asked.user_id AND bets.key = asked.key)
  AND EXISTS (SELECT 1 FROM users WHERE users.user_id = asked.user_id
              AND users.token_version = asked.token_version AND users.active = 1)
GROUP BY event_id ORDER BY event_id ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant

_ACCEPT = """
INSERT INTO bets (bet_id, user_id, key, event_id, amount, coefficient, asked_coefficient, accept,
                  placed_at, event_version, feed_seq, snapshot, fix_at)
SELECT asked.bet_id, asked.user_id, asked.key, asked.event_id, asked.amount, events.coefficient,
       asked.asked_coefficient, asked.accept, asked.placed_at, events.version, cursor.seq,
       cursor.snapshot, asked.fix_at
FROM asked
JOIN users ON users.user_id = asked.user_id AND users.token_version = asked.token_version
JOIN events ON events.event_id = asked.event_id
JOIN cursor ON cursor.epoch = events.epoch AND cursor.epoch = asked.epoch
WHERE users.active = 1
  AND events.status = 'NEW'
  AND events.frozen = 0
  AND asked.placed_at < events.closed_at
  AND (asked.accept = 'any' OR events.coefficient = asked.asked_coefficient
       OR asked.accept = 'better' AND events.coefficient > asked.asked_coefficient)
ORDER BY asked.user_id, asked.key, asked.n
{locking}
ON CONFLICT DO NOTHING
{returning}
"""

# Who revokes a token waits until the bets that it has placed are on disk, or one could be accepted
# after they were told that none will be. With SQLite whoever writes is alone anyway.
_LOCKING = {"sqlite": "", "postgresql": "FOR SHARE OF users"}
_RETURNING = "RETURNING bet_id, coefficient, event_version"
_INSERTED = """
SELECT bet_id, coefficient, event_version FROM bets
WHERE bet_id IN (SELECT value FROM json_each(?))
"""


@lru_cache(maxsize=64)
def _statements(dialect: str, rows: int, *, returning: bool) -> tuple[str, str]:
    """What names the events of a group, and what accepts its bets."""
    asked = groups.table(dialect, rows)
    accept = _ACCEPT.format(locking=_LOCKING[dialect], returning=_RETURNING if returning else "")
    return asked + _NAME_EVENTS, asked + accept


async def accept(
    database: Database,
    group: Sequence[Asked],
    *,
    standalone: bool,
    limits: Limits | None = None,
) -> list[Bet | Problem]:
    """Accept the bets of a group that can be, in one statement; each one's own answer, in order.

    A key that was used before answers with its bet (`replayed`) or refuses, whatever the state of
    the feed; so does the later one of two equal keys in the group.

    Raises:
        Unavailable: the database has not said whether it took any.
    """
    answers = await _judge(database, group, limits, standalone=standalone)
    for _ in range(_MOST_REPEATS):
        moved = [n for n, answer in enumerate(answers) if answer is None]
        if not moved:
            break
        again: Sequence[Bet | Problem | None]
        try:
            again = await _judge(database, [group[n] for n in moved], limits, standalone=standalone)
        except errors.Unavailable as problem:  # what others got is on disk all the same
            again = [problem] * len(moved)
        for n, answer in zip(moved, again, strict=True):
            answers[n] = answer
    moved_on = "The line changed while the bet was judged; repeat the request with its key."
    return [answer or errors.Unavailable(moved_on) for answer in answers]


async def repeated(conn: AsyncConnection, asked: Sequence[Asked]) -> bool:
    """Whether all of these have keys that were used before."""
    if any(one.key is None for one in asked):
        return False
    keys = {(one.user_id, one.key) for one in asked}
    every = sa.select(sa.func.count()).select_from(bets)
    count: int | None = await conn.scalar(with_keys(every, keys))
    return count == len(keys)


async def _judge(
    database: Database, group: Sequence[Asked], limits: Limits | None, *, standalone: bool
) -> list[Bet | Problem | None]:
    """Each one's answer; None where the line changed meanwhile, so that there is none."""
    fresh = [asked for asked in group if asked.fresh]
    accepted: Accepted = {}
    refused: dict[str, errors.LimitExceeded] = {}
    if fresh and limits is None:
        dialect = database.engine.dialect.name
        # SQLite's thread has to wait for the interpreter at every row that it gives back, longer
        # than the row takes; so it gives none back, and they are read by the event loop afterwards.
        read = database.read_alone if dialect == "sqlite" else None
        accepted = await _insert(
            database.write_alone, dialect, fresh, standalone=standalone, read=read
        )
    elif fresh and limits is not None:
        accepted, refused = await database.attempt(
            lambda conn: insert_within(conn, fresh, limits, standalone=standalone)
        )
    left = [asked for asked in group if asked.bet_id not in accepted]
    answers: dict[str, Bet | Problem | None] = {}
    if left:
        try:
            async with database.read() as conn:
                reasons = await Reasons.look_up(conn, left)
            answers = {asked.bet_id: reasons.of(asked) for asked in left}
        except Exception as error:  # those that were accepted are all the same
            problem = error if isinstance(error, errors.Unavailable) else errors.Internal()
            if problem is not error:
                log.exception("no reason was found", exc_info=error)
            answers = {asked.bet_id: problem for asked in left}
    return [
        answers[asked.bet_id]
        if asked.bet_id not in accepted
        else refused.get(asked.bet_id) or _as_bet(asked, *accepted[asked.bet_id])
        for asked in group
    ]


async def insert_within(
    conn: AsyncConnection, group: Sequence[Asked], limits: Limits, *, standalone: bool
) -> tuple[Accepted, dict[str, errors.LimitExceeded]]:
    """Insert the bets of a group that can be, in a transaction; those of them refused by a limit.

    The latter are removed again within it.
    """
    rooms = await limits.lock(conn, group)
    known = [asked for asked in group if rooms.known(asked)]
    if not known:
        return {}, {}

    async def carry_out(statement: str, *parameters: object) -> Sequence[Sequence[Any]]:
        done = await conn.exec_driver_sql(statement, parameters)
        return done.all() if done.returns_rows else []

    # What is inserted now, not what is there: a bet that came before was counted, and must stay.
    accepted = await _insert(carry_out, conn.dialect.name, known, standalone=standalone)
    prices = {bet_id: coefficient for bet_id, (coefficient, _) in accepted.items()}
    return accepted, await rooms.take(conn, known, prices)


async def _insert(
    write: CarryOut,
    dialect: str,
    group: Sequence[Asked],
    *,
    standalone: bool,
    read: CarryOut | None = None,
) -> Accepted:
    """Insert the bets that can be; `read`, if any, then reads those that are there by their ids."""
    rows = groups.size(len(group))
    name_events, accept_bets = _statements(dialect, rows, returning=read is None)
    parameters = groups.parameters(dialect, group)
    if standalone:
        await write(name_events, *parameters)
    inserted = await write(accept_bets, *parameters)
    if read is not None:
        bet_ids = strictjson.dumps([asked.bet_id for asked in group]).decode()
        inserted = await read(_INSERTED, bet_ids)
    return {bet_id: (coefficient, version) for bet_id, coefficient, version in inserted}


def _as_bet(asked: Asked, coefficient: int | None, event_version: int) -> Bet:
    return Bet(
        bet_id=asked.bet_id,
        event_id=asked.event_id,
        amount=asked.amount,
        coefficient=coefficient,
        status="PENDING",
        placed_at=asked.placed_at,
        event_version=event_version,
        user_id=asked.user_id,
    )
