"""A statement whose time is over just when its answer comes: its caller is told to come again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from stakeline.db import QUICK_S
from stakeline.errors import Unavailable
from tests.bet_maker.replica import open_replica
from tests.databases import execute

if TYPE_CHECKING:
    from pathlib import Path

    from stakeline.db import Database


ENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def stand_still() -> None:
    """Let the process, once it has sent what it sends next, find answer and end of time at once."""
    asyncio.get_running_loop().call_soon(time.sleep, QUICK_S + 0.1)


async def test_a_statement_by_itself(tmp_path: Path) -> None:
    """It has several round trips, since it is new to the server, and is between two of them."""
    async with open_replica(tmp_path) as replica:
        await replica.database.read_alone("SELECT 1")
        stand_still()
        with pytest.raises(Unavailable):
            await replica.database.read_alone("SELECT 2")
        assert [*await replica.database.read_alone("SELECT 2")] == [(2,)]


async def test_a_statement_of_a_transaction(tmp_path: Path) -> None:
    """So is one that SQLAlchemy prepares."""
    async with open_replica(tmp_path) as replica:
        with pytest.raises(Unavailable):
            await two_statements(replica.database)
        async with replica.database.read() as conn:
            assert (await conn.exec_driver_sql("SELECT 2")).scalar_one() == 2


async def two_statements(database: Database) -> None:
    """A transaction whose second statement takes too long."""
    async with database.read(QUICK_S) as conn:
        await conn.exec_driver_sql("SELECT 1")
        stand_still()
        await conn.exec_driver_sql("SELECT 2")


async def test_a_kept_connection_that_is_cut_is_not_kept(tmp_path: Path) -> None:
    """An answer that came in the last moment counts; who comes next has another connection."""
    async with open_replica(tmp_path) as replica:
        await replica.database.open(allow_unsafe=True)  # from then on statements are prepared once
        await replica.database.read_alone("SELECT 2")
        stand_still()
        assert [*await replica.database.read_alone("SELECT 2")] == [(2,)]
        assert [*await replica.database.read_alone("SELECT 2")] == [(2,)]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_a_server_that_ends_just_before(tmp_path: Path, turns: int) -> None:
    """Its last words are read, its end is not: what is asked then it will never hear."""
    async with open_replica(tmp_path) as replica:
        await replica.database.read_alone("SELECT 1")
        execute(replica.url, ENDS)
        time.sleep(0.1)  # noqa: ASYNC251 - all that it sends is here before any is read
        for _ in range(turns):
            await asyncio.sleep(0)
        with suppress(Unavailable):
            await replica.database.read_alone("SELECT 1")
        assert [*await replica.database.read_alone("SELECT 1")] == [(1,)]
