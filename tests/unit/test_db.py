"""One database: who may write when, and what becomes of the others."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from stakeline import clock, db
from stakeline.db import Database
from stakeline.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

metadata = sa.MetaData()
marks = sa.Table(
    "marks", metadata, sa.Column("mark", sa.Integer, primary_key=True), sqlite_strict=True
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is, in a folder that is not there yet."""
    return tmp_path / "data" / "marks.sqlite3"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    """A database with a table of marks."""
    database = Database(f"sqlite:///{file}")
    async with database.write() as conn:
        await conn.run_sync(metadata.create_all)
    yield database
    await database.close()


async def mark(database: Database, number: int) -> None:
    """Write one row."""
    async with database.write() as conn:
        await conn.execute(marks.insert().values(mark=number))


async def marked(database: Database) -> list[int]:
    """The rows."""
    async with database.read() as conn:
        return list(await conn.scalars(sa.select(marks.c.mark).order_by(marks.c.mark)))


async def test_a_transaction_is_kept_or_undone_as_a_whole(database: Database) -> None:
    """An error inside a writing block leaves nothing of it."""
    await mark(database, 1)

    async def fail() -> None:
        async with database.write() as conn:
            await conn.execute(marks.insert().values(mark=2))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await marked(database) == [1]


async def test_the_disk_has_what_was_committed(database: Database) -> None:
    """Write-ahead log, full synchronisation, foreign keys: as the promise needs them."""
    async with database.read() as conn:
        modes = [
            await conn.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert modes == ["wal", 2, 1]


async def test_writers_of_a_process_take_turns(database: Database) -> None:
    """A hundred at once are all written: none is told that the database is busy."""
    await asyncio.gather(*(mark(database, number) for number in range(100)))
    assert await marked(database) == list(range(100))


async def test_writers_of_two_processes_wait_for_one_another(
    database: Database, file: Path
) -> None:
    """Who reads first and writes then has the database from the start: nobody fails half way."""
    other = Database(f"sqlite:///{file}")

    async def count(each: Database) -> None:
        for _ in range(20):
            async with each.write() as conn:
                last = await conn.scalar(sa.select(sa.func.max(marks.c.mark)))
                await asyncio.sleep(0)
                await conn.execute(marks.insert().values(mark=(last or 0) + 1))

    await asyncio.gather(count(database), count(other))
    assert await marked(database) == list(range(1, 41))
    await other.close()


async def test_a_reader_keeps_its_state_while_others_write(database: Database) -> None:
    """A reading block sees one consistent state and holds up no writer."""
    async with database.read() as conn:
        before = await conn.scalar(sa.select(sa.func.count()).select_from(marks))
        await mark(database, 1)
        after = await conn.scalar(sa.select(sa.func.count()).select_from(marks))
    assert (before, after) == (0, 0)
    assert await marked(database) == [1]


async def test_a_database_that_another_process_holds_is_unavailable(
    database: Database, file: Path
) -> None:
    """Within about two seconds each writer is told; readers go on; later all is well."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.perf_counter()
    refused = await asyncio.gather(
        *(mark(database, number) for number in range(3)), return_exceptions=True
    )
    assert [type(error) for error in refused] == [Unavailable] * 3
    assert 1.5 < time.perf_counter() - began < 4.5
    assert await marked(database) == []
    other.close()
    await mark(database, 7)
    assert await marked(database) == [7]


async def test_a_full_disk_is_unavailable_and_harms_nothing(database: Database) -> None:
    """What does not fit is not written, and what is there stays readable."""
    await mark(database, 1)
    async with database.write() as conn:
        await conn.execute(sa.text("CREATE TABLE big (bytes BLOB)"))
        await conn.execute(sa.text("PRAGMA max_page_count = 1"))  # stands for a full disk
    with pytest.raises(Unavailable):
        async with database.write() as conn:
            await conn.execute(sa.text("INSERT INTO big VALUES (zeroblob(1000000))"))
    assert await marked(database) == [1]


async def test_a_statement_that_is_wrong_is_not_the_databases_fault(database: Database) -> None:
    """A broken rule stays an IntegrityError, so that it is not repeated in vain."""
    await mark(database, 1)
    with pytest.raises(IntegrityError):
        await mark(database, 1)
    with pytest.raises(DBAPIError):
        async with database.write() as conn:
            await conn.execute(sa.text("INSERT INTO marks VALUES ('text')"))


@pytest.fixture
def damaged(file: Path) -> Path:
    """A file that is no database."""
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, whatever its name says" * 100)
    return file


def test_a_file_that_is_no_database_is_not_opened(damaged: Path) -> None:
    """A damaged file is told as such, before anything is started on it."""
    with pytest.raises(OSError, match="not a database"):
        Database(f"sqlite:///{damaged}")


async def test_the_databases_time_is_the_hosts(database: Database) -> None:
    """With SQLite there is one clock."""
    async with database.read() as conn:
        before, now, after = clock.now(), await db.now(conn), clock.now()
    assert before <= now <= after


def test_an_sqlite_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without STRICT tables there is no start."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(ValueError, match="the oldest that will do"):
        db.check_url("sqlite:///stakeline.sqlite3")
