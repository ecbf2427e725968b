"""One database: its engine, transactions and clock. What differs between engines lives here."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stakeline import clock
from stakeline.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_S = 2.0
"""How long a transaction waits for others before the caller gets `Unavailable`."""
_STEP_S = 0.5
POOL_SIZE = 8
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit integer; STRICT tables of SQLite know the word INTEGER only, and mean the same."""


class Database:
    """One service's database.

    Args:
        url: one that `check_url` takes; the file's folder is made.

    Raises:
        OSError: the file cannot be opened as a database.
    """

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(url)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for reading: one consistent state, blocking no writer.

        Raises:
            Unavailable: the database cannot be reached.
        """
        async with _unavailable_as_such(), self.engine.connect() as conn:
            yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for writing, committed at the end of the block, rolled back on an error.

        SQLite has one writer at a time: those of this process take turns in order here, since its
        own busy handler is neither fair nor quick.

        Raises:
            Unavailable: others held the database for 2 s, the disk is full, or it cannot be
                reached; nothing was written, unless the connection broke in COMMIT.
        """
        async with _unavailable_as_such():
            began = clock.steady()
            async with asyncio.timeout(BUSY_S):
                await self._turn.acquire()
            waited_s = (clock.steady() - began) / clock.US_PER_S
            try:
                async with self.engine.connect() as conn:
                    await conn.execution_options(stakeline_waits_s=_left_s(waited_s))
                    async with conn.begin():
                        yield conn
            finally:
                self._turn.release()

    async def now(self) -> int:
        """The database's clock, in microseconds: with SQLite the host's, which costs no I/O."""
        return clock.now()

    async def create(self, metadata: sa.MetaData) -> None:
        """Make the tables that are not there yet; safe when several processes start at once."""
        async with self.write() as conn:
            await conn.run_sync(metadata.create_all)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def now(conn: AsyncConnection) -> int:  # noqa: ARG001 - an engine with a clock is asked
    """The clock of the database, in microseconds: with SQLite the host's."""
    return clock.now()


@asynccontextmanager
async def _unavailable_as_such() -> AsyncIterator[None]:
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError):
        raise  # the statement's own fault, not the database's
    except (DBAPIError, PoolTimeoutError, TimeoutError) as error:
        raise Unavailable from error


def check_url(url: str) -> str:
    """The URL, if it names a database that Stakeline runs on: an SQLite file.

    Raises:
        ValueError: it does not, or this machine's SQLite is too old.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ValueError("must be a database URL such as sqlite:///stakeline.sqlite3") from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ValueError("must be the URL of an SQLite file: sqlite:///stakeline.sqlite3")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ValueError(
            f"SQLite here is {sqlite3.sqlite_version}; 3.37 is the oldest that will do"
        )
    return url


def _create_engine(url: str) -> AsyncEngine:
    parsed = sa.make_url(url)
    file = Path(parsed.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:  # here, where it is one exception: later it is also a thread's, which outlives its loop
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise OSError(None, str(error)) from None
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"),
        connect_args={"isolation_level": None, "timeout": BUSY_S},
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=BUSY_S,
    )
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: DBAPIConnection, _: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(conn: sa.Connection) -> None:
    # Without IMMEDIATE a transaction that reads first and writes later fails when another writes
    # in between; the driver's own BEGIN comes too late to hold a consistent read.
    waits_s = conn.get_execution_options().get("stakeline_waits_s")
    if waits_s is not None and conn.info.get("waits_s", BUSY_S) != waits_s:
        conn.exec_driver_sql(f"PRAGMA busy_timeout = {waits_s * 1000:.0f}")
        conn.info["waits_s"] = waits_s
    conn.exec_driver_sql("BEGIN" if waits_s is None else "BEGIN IMMEDIATE")


def _left_s(waited_s: float) -> float:
    """What is left of `BUSY_S` for other processes, in steps, so that it seldom has to be said."""
    return max(_STEP_S, BUSY_S - waited_s // _STEP_S * _STEP_S)
