"""Logins: how often one may try, kept in the database so that all processes count together."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline import clock
from stakeline.bet_maker.tables import logins
from stakeline.errors import TooManyRequests

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

WINDOW_US = 15 * 60 * clock.US_PER_S
MOST_OF_ACCOUNT, MOST_OF_ADDRESS = 5, 20
"""How many failures there may be in 15 minutes."""
_UNDER_WAY_US = 10 * clock.US_PER_S
"""After this a login that has not ended is one that failed: its process is gone."""


async def begin(conn: AsyncConnection, now: int, account: str, address: str) -> str:
    """The id of a login that may be tried now; it counts as a failure until it ends.

    Or else many guesses at once would all be allowed, each before the first one had failed.

    Args:
        conn: of a transaction for writing.
        now: the database's time, in microseconds.
        account: the name that was given, whether or not a user has it.
        address: where it comes from.

    Raises:
        TooManyRequests: the account or the address has had its failures; says when to come again.
    """
    if conn.dialect.name == "postgresql":  # with SQLite whoever writes is alone anyway
        await conn.execute(sa.text("LOCK TABLE logins IN SHARE ROW EXCLUSIVE MODE"))
    await conn.execute(logins.delete().where(logins.c.at <= now - WINDOW_US))
    for column, value, most in (
        (logins.c.account, account, MOST_OF_ACCOUNT),
        (logins.c.address, address, MOST_OF_ADDRESS),
    ):
        newest = sa.select(logins).where(column == value).order_by(logins.c.at.desc()).limit(most)
        rows = (await conn.execute(newest)).all()
        if len(rows) == most:
            pending = any(not row.failed and row.at > now - _UNDER_WAY_US for row in rows)
            wait_us = clock.US_PER_S if pending else rows[-1].at + WINDOW_US - now
            raise TooManyRequests(-(-wait_us // clock.US_PER_S))
    login_id = uuid.uuid4().hex
    row = {"login_id": login_id, "account": account, "address": address, "at": now, "failed": 0}
    await conn.execute(logins.insert().values(row))
    return login_id


async def fail(conn: AsyncConnection, login_id: str) -> None:
    """This one failed."""
    await conn.execute(logins.update().where(logins.c.login_id == login_id).values(failed=1))


async def succeed(conn: AsyncConnection, login_id: str) -> None:
    """This one succeeded, and counts no more; what failed before does."""
    await conn.execute(logins.delete().where(logins.c.login_id == login_id))
