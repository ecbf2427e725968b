"""However many bets there are, verification takes no more memory."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.verification.season import BETS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played

MANY = 300_000
MOST_GROWTH_MIB = 50
# Copies of two bets, of the same instant, each with an id that belongs to it.
MORE_BETS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many / 2),
     more AS (SELECT bets.*, i FROM bets, n WHERE bet_id IN (:won, :exact))
INSERT INTO bets
SELECT substr(bet_id, 1, 18) || printf('-8000-%012x', i), user_id, NULL, event_id, amount,
       coefficient, asked_coefficient, accept, placed_at, event_version, feed_seq, snapshot, fix_at
FROM more
"""
MEASURED = """
import asyncio, json, resource, sys
from stakeline.verification import proof
from stakeline.verification.source import Databases
def peak_mib():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)
def verify(folder):
    files = (f"sqlite:///{folder}/{name}.sqlite3" for name in ("line-provider", "bet-maker"))
    return asyncio.run(proof.verify(Databases(*files)))
verify(sys.argv[1])
before = peak_mib()
report = json.loads(verify(sys.argv[2]).json())
print(json.dumps([report, peak_mib() - before]))
"""
"""A process of its own, whose memory only this has touched; what it needs anyway is not counted."""


@pytest.fixture(scope="module")
def many(season_played: Played, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season with 300,000 bets more."""
    played = season_played.copied(tmp_path_factory.mktemp("many"))
    with closing(sqlite3.connect(played.folder / BETS)) as conn, conn:
        conn.execute("PRAGMA synchronous = OFF")
        values = {"many": MANY, "won": played.labels["won"], "exact": played.labels["exact"]}
        conn.execute(MORE_BETS, values)
    return played.folder


async def test_memory_does_not_grow_with_the_bets(season_played: Played, many: Path) -> None:
    """300,000 bets need hardly more than eleven, and none is wrong."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MEASURED, str(season_played.folder), str(many)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    report, growth_mib = json.loads(output)
    assert report["checked"]["bets"] == MANY + 11
    assert report["offences"] == []
    assert growth_mib < MOST_GROWTH_MIB
