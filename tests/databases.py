"""Where the tests' databases are: SQLite files, or a private PostgreSQL.

`STAKELINE_TESTS_ON=postgresql` chooses the latter; `tests/conftest.py` starts it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from stakeline.bet_maker.migrations import SCHEMA as BETS
from stakeline.db import migrating
from stakeline.line_provider.migrations import SCHEMA as LINE
from tests import cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stakeline.db.schema import Schema

SCHEMAS: dict[str, Schema] = {each.service: each for each in (LINE, BETS)}
ENGINE = os.environ.get("STAKELINE_TESTS_ON", "sqlite")
SERVER = "STAKELINE_TESTS_SERVER"
"""The environment variable in which a run's processes find its PostgreSQL."""


def url_of(folder: Path, name: str, service: str | None = None, server: str | None = None) -> str:
    """The URL of a test's own database: migrated when it is asked for first, else as it is.

    Args:
        folder: the test's own.
        name: what tells it from the test's other ones.
        service: whose it is; by default the one of this name. Without any it is empty.
        server: in place of the run's own, that of a PostgreSQL with templates.
    """
    if service is None and name in SCHEMAS:
        service = name
    if ENGINE == "postgresql":
        template = "template1" if service is None else _template_of(service)
        return cluster.database(server or os.environ[SERVER], folder, name, template)
    file = folder / f"{name}.sqlite3"
    if service is not None and not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(migrated_file(service))
    return f"sqlite:///{file}"


def make_templates(server: str) -> None:
    """Make in a PostgreSQL the databases that those of the tests are copies of.

    Args:
        server: its URL, with a place for a database's name.
    """
    for service, schema in SCHEMAS.items():
        template = _template_of(service)
        cluster.execute(server.format("postgres"), f"CREATE DATABASE {template}")
        cluster.run(migrating.migrate(server.format(template), schema))


def _template_of(service: str) -> str:
    return f"template_{service.replace('-', '_')}"


@cache
def migrated_file(service: str) -> bytes:
    """The SQLite file of a service that was never started."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.sqlite3"
        cluster.run(migrating.migrate(f"sqlite:///{file}", SCHEMAS[service]))
        return file.read_bytes()


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement that both engines understand, from outside of any service."""
    if url.startswith("postgresql"):
        return cluster.execute(url, statement)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn, conn:
        return conn.execute(statement).fetchall()


def copy(url: str, to: str) -> None:
    """Put a copy of a database that nobody uses in the place of another, which nobody uses."""
    if url.startswith("postgresql"):
        server = os.environ[SERVER].format("postgres")
        old, new = (one.rpartition("/")[2] for one in (url, to))
        cluster.execute(server, f"DROP DATABASE IF EXISTS {new} WITH (FORCE)")
        cluster.execute(server, f"CREATE DATABASE {new} TEMPLATE {old}")
        return
    source, target = (Path(one.removeprefix("sqlite:///")) for one in (url, to))
    for file in target.parent.glob(f"{target.name}*"):
        file.unlink()
    for file in source.parent.glob(f"{source.name}*"):
        shutil.copy(file, target.with_name(file.name.replace(source.name, target.name, 1)))


@asynccontextmanager
async def held(url: str) -> AsyncIterator[None]:
    """Somebody else holds the database: nobody can write until the block ends."""
    if url.startswith("sqlite"):
        file = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    connection = await asyncpg.connect(url, timeout=5)
    try:
        async with connection.transaction():
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            names = ", ".join(row["tablename"] for row in await connection.fetch(tables))
            await connection.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()
