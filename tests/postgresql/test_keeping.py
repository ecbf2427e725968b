"""Connections that are kept for single statements leave the others to transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from stakeline.db.keeping import MOST_KEPT
from tests.bet_maker.replica import open_replica

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import QueuePool


async def test_however_many_are_used_at_once_few_are_kept(tmp_path: Path) -> None:
    """All of the pool at work on them, and then none of its places is lost."""
    async with open_replica(tmp_path) as replica:
        database = replica.database
        pool = cast("QueuePool", database.engine.pool)
        asked = [database.read_alone("SELECT pg_sleep(0.05)") for _ in range(30)]
        assert len(await asyncio.gather(*asked)) == 30
        assert pool.checkedout() == MOST_KEPT
        for _ in range(pool.size()):
            async with database.read() as conn:
                await conn.exec_driver_sql("SELECT 1")
    assert pool.checkedout() == 0
