"""Who bets. Without users of its own a bet-maker has one: the anonymous user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.bet_maker.tables import users

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ANONYMOUS = 1
"""The anonymous user's id; a row like any other, so that a key is unique per user here too."""


async def found(conn: AsyncConnection) -> None:
    """Make the anonymous user, if it is not there."""
    known = await conn.scalar(sa.select(users.c.user_id).where(users.c.user_id == ANONYMOUS))
    if known is None:
        await conn.execute(users.insert().values(user_id=ANONYMOUS, username="anonymous"))
