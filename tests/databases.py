"""Where the tests' databases are: SQLite files, or a private PostgreSQL.

`STAKELINE_TESTS_ON=postgresql` chooses the latter; `tests/conftest.py` starts it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from tests import cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENGINE = os.environ.get("STAKELINE_TESTS_ON", "sqlite")
SERVER = "STAKELINE_TESTS_SERVER"
"""The environment variable in which a run's processes find its PostgreSQL."""


def url_of(folder: Path, name: str) -> str:
    """The URL of the database that a service of this name has in this test."""
    if ENGINE == "sqlite":
        return f"sqlite:///{folder}/{name}.sqlite3"
    return cluster.database(os.environ[SERVER], folder, name)


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
