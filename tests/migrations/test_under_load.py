"""A migration while requests go on: nobody is told worse than to come again, and old code stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from stakeline.db import migrating
from stakeline.db.schema import Moved
from tests import databases
from tests.databases import url_of
from tests.migrations.schemas import SERVICES, schema_of, with_next
from tests.serving import bet_maker, line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

    from stakeline.db.schema import Schema
    from tests.serving import Served

AT_ONCE = 4
PATIENCE_S = 60


class Traffic:
    """Requests that read and write, one after the other from each of some clients.

    Attributes:
        statuses: how often each status was answered.
    """

    def __init__(self, served: Served, path: str, body: dict[str, Any]) -> None:
        self.statuses: Counter[int] = Counter()
        self._served, self._path, self._body = served, path, body
        self._numbers = count()

    @property
    def written(self) -> int:
        """How many rows were made."""
        return self.statuses[201]

    async def go_on(self) -> None:
        """Send requests until cancelled."""
        while True:
            number = next(self._numbers)
            body = self._body | {"event_id": f"event-{number}"}
            self.statuses[(await self._served.post(self._path, body)).status_code] += 1
            answer = await self._served.get(f"{self._path}?limit=5")
            self.statuses[answer.status_code] += 1

    async def until_written(self, more: int) -> None:
        """Return once so many more rows were made."""
        wanted = self.written + more
        async with asyncio.timeout(PATIENCE_S):
            while self.written < wanted:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def flowing(served: Served, path: str, body: dict[str, Any]) -> AsyncIterator[Traffic]:
    """Requests go on until the block ends, and none of them may have failed but by 503."""
    traffic = Traffic(served, path, body)
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(traffic.go_on()) for _ in range(AT_ONCE)]
        yield traffic
        for client in clients:
            client.cancel()
    assert set(traffic.statuses) <= {200, 201, 503}, traffic.statuses


@asynccontextmanager
async def somebody_reads(url: str) -> AsyncIterator[None]:
    """A transaction has read a table, and goes on: no change of it can begin meanwhile."""
    if url.startswith("sqlite"):  # where a reader is in nobody's way
        yield
        return
    connection = await asyncpg.connect(url, timeout=5)
    try:
        async with connection.transaction():
            await connection.fetch("SELECT count(*) FROM events")
            yield
    finally:
        await connection.close()


async def until_it_waits(url: str) -> None:
    """Return once somebody waits for a lock of a whole table."""
    query = """SELECT 1 FROM pg_locks JOIN pg_database ON database = pg_database.oid
    WHERE datname = current_database() AND NOT granted AND mode = 'AccessExclusiveLock'"""
    async with asyncio.timeout(PATIENCE_S):
        while url.startswith("postgresql") and not databases.execute(url, query):
            await asyncio.sleep(0.01)


def later(service: str, folder: Path) -> Schema:
    """Three migrations further: a column, a table, and an index."""
    schema = schema_of(service)
    column = "op.execute('ALTER TABLE events ADD COLUMN more INTEGER')"
    schema = with_next(schema, folder, column)
    schema = with_next(schema, folder, "op.execute('CREATE TABLE later (id INTEGER PRIMARY KEY)')")
    index = "'events_by_name', 'events', ['name']"
    create = f"op.create_index({index}, postgresql_concurrently=True)"
    return with_next(schema, folder, create, more="stands_apart = True")


def app_of(service: str, folder: Path) -> tuple[FastAPI, str, dict[str, Any]]:
    """The service on its database of this test; where to write what."""
    if service == "line-provider":
        return line_provider(folder), "/events", {"coefficient": 1.5}
    return bet_maker(folder, None), "/bets", {"amount": 1}


@pytest.mark.parametrize("service", SERVICES)
async def test_requests_go_on_while_a_migration_waits_and_after_it(
    tmp_path: Path, service: str
) -> None:
    """Also while somebody holds up the migration; the code from before serves and starts on it."""
    url, schema = url_of(tmp_path, service), later(service, tmp_path)
    number = schema_of(service).number
    app, path, body = app_of(service, tmp_path)
    async with serving(app) as served, flowing(served, path, body) as traffic:
        await traffic.until_written(10)
        async with somebody_reads(url):
            migration = asyncio.create_task(migrating.migrate(url, schema))
            await until_it_waits(url)
            await traffic.until_written(50)
        assert await migration == Moved(number, schema.number)
        await traffic.until_written(50)
    app, path, body = app_of(service, tmp_path)
    async with serving(app) as served:
        assert (await served.get("/readyz")).is_success
        listed = (await served.get(f"{path}?limit=1000")).json()
        assert len(listed) >= min(traffic.written, 1000)
