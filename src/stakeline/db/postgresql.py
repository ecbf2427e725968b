"""PostgreSQL, at READ COMMITTED, through asyncpg; also behind a pooler that shares connections."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stakeline.db.driver import STATEMENT_S, Connection
from stakeline.db.keeping import Keeping
from stakeline.db.unfit import UnfitDatabase, UnsafeDurability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.engine import ExceptionContext

    from stakeline.db.keeping import Kept

OLDEST = 14
POOL_SIZE = 8
CONNECT_S = 2.0
"""How long a connection may take to be made, or to become free."""
COLLISIONS = {"40001", "40P01", "55P03"}
"""SQLSTATEs of a transaction that met another's locks or changes; repeated, it may get through."""
_READ_ONLY = "25006"
_TOLD = asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
"""What the driver raises; the last also where the server has said that it ends, but has not yet."""

_QUERY = {"host", "port", "ssl", "target_session_attrs"}

CLOCK = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
"""The database's clock, in microseconds: not of the transaction's start, but of this moment."""
ONE_MAKER = sa.text("SELECT pg_advisory_xact_lock(7308324465728515173)")
"""Until the transaction ends, one process migrates this database."""
_NO_LIMITS = sa.text("""
SELECT set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true)
""")
_FACTS = sa.text("""
SELECT current_setting('server_version_num')::int / 10000 AS major, pg_backend_pid() AS pid,
       (SELECT string_agg(name || ' = off', ', ' ORDER BY name) FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off')
       AS unsafe
""")
_WRITABLE = sa.text("SELECT current_setting('transaction_read_only') = 'off'")


