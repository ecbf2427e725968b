"""Reading an SQLite file, whether its service runs or not; no file is made."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from stakeline.verification.source import (
    MARKS,
    PORTION,
    Disturbed,
    Source,
    Unverifiable,
    kind_of_rows,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from stakeline.verification.source import Row

_BUSY_S = 2.0

# line-provider's tables refer to none; in bet-maker's only the bets do.
_DANGLING = """
SELECT wrong."table" AS child, coalesce(bets.bet_id, 'rowid ' || wrong.rowid) AS key, wrong.parent
FROM pragma_foreign_key_check AS wrong
LEFT JOIN bets ON wrong."table" = 'bets' AND bets.rowid = wrong.rowid
"""


@dataclass(frozen=True, slots=True)
class File(Source):
    """An SQLite file.

    Attributes:
        conn: a connection that only reads.
    """

    conn: AsyncConnection

    async def rows(self, query: str, **values: object) -> AsyncGenerator[Row, None]:
        """The rows of a query of any length, in constant memory."""
        with _told(self.name, self.where):
            async with self.conn.stream(sa.text(query), values) as stream:
                row_of = kind_of_rows(stream.keys())
                async for portion in stream.partitions(PORTION):
                    self.read(len(portion))
                    for row in portion:
                        yield row_of(row)

    async def all(self, query: str, **values: object) -> list[Row]:
        """The rows of a query that has few."""
        with _told(self.name, self.where):
            return list((await self.conn.execute(sa.text(query), values)).all())

    async def unsound(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        try:
            found = [str(told) for (told,) in await self.all("PRAGMA integrity_check(1000)")]
        except Unverifiable as error:  # so unsound that not even that can be told
            return [error.problem]
        return [told for told in found if told != "ok"]

    async def dangling(self) -> list[tuple[str, str, str]]:
        """Rows that refer to none, as SQLite finds them: (table, row, problem)."""
        if self.name != "bet-maker":
            return []
        return [
            (row.child, row.key, f"refers to a row of {row.parent} that is not there")
            for row in await self.all(_DANGLING)
        ]


@asynccontextmanager
async def opened(name: str, url: sa.URL, read: Callable[[int], None]) -> AsyncIterator[Source]:
    """As `opening.opened`."""
    file = _file_of(url)
    where = str(file)
    if not file.is_file():
        raise Unverifiable(name, f"{where}: there is no such file")
    # A database in WAL mode that nobody has open cannot be read without making two files beside
    # it, unless it is declared unchanging; so it is, and looked at again at the end.
    unused = not _log_of(file).exists()
    before = file.stat()
    options = {"mode": "ro", "immutable": "1"} if unused else {"mode": "ro"}
    try:
        with closing(sqlite3.connect(_uri(file, options), uri=True, timeout=_BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version")  # here it is one exception
    except sqlite3.Error as error:
        raise Unverifiable(name, f"{where}: {error}") from None
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=_path(file), query=options | {"uri": "true"}),
        connect_args={"isolation_level": None, "timeout": _BUSY_S},
    )
    event.listen(engine.sync_engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
    try:
        async with engine.connect() as conn:
            with _told(name, where):
                await _recognise(conn, name, where)
            yield File(name, where, conn, read=read)
    finally:
        await engine.dispose()
    after = file.stat()
    changed = (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size)
    if unused and (changed or _log_of(file).exists()):
        raise Disturbed(name, f"{where}: a service opened it meanwhile; run this again")


@contextmanager
def _told(name: str, where: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        why = str(error.orig).partition("\n")[0]
        raise Unverifiable(name, f"{where}: {why}") from None


async def _recognise(conn: AsyncConnection, name: str, where: str) -> None:
    try:
        await conn.execute(sa.text(MARKS[name]))
    except DBAPIError as error:
        if "no such" not in str(error.orig):
            raise
        raise Unverifiable(name, f"{where}: is not a database of {name}") from None


def _file_of(url: sa.URL) -> Path:
    return Path(url.database or "").absolute()


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _path(file: Path) -> str:
    return f"file:{quote(str(file))}"


def _uri(file: Path, options: dict[str, str]) -> str:
    return f"{_path(file)}?" + "&".join(f"{name}={value}" for name, value in options.items())
