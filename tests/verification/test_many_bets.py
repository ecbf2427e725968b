"""However many bets there are, verification takes no more memory."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.databases import ENGINE, url_of
from tests.verification.damage import do
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played

MANY = 300_000
MOST_GROWTH_MIB = 50
# Copies of two bets, of the same instant, each with an id that belongs to it.
MORE_BETS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many} / 2),
     more AS (SELECT bets.*, i FROM bets, n WHERE bet_id IN ('{won}', '{exact}'))
INSERT INTO bets
SELECT substr(bet_id, 1, 18) || '-8000-' || {hex_of_i}, user_id, NULL, event_id, amount,
       coefficient, asked_coefficient, accept, placed_at, event_version, feed_seq, snapshot, fix_at
FROM more
"""
HEX_OF_I = {"sqlite": "printf('%012x', i)", "postgresql": "lpad(to_hex(i), 12, '0')"}[ENGINE]
MEASURED = """
import asyncio, json, resource, sys
from stakeline.verification import proof
from stakeline.verification.source import Databases
def peak_mib():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)
def verify(urls):
    return asyncio.run(proof.verify(Databases(*urls)))
verify(sys.argv[1:3])
before = peak_mib()
report = json.loads(verify(sys.argv[3:]).json())
print(json.dumps([report, peak_mib() - before]))
"""
"""A process of its own, whose memory only this has touched; what it needs anyway is not counted."""


@pytest.fixture(scope="module")
def many(season_played: Played, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season with 300,000 bets more."""
    played = season_played.copied(tmp_path_factory.mktemp("many"))
    more = MORE_BETS.format(many=MANY, hex_of_i=HEX_OF_I, **played.labels)
    do(url_of(played.folder, BETS), more)
    return played.folder


async def test_memory_does_not_grow_with_the_bets(season_played: Played, many: Path) -> None:
    """300,000 bets need hardly more than eleven, and none is wrong."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MEASURED),
        *(url_of(folder, name) for folder in (season_played.folder, many) for name in (LINE, BETS)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    report, growth_mib = json.loads(output)
    assert report["checked"]["bets"] == MANY + 11
    assert report["offences"] == []
    assert growth_mib < MOST_GROWTH_MIB
