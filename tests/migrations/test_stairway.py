"""Every migration, there and back and there again; and where all of them lead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from stakeline.db import Database, migrating
from stakeline.db.schema import Moved
from tests.databases import url_of
from tests.migrations.catalogs import OWN, catalog
from tests.migrations.schemas import SERVICES, schema_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parametrize("service", SERVICES)


async def test_each_migration_can_be_undone_and_done_again(tmp_path: Path, service: str) -> None:
    """A step back leaves what was there before it, and a step forth is the same each time."""
    url, schema = url_of(tmp_path, "empty"), schema_of(service)
    for number in range(1, schema.number + 1):
        before = catalog(url)
        assert await migrating.migrate(url, schema, number) == Moved(number - 1, number)
        after = catalog(url)
        assert after != before
        assert await migrating.downgrade(url, schema, number - 1) == Moved(number, number - 1)
        assert catalog(url) == before
        assert await migrating.migrate(url, schema, number) == Moved(number - 1, number)
        assert catalog(url) == after
    assert await migrating.downgrade(url, schema, 0) == Moved(schema.number, 0)
    assert catalog(url) == set()
    assert await migrating.migrate(url, schema) == Moved(0, schema.number)


async def test_migrations_lead_to_the_tables(tmp_path: Path, service: str) -> None:
    """The schema is the one that the code's tables describe: to Alembic, and to the database."""
    schema = schema_of(service)
    made = Database(url_of(tmp_path, "made"))
    async with made.write() as conn:
        await conn.run_sync(schema.tables.create_all)
    await made.close()
    assert catalog(url_of(tmp_path, service)) == catalog(url_of(tmp_path, "made"))
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    url = sa.make_url(url_of(tmp_path, service))
    # Not through our own engine, which reads no JSON: SQLAlchemy is told of columns in it.
    migrated = create_async_engine(url.set(drivername=drivers[url.drivername]))
    async with migrated.connect() as conn:
        assert await conn.run_sync(_differences, schema.tables) == []
    await migrated.dispose()


def _differences(conn: sa.Connection, tables: sa.MetaData) -> list[Any]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name not in OWN,
    }
    return list(compare_metadata(MigrationContext.configure(conn, opts=options), tables))


def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    """File, revision and predecessor agree, and no step makes older code welcome again."""
    schema = schema_of(service)
    scripts = {
        script.revision: script
        for script in ScriptDirectory(str(schema.migrations)).walk_revisions()
    }
    oldest = 1
    assert len(scripts) == schema.number
    for number in range(1, schema.number + 1):
        script = scripts[f"{number:04}"]
        assert re.match(rf"{number:04}_\w+\.py$", script.path.rpartition("/")[2])
        assert script.down_revision == (f"{number - 1:04}" if number > 1 else None)
        assert oldest <= script.module.compatible_from <= number
        oldest = script.module.compatible_from
