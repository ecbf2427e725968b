"""SQLite: one file, one writer at a time, durable at every commit."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stakeline import clock
from stakeline.db.keeping import Keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from stakeline.db.keeping import Kept

OLDEST = (3, 37, 0)  # STRICT tables
POOL_SIZE = 8
BUSY_S = 2.0
"""How long a transaction for writing waits for others."""
_STEP_S = 0.5
_PEEK_S = 0.1
"""How long a read in the event loop may wait, for another process that is recovering the file."""


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


class Connections:
    """Connections to one file, whose folder is made.

    Args:
        url: as `check` takes it.

    Raises:
        OSError: the file cannot be opened as a database.
    """

    writes_at_once = 1
    reads_at_once = 1  # two threads wait for the interpreter, and make a third less

    def __init__(self, url: sa.URL) -> None:
        self.engine = _create_engine(url)
        self._turn = asyncio.Lock()
        self._keeping = Keeping()
        self._reader: sqlite3.Connection | None = None

    async def open(self, *, allow_unsafe: bool) -> None:
        """Nothing: there is nothing to find out."""

    @asynccontextmanager
    async def transaction(
        self,
        *,
        write: bool,
        within_s: float | None,  # noqa: ARG002 - only waiting for others is limited
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end of the block if it is for writing.

        SQLite has one writer at a time: those of this process take turns in order here, since its
        own busy handler is neither fair nor quick.
        """
        if not write:
            async with self.engine.connect() as conn:
                yield conn
            return
        async with self._turn_to_write() as left_s, self.engine.connect() as conn:
            await conn.execution_options(stakeline_waits_s=left_s)
            async with conn.begin():
                yield conn

    async def read_alone(
        self,
        statement: str,
        parameters: Sequence[object],
        within_s: float,  # noqa: ARG002 - it waits for nobody
    ) -> Sequence[Sequence[Any]]:
        """The rows of one statement, with parameters `?`: a transaction by itself.

        It is read here and now: for some rows by their keys the way to a thread and back takes ten
        times as long.

        Raises:
            DBAPIError: as SQLAlchemy raises it.
        """
        try:
            if self._reader is None:
                self._reader = sqlite3.connect(
                    str(self.engine.url.database), timeout=_PEEK_S, isolation_level=None
                )
            return self._reader.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error

    async def write_alone(
        self,
        statement: str,
        parameters: Sequence[object],
        within_s: float,  # noqa: ARG002 - only waiting for others is limited
    ) -> Sequence[Sequence[Any]]:
        """The same, of a statement that writes, in its connection's thread.

        Raises:
            DBAPIError: as SQLAlchemy raises it.
        """
        async with self._turn_to_write() as left_s:
            kept = await self._keeping.take(self.engine)
            try:
                if kept.info.get("waits_s") != left_s:
                    await _fetch(kept, f"PRAGMA busy_timeout = {left_s * 1000:.0f}")
                    kept.info["waits_s"] = left_s
                return await _fetch(kept, statement, *parameters)
            finally:
                await self._keeping.give(kept)

    def forget(self) -> None:
        """Nothing: there is no other file."""

    async def close(self) -> None:
        """Give back what is kept."""
        await self._keeping.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[float]:
        """This process's turn to write, with the seconds that it may wait for other processes."""
        began = clock.steady()
        async with asyncio.timeout(BUSY_S):
            await self._turn.acquire()
        try:
            yield _left_s((clock.steady() - began) / clock.US_PER_S)
        finally:
            self._turn.release()


async def _fetch(kept: Kept, statement: str, *parameters: object) -> Sequence[Sequence[Any]]:
    """The rows of a statement, straight from the driver: one turn of its thread."""
    try:
        rows: Sequence[Sequence[Any]] = await kept.driver.execute_fetchall(statement, parameters)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error
    return rows


async def now(_: AsyncConnection) -> int:
    """The host's clock, in microseconds."""
    return clock.now()


async def writable(_: AsyncConnection) -> bool:
    """Whether the file takes writes; found out when it is written."""
    return True


def _create_engine(url: sa.URL) -> AsyncEngine:
    file = Path(url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:  # here, where it is one exception: later it is also a thread's, which outlives its loop
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise OSError(None, str(error)) from None
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"isolation_level": None, "timeout": BUSY_S},
        pool_size=POOL_SIZE,
        max_overflow=0,
        hide_parameters=True,  # errors are logged, and what was asked is not for the log
        pool_timeout=BUSY_S,
    )
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _left_s(waited_s: float) -> float:
    """What is left of `BUSY_S` for other processes, in steps, so that it seldom has to be said."""
    return max(_STEP_S, BUSY_S - waited_s // _STEP_S * _STEP_S)


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
