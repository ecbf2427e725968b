"""The main job, in one breath."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.betting import passed
from tests.serving import until_known

if TYPE_CHECKING:
    from tests.conftest import Both


async def test_a_bet_is_settled_by_its_event(both: Both) -> None:
    """A bet placed on an event that wins is WON and returns amount x coefficient."""
    await both.line.post("/events", {"event_id": "derby", "coefficient": 1.95})
    await until_known(both.bets, "derby")
    placed = await both.bets.post("/bets", {"event_id": "derby", "amount": 10.5})
    assert placed.status_code == 201
    assert placed.json()["status"] == "PENDING"
    await passed(placed.json()["placed_at"])
    await both.line.post("/events/derby/result", {"status": "WIN"})
    await until_known(both.bets, "derby", status="WIN")
    bet = (await both.bets.get(f"/bets/{placed.json()['bet_id']}")).json()
    assert (bet["status"], bet["payout"]) == ("WON", 20.48)
