"""Results and their corrections, deadlines that move, and what a receipt says of it all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock
from tests.bet_maker.calls import LATER, bet_of, changed, decided, placed, published, refused
from tests.faults.betting import passed

if TYPE_CHECKING:
    from tests.conftest import Both

pytestmark = pytest.mark.asyncio(loop_scope="module")


def just_after(bet: dict[str, Any]) -> str:
    """The microsecond after a bet was placed: the first at which an event may close for it."""
    return clock.text(clock.parse_instant(bet["placed_at"]) + 1)


async def standing(both: Both, *bets: dict[str, Any]) -> list[tuple[str, object]]:
    """Status and payout of each bet."""
    found = [await bet_of(both.bets, bet) for bet in bets]
    return [(bet["status"], bet["payout"]) for bet in found]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("WIN", ("WON", 20.48)), ("LOSE", ("LOST", 0)), ("VOID", ("VOID", 10.5))],
)
async def test_a_result_settles_its_bets(
    both: Both, status: str, expected: tuple[str, object]
) -> None:
    """Won: the stake times the price; lost: nothing; called off: the stake."""
    event_id = await published(both)
    bet = await placed(both.bets, event_id, 10.5)
    assert await standing(both, bet) == [("PENDING", None)]
    await decided(both, event_id, status)
    assert await standing(both, bet) == [expected]


async def test_every_correction_reaches_every_bet(both: Both) -> None:
    """Through any number of corrections, status and payout follow the last word."""
    event_id = await published(both, coefficient=2)
    bets = [await placed(both.bets, event_id, amount) for amount in (1, 2)]
    told = {"WIN": "WON", "LOSE": "LOST", "VOID": "VOID", "NEW": "PENDING"}
    paid: dict[str, list[object]] = {
        "WIN": [2, 4],
        "LOSE": [0, 0],
        "VOID": [1, 2],
        "NEW": [None, None],
    }
    for status in ("WIN", "LOSE", "VOID", "NEW", "LOSE", "WIN"):
        await decided(both, event_id, status)
        expected = [(told[status], payout) for payout in paid[status]]
        assert await standing(both, *bets) == expected


async def test_a_result_known_earlier_voids_the_bets_after_it(both: Both) -> None:
    """The operator's `closed_at` decides: what was placed at it or after it gets its stake back."""
    event_id = await published(both, coefficient=2)
    early, edge, late = [await placed(both.bets, event_id, 5) for _ in range(3)]
    await decided(both, event_id, "WIN", closed_at=edge["placed_at"])
    assert await standing(both, early, edge, late) == [("WON", 10), ("VOID", 5), ("VOID", 5)]
    await decided(both, event_id, "LOSE", closed_at=just_after(edge))
    assert await standing(both, early, edge, late) == [("LOST", 0), ("LOST", 0), ("VOID", 5)]
    await decided(both, event_id, "NEW", closed_at=early["placed_at"])
    assert await standing(both, early, edge, late) == [("VOID", 5)] * 3


async def test_a_deadline_moved_earlier_voids_the_bets_after_it(both: Both) -> None:
    """Before any result: bets after the new deadline are void at once, the others stand."""
    event_id = await published(both, coefficient=2)
    early, late = [await placed(both.bets, event_id, 5) for _ in range(2)]
    await changed(both, event_id, deadline=late["placed_at"])
    assert await standing(both, early, late) == [("PENDING", None), ("VOID", 5)]
    answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1})
    refused(answer, 409, "betting_closed")
    await decided(both, event_id, "WIN")
    assert await standing(both, early, late) == [("WON", 10), ("VOID", 5)]


async def test_a_deadline_moved_later_lets_betting_go_on(both: Both) -> None:
    """Without a result a passed deadline may be moved on: then bets are taken again."""
    event_id = await published(both)
    early = await placed(both.bets, event_id)
    await changed(both, event_id, deadline=just_after(early))
    answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1})
    refused(answer, 409, "betting_closed")
    event = await changed(both, event_id, deadline=LATER)
    late = await placed(both.bets, event_id)
    assert late["event_version"] == event["version"] == 3
    await decided(both, event_id, "WIN")
    assert [status for status, _ in await standing(both, early, late)] == ["WON", "WON"]


async def test_no_bet_is_taken_after_its_deadline(both: Both) -> None:
    """Bets placed all around a deadline: every one that was taken was placed before it."""
    deadline = clock.now() + 500_000
    event_id = await published(both, deadline=clock.text(deadline))
    taken, codes = [], set()
    while clock.now() < deadline + 100_000:
        answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1})
        if answer.is_success:
            taken.append(answer.json())
        else:
            codes.add(refused(answer, 409, "betting_closed")["code"])
        await asyncio.sleep(0.002)
    assert codes == {"betting_closed"}
    assert max(clock.parse_instant(bet["placed_at"]) for bet in taken) < deadline
    await decided(both, event_id, "WIN")
    assert {status for status, _ in await standing(both, taken[0], taken[-1])} == {"WON"}


async def test_a_receipt_tells_what_a_bet_was_judged_by(both: Both) -> None:
    """Feed position and age, the prices asked and given, and the event's version."""
    event_id = await published(both, coefficient=2)
    event = await changed(both, event_id, coefficient=2.5)
    head = (await both.line.get("/feed?wait=0&limit=1")).json()["head"]
    bet = await placed(both.bets, event_id, coefficient=2.2, accept="better")
    shown = await bet_of(both.bets, bet)
    receipt = shown.pop("receipt")
    assert shown == bet
    assert bet["event_version"] == event["version"] == 2
    assert receipt.pop("feed_age_ms") >= 0
    assert receipt == {
        "feed_seq": head,
        "coefficient_asked": 2.2,
        "coefficient_given": 2.5,
        "accept": "better",
        "closed_at": LATER,
        "reason": f"pending: placed at {bet['placed_at']}, and the event has no result in force",
    }


@pytest.mark.parametrize(
    ("status", "word"), [("WIN", "won"), ("LOSE", "lost"), ("VOID", "void"), ("NEW", "pending")]
)
async def test_a_receipt_gives_its_reason(both: Both, status: str, word: str) -> None:
    """One sentence says why the bet stands as it does, with the times that decided it."""
    event_id = await published(both)
    bet = await placed(both.bets, event_id)
    await passed(bet["placed_at"])
    await decided(both, event_id, "WIN")
    closed_at = (await decided(both, event_id, status))["closed_at"]
    receipt = (await bet_of(both.bets, bet))["receipt"]
    at = bet["placed_at"]
    reasons = {
        "won": f"won: placed at {at}, before betting closed at {closed_at}, result WIN",
        "lost": f"lost: placed at {at}, before betting closed at {closed_at}, result LOSE",
        "void": "void: the event was called off",
        "pending": f"pending: placed at {at}, and the event has no result in force",
    }
    assert (receipt["reason"], receipt["closed_at"]) == (reasons[word], closed_at)


async def test_a_late_bets_receipt_says_that_it_was_late(both: Both) -> None:
    """A bet that does not stand names the instant from which none could."""
    event_id = await published(both)
    bet = await placed(both.bets, event_id)
    at = bet["placed_at"]
    await decided(both, event_id, "VOID", closed_at=at)
    receipt = (await bet_of(both.bets, bet))["receipt"]
    assert receipt["reason"] == f"void: placed at {at}, not before betting closed at {at}"
