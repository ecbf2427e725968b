"""Without a broker, too, a result is soon seen, whichever line-provider it went to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes import bet_maker, line_provider, running
from tests.system.latency import best_round

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(400)
async def test_a_result_is_soon_seen(tmp_path: Path) -> None:
    """The result goes to one line-provider, bet-maker asks the other: p99 under 200 ms."""
    one, other = (line_provider(tmp_path) for _ in range(2))
    bets = bet_maker(tmp_path, other.url)
    async with running(one, other, bets):
        best = await best_round(one, other, bets, within_ms=200, name="without a broker")
    assert best.p99 < best.allowed_ms(200), best
