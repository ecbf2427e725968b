"""Why bets were not accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline import errors, money
from stakeline.bet_maker.bets import SHOWN, Bet, shown, with_keys
from stakeline.bet_maker.tables import bets, cursor, events, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.bets import Asked
    from stakeline.errors import Problem


class Reasons:
    """What was found out about bets that were not accepted.

    Looked up in statements of their own, after the one that accepts: that one could not see what a
    rival had committed meanwhile.
    """

    def __init__(
        self,
        tokens: set[tuple[int, int]],
        epoch: str | None,
        by_key: dict[tuple[int, str], Any],
        by_event: dict[str, Any],
    ) -> None:
        self._tokens = tokens
        self._epoch = epoch
        self._by_key = by_key
        self._by_event = by_event

    @classmethod
    async def look_up(cls, conn: AsyncConnection, left: Sequence[Asked]) -> Reasons:
        """Find out about these."""
        theirs = sa.select(users.c.user_id, users.c.token_version).where(
            users.c.user_id.in_({asked.user_id for asked in left}), users.c.active == 1
        )
        tokens = {(row.user_id, row.token_version) for row in await conn.execute(theirs)}
        keys = [(asked.user_id, asked.key) for asked in left if asked.key is not None]
        by_key: dict[tuple[int, str], Any] = {}
        if keys:
            told = SHOWN.add_columns(bets.c.key, bets.c.asked_coefficient, bets.c.accept)
            query = with_keys(told, keys)
            by_key = {(row.user_id, row.key): row for row in await conn.execute(query)}
        asked_for = events.c.event_id.in_({asked.event_id for asked in left})
        # One statement, or a resync between two would make every event look closed.
        state = sa.select(cursor.c.epoch.label("followed"), events).select_from(
            cursor.outerjoin(events, asked_for)
        )
        rows = (await conn.execute(state)).all()
        known = {row.event_id: row for row in rows if row.event_id is not None}
        return cls(tokens, rows[0].followed, by_key, known)

    def of(self, asked: Asked) -> Bet | Problem | None:
        """Why this one was not, or what its key has made; None: nothing speaks against it."""
        if (asked.user_id, asked.token_version) not in self._tokens:
            return errors.Unauthenticated()
        bet = None if asked.key is None else self._by_key.get((asked.user_id, asked.key))
        if bet is None:
            return self._of_new(asked)
        if not asked.same_body(bet):
            return errors.IdempotencyKeyReused()
        return shown(bet._mapping, replayed=True)  # noqa: SLF001 - SQLAlchemy's public name

    def _of_new(self, asked: Asked) -> Problem | None:
        if not asked.fresh or asked.epoch != self._epoch:
            return errors.FeedStale()
        event = self._by_event.get(asked.event_id)
        if event is None:
            return errors.EventNotFound()
        if (
            event.epoch != self._epoch
            or event.frozen
            or event.status != "NEW"
            or asked.placed_at >= event.closed_at
        ):
            return errors.BettingClosed()
        # Perhaps nothing speaks against it now: the event came, or its price came back, between
        # the two statements, each of which sees what was committed before it.
        if asked.takes(event.coefficient):
            return None
        return errors.PriceChanged(coefficient=money.decimal(event.coefficient))
