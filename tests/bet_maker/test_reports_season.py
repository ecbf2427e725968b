"""What the operator reads after the example season."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stakeline import strictjson
from stakeline.cli import replay
from tests.bet_maker.calls import decided, placed, published

if TYPE_CHECKING:
    from tests.conftest import Both

SEASON = Path(__file__).parents[2] / "examples" / "premier-league-2019-20.csv"
MONEY = ("staked", "pending_staked", "returned", "margin")


async def totals(both: Both, query: str = "") -> Counter[str]:
    """The sums of a report's columns; money in cents."""
    answer = await both.bets.get(f"/report{query}", headers={"Accept": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    sums: Counter[str] = Counter(entries=0)
    for line in answer.content.splitlines():
        entry = strictjson.loads(line)
        sums["entries"] += 1
        for name in ("bets", "pending"):
            sums[name] += int(entry[name].text)
        for name in MONEY:
            sums[name] += int(Decimal(entry[name].text) * 100)
    return sums


@pytest.mark.asyncio(loop_scope="module")
async def test_the_report_of_the_season_sums_to_it(both: Both) -> None:
    """380 bets of 10.00 return 3960.10; what is placed or corrected later is in the next report."""
    options = replay.Options(SEASON, line_provider=both.line.url, bet_maker=both.bets.url)
    assert await asyncio.to_thread(replay.run, options) == 0
    settled = {"entries": 380, "bets": 380, "pending": 0, "pending_staked": 0}
    season = settled | {"staked": 380000, "returned": 396010, "margin": -16010}
    assert await totals(both) == season
    assert (await both.bets.get("/exposure")).json() == []

    await placed(both.bets, await published(both), 25)
    later = {"entries": 381, "bets": 381, "pending": 1, "pending_staked": 2500, "staked": 382500}
    assert await totals(both) == season | later

    entries = (await both.bets.get("/report?limit=1000")).json()
    won = next(entry for entry in entries if entry["returned"] > 10)
    await decided(both, won["event_id"], "VOID")
    less = round(won["returned"] * 100) - 1000
    corrected = {"returned": 396010 - less, "margin": -16010 + less}
    assert await totals(both) == season | later | corrected
