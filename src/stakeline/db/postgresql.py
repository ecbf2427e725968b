"""PostgreSQL, at READ COMMITTED, through asyncpg; also behind a pooler that shares connections."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

NOW = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
"""The database's clock, in microseconds: not of the transaction's start, but of this moment."""
ONE_MAKER = sa.text("SELECT pg_advisory_xact_lock(7308324465728515173)")
"""Until the transaction ends, one process makes tables."""


def check(url: sa.URL) -> None:
    """Nothing, if the URL names a host (or a socket's folder) and a database.

    Raises:
        ValueError: it does not.
    """
    if not url.database:
        raise ValueError("must name a database: postgresql://user@host/database")


def create_engine(url: sa.URL, busy_s: float, pool_size: int) -> AsyncEngine:
    """An engine; it connects when it is used.

    Args:
        url: as `check` takes it.
        busy_s: how long a statement may take, a connection to be made, and one to become free.
        pool_size: how many connections there may be.
    """
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        connect_args={
            "timeout": busy_s,
            "command_timeout": busy_s,
            # A pooler may give each transaction another server's connection, which knows nothing
            # of what was prepared on the last one.
            "statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"stakeline_{uuid.uuid4().hex}",
        },
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_s,
        pool_use_lifo=True,
    )


def is_own_fault(state: str) -> bool:
    """Whether an SQLSTATE says that what was asked is wrong: its data, or by a constraint."""
    return state[:2] in {"22", "23"}
