"""Auto-result in several processes on one line, killed on the way."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from typing import TYPE_CHECKING

from stakeline import clock
from tests.databases import execute as rows
from tests.processes import Service, insist, running
from tests.system.checker import check_feed

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 60


async def test_one_result_an_event_whoever_is_killed(tmp_path: Path) -> None:
    """Three processes, one of them killed again and again, and an operator: one result each."""
    lines = [
        Service("line-provider", tmp_path, LINE_PROVIDER_AUTO_RESULT="random") for _ in range(3)
    ]
    async with running(*lines):
        names = [f"match-{n}" for n in range(EVENTS)]
        for name in names:
            terms = {"coefficient": 2, "deadline": "2090-01-01T00:00:00Z"}
            await insist(partial(lines[0].client.put, f"/events/{name}", json=terms))
        mine, began = names[::5], clock.now() + 2 * clock.US_PER_S
        for n, name in enumerate(names):  # their deadlines pass while processes are killed
            moved = {"deadline": clock.text(began + n * 60_000)}
            await insist(partial(lines[0].client.patch, f"/events/{name}", json=moved))
            if name in mine:
                void = {"status": "VOID"}
                await insist(partial(lines[0].client.post, f"/events/{name}/result", json=void))
        lots = random.Random(5)  # noqa: S311 - not for secrets
        while clock.now() < began + EVENTS * 60_000:
            await lines[2].kill()
            await asyncio.sleep(lots.uniform(0, 0.2))
            await lines[2].restart()
            await asyncio.sleep(lots.uniform(0, 0.3))
        async with asyncio.timeout(20):
            while rows(lines[0].database, "SELECT 1 FROM events WHERE status = 'NEW'"):
                await asyncio.sleep(0.1)
    database = lines[0].database
    check_feed(database)
    results: dict[str, list[str]] = {}
    given = 'SELECT event_id, "by", event FROM feed WHERE version > 2'
    for event_id, by, event in rows(database, given):
        results.setdefault(event_id, []).append(f"{by} {json.loads(event)['status']}")
    assert {name: results[name] for name in mine} == {name: ["anonymous VOID"] for name in mine}
    others = [results[name] for name in names if name not in mine]
    assert sorted({*map(tuple, others)}) == [("auto-result LOSE",), ("auto-result WIN",)]
    late = "SELECT max(updated_at - deadline) FROM events WHERE status <> 'VOID'"
    assert rows(database, late)[0][0] < 5 * clock.US_PER_S
