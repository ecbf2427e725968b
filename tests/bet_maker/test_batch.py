"""Batches: up to 1000 bets in one request, each judged on its own, answered in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.bet_maker.calls import decided, new_id, placed, published, refused

if TYPE_CHECKING:
    from tests.conftest import Both
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def batch(served: Served, *bets: object, path: str = "/bets/batch") -> list[dict[str, Any]]:
    """The results, of which each has a status and a bet or a problem."""
    answer = await served.post(path, {"bets": list(bets)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert len(results) == len(bets)
    for result in results:
        assert ("bet" in result) == (result["status"] == 201)
        if "problem" in result:
            assert result["problem"]["status"] == result["status"]
    return results


def codes(results: list[dict[str, Any]]) -> list[str]:
    """The code of each refusal, `taken` for a bet."""
    return [result.get("problem", {"code": "taken"})["code"] for result in results]


async def test_each_bet_gets_its_own_answer(both: Both) -> None:
    """What is wrong with one bet is no other bet's trouble."""
    event_id, over, used = await published(both), await published(both), new_id()
    await decided(both, over, "WIN")
    await both.bets.post(
        "/bets", {"event_id": event_id, "amount": 9}, headers={"Idempotency-Key": used}
    )
    results = await batch(
        both.bets,
        {"event_id": event_id, "amount": 1},
        {"event_id": over, "amount": 1},
        {"event_id": new_id(), "amount": 1},
        {"event_id": event_id, "amount": 1, "coefficient": 9},
        {"event_id": event_id, "amount": 0},
        {"event_id": event_id, "amount": 1, "stake": 1},
        "bet",
        {"event_id": event_id, "amount": 1, "key": "a b"},
        {"event_id": event_id, "amount": 1, "key": 5},
        {"event_id": event_id, "amount": 1, "key": used},
        {"event_id": event_id, "amount": 1, "accept": "better"},
        {"event_id": event_id, "amount": 2, "coefficient": 1.5, "accept": "better"},
    )
    assert codes(results) == [
        *("taken", "betting_closed", "event_not_found", "price_changed", "invalid_request"),
        *("invalid_request", "invalid_request", "invalid_request", "invalid_request"),
        *("idempotency_key_reused", "invalid_request", "taken"),
    ]
    assert results[3]["problem"]["coefficient"] == 1.95
    assert results[4]["problem"]["errors"][0]["field"].endswith("amount")
    assert results[11]["bet"]["amount"] == 2
    found = (await both.bets.get(f"/bets?event_id={event_id}")).json()
    assert sorted(bet["amount"] for bet in found) == [1, 2, 9]


@pytest.mark.parametrize("path", ["/bets/batch", "/bets/batch/"])
async def test_results_come_in_the_order_of_the_bets(both: Both, path: str) -> None:
    """The n-th result is the n-th bet's, keys or not."""
    event_id = await published(both)
    bets: list[dict[str, object]] = [
        {"event_id": event_id, "amount": amount} for amount in range(1, 21)
    ]
    for n in range(0, 20, 3):
        bets[n]["key"] = f"{'zyx'[n % 3]}-{new_id()}"
    results = await batch(both.bets, *bets, path=path)
    assert [result["bet"]["amount"] for result in results] == list(range(1, 21))


async def test_of_equal_keys_in_a_batch_the_first_wins(both: Both) -> None:
    """A key makes one bet: the same body replays it, another body is refused."""
    event_id, key = await published(both), new_id()
    bet = {"event_id": event_id, "amount": 1, "key": key}
    results = await batch(both.bets, bet, bet, bet | {"amount": 2})
    assert codes(results) == ["taken", "taken", "idempotency_key_reused"]
    assert results[1] == results[0] | {"replayed": True}
    assert len((await both.bets.get(f"/bets?event_id={event_id}")).json()) == 1


async def test_a_thousand_bets_are_one_batch(both: Both) -> None:
    """A thousand bets are taken together, and again answered when they are repeated."""
    event_id = await published(both)
    bets = [{"event_id": event_id, "amount": "0.01", "key": f"{event_id}-{n}"} for n in range(1000)]
    first = await batch(both.bets, *bets)
    assert {result["status"] for result in first} == {201}
    assert len({result["bet"]["bet_id"] for result in first}) == 1000
    again = await batch(both.bets, *bets)
    assert [result["bet"] for result in again] == [result["bet"] for result in first]
    assert all(result["replayed"] for result in again)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"bets": []}, "body.bets"),
        ({"bets": [{"event_id": "x", "amount": 1}] * 1001}, "body.bets"),
        ({"bets": {}}, "body.bets"),
        ({}, "body.bets"),
        ({"bets": [{}], "key": "k"}, "body"),
        ([], "body"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_batch_is_1_to_1000_bets(both: Both, body: object, field: str) -> None:
    """A batch that is none is refused as a whole."""
    problem = refused(await both.bets.post("/bets/batch", body), 422, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_batch_of_malformed_bets_needs_no_database(both: Both) -> None:
    """Where nothing can be taken each bet is told why."""
    assert codes(await batch(both.bets, {}, None, [])) == ["invalid_request"] * 3


async def test_a_batch_is_larger_than_a_bet(both: Both) -> None:
    """A batch has 256 KiB, more is too large."""
    event_id = await published(both)
    bet = {"event_id": event_id, "amount": 1}
    answer = await both.bets.post("/bets/batch", {"bets": [bet | {"key": " " * 200_000}]})
    assert codes(answer.json()["results"]) == ["invalid_request"]
    answer = await both.bets.post("/bets/batch", {"bets": [bet | {"key": " " * 300_000}]})
    refused(answer, 413, "too_large")


async def test_a_standalone_batch_knows_no_prices(standalone: Served) -> None:
    """A price is refused bet by bet."""
    results = await batch(
        standalone,
        {"event_id": new_id(), "amount": 1, "coefficient": 2},
        {"event_id": new_id(), "amount": 1},
    )
    assert codes(results) == ["invalid_request", "taken"]
    assert results[1]["bet"]["coefficient"] is None
    assert (await placed(standalone, new_id()))["coefficient"] is None
