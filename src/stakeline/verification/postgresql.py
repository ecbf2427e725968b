"""Reading a PostgreSQL database in one transaction, also behind a pooler that shares connections.

Nothing is asked of the session and no statement keeps a name, as the next transaction may be on
another of the server's connections; what is open in between are cursors of this transaction.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import ArgumentError

from stakeline.verification.source import MARKS, PORTION, Source, Unverifiable, kind_of_rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    import sqlalchemy as sa

    from stakeline.verification.source import Row

_CONNECT_S = 10.0
_CLOSE_S = 2.0
_NUMBERS = count(1)

# A server may limit how long a statement works or a transaction idles; reading millions of rows,
# and another database meanwhile, takes longer. All rows of a cursor are wanted: a plan that has the
# first ones soon is of no use.
_BEGIN = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL cursor_tuple_fraction = 1"""
_NOT_THERE = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_BROKEN = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_VALUE = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Server(Source):
    """A database on a PostgreSQL server.

    Attributes:
        connection: in a transaction that sees one state, and only reads.
    """

    connection: Any

    async def rows(self, query: str, **values: object) -> AsyncGenerator[Row, None]:
        """The rows of a query of any length, in constant memory.

        A cursor that is not read to its end stays until the transaction's.
        """
        cursor = f"reading_{next(_NUMBERS)}"
        text, ordered = _in_order(query, values)
        with _told(self.name, self.where):
            await self.connection.fetch(f"DECLARE {cursor} NO SCROLL CURSOR FOR {text}", *ordered)
            row_of: Callable[[Any], Row] | None = None
            while True:
                portion = await self.connection.fetch(f"FETCH {PORTION} FROM {cursor}")
                self.read(len(portion))
                for record in portion:
                    row_of = row_of or kind_of_rows(record.keys())
                    yield row_of(record)
                if len(portion) < PORTION:
                    break
            await self.connection.execute(f"CLOSE {cursor}")

    async def all(self, query: str, **values: object) -> list[Row]:
        """The rows of a query that has few."""
        text, ordered = _in_order(query, values)
        with _told(self.name, self.where):
            found = await self.connection.fetch(text, *ordered)
        return [kind_of_rows(record.keys())(record) for record in found]


@asynccontextmanager
async def opened(name: str, url: sa.URL, read: Callable[[int], None]) -> AsyncIterator[Source]:
    """As `opening.opened`."""
    connection, where = await _connect(name, url)
    try:
        with _told(name, where):
            await connection.execute(_BEGIN)
            await _recognise(connection, name, where)
        yield Server(name, where, connection, read=read)
        with suppress(*_BROKEN):
            await connection.execute("ROLLBACK")
    finally:
        with suppress(*_BROKEN):
            await connection.close(timeout=_CLOSE_S)


async def _connect(name: str, url: sa.URL) -> tuple[Any, str]:
    where = f"{url.host or 'PostgreSQL'}/{url.database}"
    try:
        options = _options(url)
        where = _where(options)
        return await asyncpg.connect(**options), where
    except (*_BROKEN, ArgumentError, TypeError, ValueError) as error:  # the URL's options, too
        raise Unverifiable(name, f"{where}: {_line(error)}") from None


async def _recognise(connection: Any, name: str, where: str) -> None:  # noqa: ANN401 - no types
    try:
        await connection.fetch(MARKS[name])
    except _NOT_THERE:
        raise Unverifiable(name, f"{where}: is not a database of {name}") from None


def _in_order(query: str, values: dict[str, object]) -> tuple[str, list[object]]:
    """The query with its values by number, and in this order."""
    names = list(values)
    text = _VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", query)
    return text.replace("COLLATE BINARY", 'COLLATE "C"'), list(values.values())


def _options(url: sa.URL) -> dict[str, Any]:
    """What the services' own connections are made with, but for names of statements."""
    _, options = PGDialect_asyncpg().create_connect_args(url)  # type: ignore[no-untyped-call]
    options.pop("prepared_statement_cache_size", None)
    return dict(options, statement_cache_size=0, timeout=_CONNECT_S)


def _where(options: dict[str, Any]) -> str:
    """Host, port and database: all that a complaint needs, and nothing secret."""
    host, port = options.get("host", "localhost"), options.get("port", 5432)
    return f"{host}:{port}/{options.get('database')}"


@contextmanager
def _told(name: str, where: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise Unverifiable(name, f"{where}: {_line(error)}") from None


def _line(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "does not answer"
    return str(error).partition("\n")[0] or type(error).__name__
