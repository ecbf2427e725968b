"""An export of very many bets, from a real process whose memory is watched."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from stakeline import clock, ids
from tests.bet_maker.replica import open_replica
from tests.processes import bet_maker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.processes import Service

BETS = 300_000
MOST_GROWTH_KIB = 24 * 1024
"""All bets at once would be some 300 MiB in memory."""
FIRST = clock.parse_instant("2026-08-01T18:00:00Z")


def rows() -> Iterator[tuple[str, int]]:
    """The bets, one a millisecond."""
    for n in range(BETS):
        placed_at = FIRST + n * 1000
        yield ids.new_bet_id(placed_at), placed_at


def fill(database: Path) -> None:
    """Put the bets into a bet-maker's database, half of them on an event that was won."""
    with closing(sqlite3.connect(database)) as conn:
        for event_id, status in (("0", "NEW"), ("1", "WIN")):
            conn.execute(
                "INSERT INTO events VALUES (?, NULL, 195, ?, ?, ?, 1, 1, 1, 'log', 0, NULL)",
                (event_id, clock.LATEST, status, clock.LATEST),
            )
        conn.executemany(
            "INSERT INTO bets (bet_id, user_id, event_id, amount, coefficient, accept, placed_at,"
            " event_version, feed_seq, snapshot, fix_at)"
            " VALUES (?1, 1, ?2 / 1000 % 2, 1000, 195, 'any', ?2, 1, 1, 1, ?2)",
            rows(),
        )
        conn.commit()


def memory_kib(service: Service) -> int:
    """The resident memory of the service's process."""
    status = Path(f"/proc/{service.process.pid}/status")
    if status.exists():
        return int(status.read_text("ascii").partition("VmRSS:")[2].split()[0])
    ps = ["/bin/ps", "-o", "rss=", "-p", str(service.process.pid)]  # as macOS has it
    return int(subprocess.check_output(ps))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A bet-maker with very many bets, whose line is away."""
    folder = tmp_path_factory.mktemp("bets")
    async with open_replica(folder):
        fill(folder / "bet-maker.sqlite3")
    service = bet_maker(folder, "http://127.0.0.1:9")
    try:
        await service.start()
        await service.until_ready("/healthz")
        yield service
    finally:
        await service.kill()
        await service.client.aclose()


@pytest.mark.sqlite
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv"])
async def test_very_many_bets_take_no_memory(bets: Service, media_type: str) -> None:
    """Every bet comes once, the service's memory stays what it was, and it answers others."""
    headers = {"Accept": media_type}
    warm = await bets.client.get("/bets?placed_to=2026-08-01T18:00:05Z", headers=headers)
    assert warm.text.count("\n") in {5000, 5001}
    before = most = memory_kib(bets)
    found, last, waited_us = 0, "~", 0
    async with bets.client.stream("GET", "/bets", headers=headers) as answer:
        async for line in answer.aiter_lines():
            bet_id = line.removeprefix('{"bet_id":"')[:36]
            if bet_id.startswith("bet_id"):
                continue  # the header of the CSV
            assert bet_id < last, "a bet came twice, or too late"
            last, found = bet_id, found + 1
            if found % 10_000 == 0:
                began = clock.steady()
                assert (await bets.client.get("/bets?limit=1")).is_success
                waited_us = max(waited_us, clock.steady() - began)
                most = max(most, memory_kib(bets))
    assert found == BETS
    assert most - before < MOST_GROWTH_KIB
    assert waited_us < clock.US_PER_S
