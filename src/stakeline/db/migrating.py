"""Carrying migrations out, one by one, while services run.

Each is a transaction of its own that changes the schema and says so, or does neither. Alembic is
imported here alone, since that takes its time.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from stakeline import clock
from stakeline.db import Database, postgresql, schema
from stakeline.db.schema import Moved, compatibility
from stakeline.db.unfit import WrongSchema
from stakeline.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db.schema import Schema

LOCK_S = 0.5
"""How long a migration waits for a table: whoever comes after it waits as long."""
PATIENCE_S = 60.0
"""How long a migration is tried anew while others hold a table, or migrate themselves."""
_PAUSE_S = 0.5


async def migrate(url: str, needed: Schema, to: int | None = None) -> Moved:
    """Bring a database to the schema that the code needs; a newer one is left as it is.

    Safe at any time, while services run, and by several processes at once.

    Args:
        url: of the database, as `db.check_url` takes it.
        needed: by the service.
        to: an older schema than that.

    Raises:
        WrongSchema: the database cannot be brought there; the message is one line.
        Unavailable: it cannot be reached, others held for a minute what the next migration
            needs, or that does not fit what the database holds; it has changed nothing.
        OSError: its file cannot be opened.
    """
    return await _move(url, needed, needed.number if to is None else to)


async def downgrade(url: str, needed: Schema, to: int) -> Moved:
    """Take a database back to an older schema; what only the newer ones can hold is lost.

    Raises:
        Exception: as `migrate`.
    """
    return await _move(url, needed, to, back=True)


async def _move(url: str, needed: Schema, to: int, *, back: bool = False) -> Moved:
    database = Database(url)
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine.sync_engine, "connect", _without_foreign_keys)
    try:
        first = moved = await _patiently(database, needed, to, back=back)
        while moved.before != moved.after:
            moved = await _patiently(database, needed, to, back=back)
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise Unavailable from error
    finally:
        await database.close()
    return Moved(first.before, moved.after)


def _without_foreign_keys(connection: DBAPIConnection, _: object) -> None:
    """A table that SQLite has to make anew is dropped on the way; its rows are checked later."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.close()


async def _patiently(database: Database, needed: Schema, to: int, *, back: bool) -> Moved:
    """As `_step`; again and again while others hold what it needs."""
    give_up_at = clock.steady() + PATIENCE_S * clock.US_PER_S
    while True:
        try:
            return await _step(database, needed, to, back=back)
        except (Unavailable, sqlite3.OperationalError) as error:
            if not _is_held(error) or clock.steady() > give_up_at:
                raise
        await asyncio.sleep(_PAUSE_S)  # those that waited behind it have their turn


def _is_held(error: BaseException | None) -> bool:
    if isinstance(error, Unavailable):
        error = error.__cause__
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(cause, "sqlstate", None) in postgresql.COLLISIONS


async def _step(database: Database, needed: Schema, to: int, *, back: bool) -> Moved:
    """Carry out the one migration that is next on the way, if any is."""
    async with _turn(database) as conn:
        found = await schema.read(conn, needed.service)
        if found is None:
            await _expect_nothing(conn, needed)
        else:
            schema.check_compatible(found, needed)
        before = 0 if found is None else found.number
        if (before <= to) if back else (before >= to):
            return Moved(before, before)
        step = _Step(needed, before if back else before + 1, back=back)
        if step.stands_apart and conn.dialect.name == "postgresql":
            # CONCURRENTLY waits for all that can still see the past, as this transaction does
            # until it runs a statement that reads nothing.
            await conn.execute(postgresql.lock_timeout(LOCK_S))
            async with database.engine.connect() as apart:
                await apart.execution_options(isolation_level="AUTOCOMMIT")
                await apart.run_sync(step.change)
        else:
            await conn.run_sync(step.change)
            await _expect_references(conn)
        await conn.run_sync(step.note)
        return Moved(before, step.after)


@asynccontextmanager
async def _turn(database: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction in which nobody else migrates this database."""
    async with database.write(within_s=None) as conn:
        if conn.dialect.name == "postgresql":
            await conn.execute(postgresql.lock_timeout(PATIENCE_S))
            await conn.execute(postgresql.ONE_MAKER)
            await conn.execute(postgresql.lock_timeout(LOCK_S))
        yield conn


async def _expect_nothing(conn: AsyncConnection, needed: Schema) -> None:
    there = await conn.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    if ours := set(there) & set(needed.tables.tables):
        raise WrongSchema(
            f"the database has a table `{min(ours)}` that no migration has made, as a checkout"
            " from before migrations leaves it: remove the database, or name another"
        )


async def _expect_references(conn: AsyncConnection) -> None:
    if conn.dialect.name != "sqlite":
        return
    broken = (await conn.exec_driver_sql("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise WrongSchema(f"a row of `{broken[0]}` would refer to nothing; nothing was changed")


class _Step:
    """One migration, there or back.

    Attributes:
        after: the schema that it leads to.
        stands_apart: whether it must run outside of a transaction.
    """

    def __init__(self, needed: Schema, number: int, *, back: bool) -> None:
        self.after = number - 1 if back else number
        self._scripts = ScriptDirectory(str(needed.migrations))
        self._service, self._back = needed.service, back
        self._module = self._load(number)
        self.stands_apart = getattr(self._module, "stands_apart", False)

    def _load(self, number: int) -> Any:  # noqa: ANN401 - a migration's module
        return self._scripts.get_revision(f"{number:04}").module

    def change(self, conn: sa.Connection) -> None:
        """Change the schema."""
        move = self._module.downgrade if self._back else self._module.upgrade
        move(Operations(MigrationContext.configure(conn)))

    def note(self, conn: sa.Connection) -> None:
        """Note which schema it then is, and whose code can run on it."""
        context = MigrationContext.configure(conn)
        if self.after == 0:
            context.stamp(self._scripts, "base")
            compatibility.drop(conn)
            return
        context.stamp(self._scripts, f"{self.after:04}")
        compatibility.create(conn, checkfirst=True)
        compatible_from = self._load(self.after).compatible_from
        conn.execute(compatibility.delete())
        conn.execute(
            compatibility.insert().values(service=self._service, compatible_from=compatible_from)
        )
