"""One database: its engine, transactions and clock. What differs between engines lives here."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from stakeline import clock
from stakeline.db import postgresql, sqlite
from stakeline.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

BUSY_S = 2.0
"""How long a transaction waits for others before the caller gets `Unavailable`."""
POOL_SIZE = 8
_ENGINES = {"sqlite": sqlite, "postgresql": postgresql}

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit integer; STRICT tables of SQLite know the word INTEGER only, and mean the same."""
Identifier = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text that is compared and ordered by its bytes."""


class Database:
    """One service's database.

    Args:
        url: one that `check_url` takes; the file's folder is made.

    Raises:
        OSError: the file cannot be opened as a database.
    """

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        engine = _ENGINES[parsed.get_backend_name()]
        self.engine: AsyncEngine = engine.create_engine(parsed, BUSY_S, POOL_SIZE)
        self._turn = asyncio.Lock() if engine is sqlite else None

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

        Raises:
            Unavailable: others held the database for 2 s, the disk is full, or it cannot be
                reached; nothing was written, unless the connection broke in COMMIT.
        """
        async with _unavailable_as_such():
            if self._turn is None:
                async with self.engine.connect() as conn, conn.begin():
                    yield conn
                return
            # SQLite has one writer at a time: those of this process take turns in order here,
            # since its own busy handler is neither fair nor quick.
            began = clock.steady()
            async with asyncio.timeout(BUSY_S):
                await self._turn.acquire()
            waited_s = (clock.steady() - began) / clock.US_PER_S
            try:
                async with self.engine.connect() as conn:
                    left_s = sqlite.left_s(BUSY_S, waited_s)
                    await conn.execution_options(stakeline_waits_s=left_s)
                    async with conn.begin():
                        yield conn
            finally:
                self._turn.release()

    async def now(self) -> int:
        """The database's clock, in microseconds: with SQLite the host's, which costs no I/O.

        Raises:
            Unavailable: the database cannot be reached.
        """
        if self._turn is not None:
            return clock.now()
        async with _unavailable_as_such(), self.engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            return await now(conn)

    async def create(self, metadata: sa.MetaData) -> None:
        """Make the tables that are not there yet; safe when several processes start at once."""
        async with self.write() as conn:
            if conn.dialect.name == "postgresql":
                await conn.execute(postgresql.ONE_MAKER)
            await conn.run_sync(metadata.create_all)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def now(conn: AsyncConnection) -> int:
    """The clock of the database, in microseconds: with SQLite the host's."""
    if conn.dialect.name == "sqlite":
        return clock.now()
    return int((await conn.execute(postgresql.NOW)).scalar_one())


@asynccontextmanager
async def _unavailable_as_such() -> AsyncIterator[None]:
    try:
        yield
    except DBAPIError as error:
        if _own_fault(error):
            raise
        raise Unavailable from error
    except (PoolTimeoutError, TimeoutError, OSError) as error:
        raise Unavailable from error


def _own_fault(error: DBAPIError) -> bool:
    """Whether what was asked is at fault, and not the database or the way there."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, (DataError, IntegrityError, ProgrammingError))
    return postgresql.is_own_fault(state)


def check_url(url: str) -> str:
    """The URL, if it names a database that Stakeline runs on: an SQLite file, or PostgreSQL.

    Raises:
        ValueError: it does not, or this machine's SQLite is too old.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ValueError("must be a database URL such as sqlite:///stakeline.sqlite3") from None
    engine = _ENGINES.get(parsed.get_backend_name())
    if engine is None:
        raise ValueError("must be the URL of an SQLite file, or of a PostgreSQL database")
    engine.check(parsed)
    return url
