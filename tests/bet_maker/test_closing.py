"""The closing instant itself: bets are taken strictly before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bet_maker.replica import HOUR, NOW, event, item

if TYPE_CHECKING:
    from tests.bet_maker.replica import Replica


@pytest.mark.parametrize("closed_at", [NOW + HOUR, NOW + HOUR // 2])
async def test_a_bet_is_taken_until_the_last_microsecond(replica: Replica, closed_at: int) -> None:
    """One microsecond before its event closes it is taken; at that instant and after, it is not."""
    await replica.apply(item(1, of=event(closed_at=closed_at)))
    assert (await replica.place_one(placed_at=closed_at - 1)).status == "PENDING"
    for placed_at in (closed_at, closed_at + 1, closed_at + HOUR):
        assert await replica.refusal(placed_at=placed_at) == "betting_closed"