class Connections:
    """Connections to one database; they are made when they are used.

    Args:
        url: as `check` takes it.
    """

    writes_at_once = 2  # while one is on its way to the disk the other is put together
    reads_at_once = 2  # twice as much, on two of its processors

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._keeping = Keeping()
        self.engine = self._create_engine(prepare=False)

    async def open(self, *, allow_unsafe: bool) -> None:
        """Find out what the server is.

        Raises:
            UnfitDatabase: it is too old.
            UnsafeDurability: it may lose what it acknowledged, and that was not allowed.
        """
        async with self.transaction(write=False, within_s=CONNECT_S) as conn:
            facts = (await conn.execute(_FACTS)).one()
            driver = (await conn.get_raw_connection()).driver_connection
            pooled = driver is not None and driver.get_server_pid() != facts.pid
        if facts.major < OLDEST:
            raise UnfitDatabase(f"is PostgreSQL {facts.major}; {OLDEST} is the oldest that will do")
        if facts.unsafe and not allow_unsafe:
            raise UnsafeDurability(f"PostgreSQL could lose acknowledged data: {facts.unsafe}")
        if not pooled:
            await self.engine.dispose()
            self.engine = self._create_engine(prepare=True)

    @asynccontextmanager
    async def transaction(
        self, *, write: bool, within_s: float | None
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end of the block if it is for writing.

        Args:
            write: whether it is.
            within_s: how long it may take, from asking for a connection to the end of COMMIT; None:
                it has no limits.
        """
        began = asyncio.get_running_loop().time()
        ends_at = None if within_s is None else began + within_s
        async with AsyncExitStack() as stack:
            async with asyncio.timeout_at(began + CONNECT_S if ends_at is None else ends_at):
                conn = await stack.enter_async_context(_cut_at(self.engine, ends_at))
            if write:
                await stack.enter_async_context(conn.begin())
            if ends_at is None:
                await conn.execute(_NO_LIMITS)
            yield conn

    async def write_alone(
        self, statement: str, parameters: Sequence[object], within_s: float
    ) -> Sequence[Sequence[Any]]:
        """The rows of one statement, with parameters `$1` and so on: a transaction by itself.

        What a transaction's BEGIN would limit the session does, unless a pooler shares it.

        Raises:
            DBAPIError: as SQLAlchemy raises it.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + within_s
        async with asyncio.timeout_at(ends_at):
            kept = await self._keeping.take(self.engine)
            while kept.driver.is_closed():
                await _drop(kept)
                kept = await self._keeping.take(self.engine)
        cut = loop.call_at(ends_at, kept.driver.cut)
        try:
            rows: Sequence[Sequence[Any]] = await kept.driver.fetch(statement, *parameters)
        except BaseException as error:
            state = getattr(error, "sqlstate", None) or ""
            if state == _READ_ONLY:
                self._keeping.forget()
                await self.engine.dispose()
            if not is_own_fault(state) and state not in COLLISIONS:
                kept.driver.terminate()  # it may be gone, at work, or a standby's
            if isinstance(error, _TOLD):
                raise DBAPIError.instance(statement, None, error, Exception) from error
            raise
        else:
            return rows
        finally:
            cut.cancel()
            if kept.driver.is_closed():
                await _drop(kept)
            else:
                await self._keeping.give(kept)

    read_alone = write_alone

    def forget(self) -> None:
        """Use none of the kept connections again."""
        self._keeping.forget()

    async def close(self) -> None:
        """Give back what is kept."""
        await self._keeping.close()

    def _create_engine(self, *, prepare: bool) -> AsyncEngine:
        """An engine.

        Args:
            prepare: statements once for each connection. Behind a pooler the next transaction may
                be on another of the server's connections, which knows nothing of what was prepared
                on the last one, and where a named statement would stay for good; nor may a session
                there have settings of ours.
        """
        how: dict[str, Any] = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        if prepare:
            how = {"server_settings": {"statement_timeout": f"{STATEMENT_S * 1000:.0f}"}}
        engine = create_async_engine(
            self._url.set(drivername="postgresql+asyncpg"),
            connect_args={"timeout": CONNECT_S, "connection_class": Connection} | how,
            pool_size=POOL_SIZE,
            max_overflow=0,
            hide_parameters=True,  # errors are logged, and what was asked is not for the log
            pool_timeout=CONNECT_S,
            pool_use_lifo=True,
        )
        event.listen(engine.sync_engine, "handle_error", self._give_up_standby)
        return engine

    def _give_up_standby(self, context: ExceptionContext) -> None:
        """Count a server that refuses to write as gone: it was the primary once, and is no more.

        All connections are then made anew, and may find the one that is.
        """
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True
            self._keeping.forget()


async def _drop(kept: Kept) -> None:
    """Give a broken connection back as one."""
    await kept.conn.invalidate()
    await kept.conn.close()


@asynccontextmanager
async def _cut_at(engine: AsyncEngine, ends_at: float | None) -> AsyncIterator[AsyncConnection]:
    """A connection; when it is time it is closed, and what waits for the server fails at once.

    A cancelled statement would still wait for the server to acknowledge that, and the rollback
    after it, too.
    """
    cut: asyncio.TimerHandle | None = None
    try:
        async with engine.connect() as conn:
            driver = (await conn.get_raw_connection()).driver_connection
            if ends_at is not None and driver is not None:
                cut = asyncio.get_running_loop().call_at(ends_at, driver.cut)
            yield conn
    finally:
        if cut is not None:
            cut.cancel()


def check(url: sa.URL) -> None:
    """Nothing, if the URL names a database, and says nothing that the driver does not know.

    Raises:
        ValueError: it does not.
    """
    if not url.database:
        raise ValueError("must name a database: postgresql://user@host/database")
    if unknown := sorted(set(url.query) - _QUERY):
        known = ", ".join(sorted(_QUERY))
        raise ValueError(f"must not have {unknown[0]}= ; what may follow the ? is {known}")


async def now(conn: AsyncConnection) -> int:
    """The server's clock, in microseconds."""
    return int((await conn.execute(sa.text(f"SELECT {CLOCK}"))).scalar_one())


def lock_timeout(wait_s: float) -> sa.TextClause:
    """The statement after which, until its transaction ends, no lock is waited for any longer."""
    return sa.text(f"SET LOCAL lock_timeout = {wait_s * 1000:.0f}")


async def writable(conn: AsyncConnection) -> bool:
    """Whether this server takes writes; a standby does not."""
    return bool((await conn.execute(_WRITABLE)).scalar_one())


def is_own_fault(state: str) -> bool:
    """Whether an SQLSTATE says that what was asked is wrong: its data, or by a constraint."""
    return state[:2] in {"22", "23"}
