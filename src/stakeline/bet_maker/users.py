"""Who bets. Without users of its own a bet-maker has one: the anonymous user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ANONYMOUS = 1
"""The anonymous user's id; a row like any other, so that a key is unique per user here too."""

_FOUND = sa.text("""
INSERT INTO users (user_id, username) VALUES (:user_id, 'anonymous') ON CONFLICT DO NOTHING
""")


async def found(conn: AsyncConnection) -> None:
    """Make the anonymous user, if it is not there."""
    await conn.execute(_FOUND, {"user_id": ANONYMOUS})
