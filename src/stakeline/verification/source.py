"""The databases as verification reads them: in one state each, changing nothing."""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

L = TypeVar("L")
R = TypeVar("R")

Row: TypeAlias = Any
"""A row of a query, its columns as attributes."""

_BUSY_S = 2.0
_PORTION = 1000
_MARKS = {"line-provider": "SELECT epoch, seq FROM head", "bet-maker": "SELECT mode FROM cursor"}
"""What only this service's database answers; the first read also fixes the state that is seen."""

# line-provider's tables refer to none; in bet-maker's only the bets do.
_DANGLING = """
SELECT wrong."table" AS child, coalesce(bets.bet_id, 'rowid ' || wrong.rowid) AS key, wrong.parent
FROM pragma_foreign_key_check AS wrong
LEFT JOIN bets ON wrong."table" = 'bets' AND bets.rowid = wrong.rowid
"""


class Unverifiable(Exception):
    """A database cannot be read; the message is one line that says which and why.

    Attributes:
        database: `line-provider` or `bet-maker`.
        problem: the file, and why it cannot be read.
    """

    def __init__(self, database: str, problem: str) -> None:
        super().__init__(f"{database}: {problem}")
        self.database = database
        self.problem = problem


class Disturbed(Unverifiable):
    """A service began to change a database that nobody had open: what was read may be anything."""


def ignore(_: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases to read; at least one is given.

    Attributes:
        line: line-provider's URL, or None.
        bets: bet-maker's URL, or None.
    """

    line: str | None
    bets: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """One service's database, in the state in which it was when it was opened.

    Attributes:
        name: `line-provider` or `bet-maker`.
        file: where it is, for complaints.
        conn: a connection that only reads.
        read: told how many rows of `rows` have been read since it was told last.
    """

    name: str
    file: Path
    conn: AsyncConnection
    read: Callable[[int], None] = ignore

    async def rows(self, query: str, **values: object) -> AsyncGenerator[Row, None]:
        """The rows of a query of any length, in constant memory."""
        with _told(self.name, self.file):
            async with self.conn.stream(sa.text(query), values) as stream:
                # Half the time would go into reading columns of SQLAlchemy's own rows.
                kind = namedtuple("Row", stream.keys())  # type: ignore[misc]  # noqa: PYI024
                async for portion in stream.partitions(_PORTION):
                    self.read(len(portion))
                    for row in portion:
                        yield kind._make(row)

    async def all(self, query: str, **values: object) -> list[Row]:
        """The rows of a query that has few."""
        with _told(self.name, self.file):
            return list((await self.conn.execute(sa.text(query), values)).all())

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        ((number,),) = await self.all(f"SELECT count(*) FROM {table}")  # noqa: S608 - a constant
        return int(number)

    async def unsound(self) -> list[str]:
        """What SQLite itself finds wrong with the file; of other engines, nothing."""
        if self.conn.dialect.name != "sqlite":
            return []
        try:
            found = [str(told) for (told,) in await self.all("PRAGMA integrity_check(1000)")]
        except Unverifiable as error:  # so unsound that not even that can be told
            return [error.problem]
        return [told for told in found if told != "ok"]

    async def dangling(self) -> list[tuple[str, str, str]]:
        """Rows that refer to none, as SQLite finds them: (table, row, problem)."""
        if self.conn.dialect.name != "sqlite" or self.name != "bet-maker":
            return []
        return [
            (row.child, row.key, f"refers to a row of {row.parent} that is not there")
            for row in await self.all(_DANGLING)
        ]


@asynccontextmanager
async def opened(
    name: str, url: str, read: Callable[[int], None] = ignore
) -> AsyncIterator[Source]:
    """A service's database for reading, whether the service runs or not; no file is made.

    Args:
        name: `line-provider` or `bet-maker`.
        url: one that `db.check_url` takes.
        read: told of every portion of rows that was read.

    Raises:
        Unverifiable: there is none, it is no database or not this service's, or it breaks off.
        Disturbed: at the end, if a service opened it after it had been found unused.
    """
    file = _file_of(url)
    if not file.is_file():
        raise Unverifiable(name, f"{file}: there is no such file")
    # A database in WAL mode that nobody has open cannot be read without making two files beside
    # it, unless it is declared unchanging; so it is, and looked at again at the end.
    unused = not _log_of(file).exists()
    before = file.stat()
    options = {"mode": "ro", "immutable": "1"} if unused else {"mode": "ro"}
    try:
        with closing(sqlite3.connect(_uri(file, options), uri=True, timeout=_BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version")  # here it is one exception: see `db`
    except sqlite3.Error as error:
        raise Unverifiable(name, f"{file}: {error}") from None
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=_path(file), query=options | {"uri": "true"}),
        connect_args={"isolation_level": None, "timeout": _BUSY_S},
    )
    event.listen(engine.sync_engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
    try:
        async with engine.connect() as conn:
            with _told(name, file):
                await _recognise(conn, name, file)
            yield Source(name, file, conn, read)
    finally:
        await engine.dispose()
    after = file.stat()
    changed = (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size)
    if unused and (changed or _log_of(file).exists()):
        raise Disturbed(name, f"{file}: a service opened it meanwhile; run this again")


async def merged(
    left: AsyncIterator[L],
    right: AsyncIterator[R],
    left_key: Callable[[L], Any],
    right_key: Callable[[R], Any],
) -> AsyncIterator[tuple[Any, Any]]:
    """Two streams side by side, both rising by their keys: an outer join in constant memory.

    Any number of rows of `left` may share a key; each comes with the row of `right` that has it, or
    with None. A row of `right` that has no partner comes with None, too.
    """
    row = await anext(right, None)
    met: Any = None
    async for one in left:
        key = left_key(one)
        while row is not None and right_key(row) < key:
            if right_key(row) != met:
                yield None, row
            row = await anext(right, None)
        if row is not None and right_key(row) == key:
            met = key
            yield one, row
        else:
            yield one, None
    while row is not None:
        if right_key(row) != met:
            yield None, row
        row = await anext(right, None)


async def none() -> AsyncIterator[Any]:
    """A stream without rows."""
    rows: tuple[Any, ...] = ()
    for row in rows:
        yield row


@contextmanager
def _told(name: str, file: Path) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        why = str(error.orig).partition("\n")[0]
        raise Unverifiable(name, f"{file}: {why}") from None


async def _recognise(conn: AsyncConnection, name: str, file: Path) -> None:
    try:
        await conn.execute(sa.text(_MARKS[name]))
    except DBAPIError as error:
        if "no such" not in str(error.orig):
            raise
        raise Unverifiable(name, f"{file}: is not a database of {name}") from None


def _file_of(url: str) -> Path:
    return Path(sa.make_url(url).database or "").absolute()


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _path(file: Path) -> str:
    return f"file:{quote(str(file))}"


def _uri(file: Path, options: dict[str, str]) -> str:
    return f"{_path(file)}?" + "&".join(f"{name}={value}" for name, value in options.items())
