"""One database: its transactions and clock. What differs between engines is in their modules."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from stakeline import clock
from stakeline.db import postgresql, sqlite
from stakeline.db.unfit import UnfitDatabase, UnsafeDurability
from stakeline.errors import Unavailable
from stakeline.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy import QueuePool
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["BigInt", "Database", "Identifier", "UnfitDatabase", "UnsafeDurability", "check_url"]

T = TypeVar("T")
_ENGINES = {"sqlite": sqlite, "postgresql": postgresql}
_PAUSES_S = (0.01, 0.03, 0.1)
"""How long a transaction that met another's waits before it is tried again."""

WHOLE_S = 2.0
"""How long a transaction may take, from asking for a connection to the end of COMMIT."""
QUICK_S = 0.7
"""The same, of one that is not the only one that a request waits for."""

CLOCK = {"sqlite": "NULL", "postgresql": postgresql.CLOCK}
"""An expression for the database's clock, in microseconds; null where it is the host's."""

_LOOK_S = 0.01

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
        self._connections: sqlite.Connections | postgresql.Connections = _ENGINES[
            parsed.get_backend_name()
        ].Connections(parsed)
        self._times = Shared(self._look_at_clock)

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's, for what is not a transaction of ours."""
        return self._connections.engine

    @property
    def writes_at_once(self) -> int:
        """How many transactions for writing of one kind are worth having under way at once."""
        return self._connections.writes_at_once

    @property
    def reads_at_once(self) -> int:
        """How many reads of one large answer are worth having under way at once."""
        return self._connections.reads_at_once

    async def open(self, *, allow_unsafe: bool = False) -> None:
        """Look whether the server will do, before it is used.

        Raises:
            UnfitDatabase: it will not.
            UnsafeDurability: it may lose what it acknowledged, and that was not allowed.
            Unavailable: it cannot be reached.
        """
        async with _unavailable_as_such():
            await self._connections.open(allow_unsafe=allow_unsafe)

    @asynccontextmanager
    async def read(self, within_s: float = WHOLE_S) -> AsyncIterator[AsyncConnection]:
        """A transaction for reading, which blocks no writer.

        With SQLite all of it sees one state, with PostgreSQL each statement does.

        Args:
            within_s: how long it may take; what is one of several in a request takes `QUICK_S`.

        Raises:
            Unavailable: the database cannot be reached, or did not answer in time.
        """
        async with (
            _unavailable_as_such(),
            self._connections.transaction(write=False, within_s=within_s) as conn,
        ):
            yield conn

    @asynccontextmanager
    async def write(self, within_s: float | None = WHOLE_S) -> AsyncIterator[AsyncConnection]:
        """A transaction for writing, committed at the end of the block, rolled back on an error.

        Args:
            within_s: how long it may take; None: nobody waits for it, and it has no limits.

        Raises:
            Unavailable: others held the database for 2 s, the disk is full, it cannot be reached,
                or did not answer in time; nothing was written, unless that was in COMMIT.
        """
        async with (
            _unavailable_as_such(),
            self._connections.transaction(write=True, within_s=within_s) as conn,
        ):
            yield conn

    async def attempt(self, act: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `act` gives in a transaction for writing; tried again when it collides with another.

        Raises:
            Unavailable: as `write`, or it collided four times.
        """

        async def act_within(left_s: float) -> T:
            async with self.write(left_s) as conn:
                return await act(conn)

        return await self._attempt(act_within)

    async def read_alone(self, statement: str, *parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a statement that reads, and is a transaction by itself.

        It goes straight to the driver, with one round trip, and is one of several of a request.

        Args:
            statement: in the engine's own words, with parameters in its own form.
            parameters: what they stand for.

        Raises:
            Unavailable: as `read`.
        """
        async with _unavailable_as_such():
            return await self._connections.read_alone(statement, parameters, QUICK_S)

    async def write_alone(self, statement: str, *parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a statement that writes and is a transaction by itself, tried again likewise.

        It goes straight to the driver, with one round trip.

        Args:
            statement: in the engine's own words, with parameters in its own form.
            parameters: what they stand for.

        Raises:
            Unavailable: as `attempt`; it may have been written.
        """

        async def write_within(left_s: float) -> Sequence[Sequence[Any]]:
            async with _unavailable_as_such():
                return await self._connections.write_alone(statement, parameters, left_s)

        return await self._attempt(write_within)

    async def _attempt(self, act_within: Callable[[float], Awaitable[T]]) -> T:
        ends = clock.steady() + int(WHOLE_S * clock.US_PER_S)
        for pause_s in (*_PAUSES_S, None):
            try:
                return await act_within((ends - clock.steady()) / clock.US_PER_S)
            except Unavailable as problem:
                if pause_s is None or _state(problem.__cause__) not in postgresql.COLLISIONS:
                    raise
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        raise AssertionError("the last try returns or raises")

    async def now(self) -> int:
        """The database's clock, in microseconds: with SQLite the host's, which costs no I/O.

        Raises:
            Unavailable: the database cannot be reached.
        """
        if isinstance(self._connections, sqlite.Connections):
            return clock.now()
        async with _unavailable_as_such(), asyncio.timeout(QUICK_S):
            return await self._times.get(None)

    async def _look_at_clock(self, _: set[None]) -> int:
        ((at,),) = await self.read_alone(f"SELECT {postgresql.CLOCK}")
        return int(at)

    async def check_writable(self) -> None:
        """Nothing, if the database takes writes, as far as that can be told without one.

        Raises:
            Unavailable: it does not, as a standby or a read-only one, or cannot be reached.
        """
        async with self.read(QUICK_S) as conn:
            if not await _ENGINES[conn.dialect.name].writable(conn):
                self._connections.forget()
                await conn.invalidate()  # the next connection may find the primary
                raise Unavailable

    async def close(self) -> None:
        """Close every connection, those in use when they are given back: in 2 s at the most."""
        await self._connections.close()
        pool = cast("QueuePool", self.engine.pool)
        for _ in range(int(WHOLE_S / _LOOK_S)):
            if not pool.checkedout():
                break
            await asyncio.sleep(_LOOK_S)
        await self.engine.dispose()


async def now(conn: AsyncConnection) -> int:
    """The clock of the database, in microseconds: with SQLite the host's."""
    return int(await _ENGINES[conn.dialect.name].now(conn))


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


def _state(error: BaseException | None) -> str | None:
    """The SQLSTATE with which PostgreSQL told what is wrong, if it did."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _own_fault(error: DBAPIError) -> bool:
    """Whether what was asked is at fault, and not the database or the way there."""
    state = _state(error)
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
