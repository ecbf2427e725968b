"""SQLite: one file, one writer at a time, durable at every commit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import DBAPIConnection

OLDEST = (3, 37, 0)  # STRICT tables
_STEP_S = 0.5


def check(url: sa.URL) -> None:
    """Nothing, if it names a file, and this machine's SQLite is new enough.

    Raises:
        ValueError: it does not, or is not.
    """
    if url.database in {None, "", ":memory:"}:
        raise ValueError("must be the URL of an SQLite file: sqlite:///stakeline.sqlite3")
    if sqlite3.sqlite_version_info < OLDEST:
        raise ValueError(
            f"SQLite here is {sqlite3.sqlite_version}; 3.37 is the oldest that will do"
        )


def create_engine(url: sa.URL, busy_s: float, pool_size: int) -> AsyncEngine:
    """An engine on the file, whose folder is made.

    Args:
        url: as `check` takes it.
        busy_s: how long a transaction waits for other processes.
        pool_size: how many connections there may be.

    Raises:
        OSError: the file cannot be opened as a database.
    """
    file = Path(url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:  # here, where it is one exception: later it is also a thread's, which outlives its loop
        with closing(sqlite3.connect(file, timeout=busy_s)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise OSError(None, str(error)) from None
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"isolation_level": None, "timeout": busy_s},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_s,
    )
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def left_s(busy_s: float, waited_s: float) -> float:
    """What is left of `busy_s` for other processes, in steps, so that it seldom has to be said."""
    return max(_STEP_S, busy_s - waited_s // _STEP_S * _STEP_S)


def _configure(connection: DBAPIConnection, _: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(conn: sa.Connection) -> None:
    # Without IMMEDIATE a transaction that reads first and writes later fails when another writes
    # in between; the driver's own BEGIN comes too late to hold a consistent read.
    waits_s = conn.get_execution_options().get("stakeline_waits_s")
    if waits_s is not None and conn.info.get("waits_s") != waits_s:
        conn.exec_driver_sql(f"PRAGMA busy_timeout = {waits_s * 1000:.0f}")
        conn.info["waits_s"] = waits_s
    conn.exec_driver_sql("BEGIN" if waits_s is None else "BEGIN IMMEDIATE")
