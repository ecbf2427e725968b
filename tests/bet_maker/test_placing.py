"""Placing bets: at which price, until when, and what a refusal says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from stakeline import clock
from tests.bet_maker.calls import (
    PAST,
    bet_of,
    changed,
    decided,
    new_id,
    placed,
    published,
    refused,
)

if TYPE_CHECKING:
    from tests.conftest import Both

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def count(both: Both, event_id: str) -> int:
    """How many bets there are on an event."""
    return len((await both.bets.get(f"/bets?event_id={event_id}")).json())


async def test_a_bet_is_shown_whole(both: Both) -> None:
    """The answer is the bet with all its fields, as the history shows it afterwards."""
    event_id = await published(both)
    before = clock.now()
    bet = await placed(both.bets, event_id, 10.5)
    assert bet == {
        "bet_id": bet["bet_id"],
        "event_id": event_id,
        "amount": 10.5,
        "coefficient": 1.95,
        "potential_payout": 20.48,
        "status": "PENDING",
        "payout": None,
        "placed_at": bet["placed_at"],
        "event_version": 1,
    }
    # An upper bound: as late as the bet can have been, by line-provider's clock.
    assert before <= clock.parse_instant(bet["placed_at"]) < clock.now() + clock.US_PER_S
    assert (await both.bets.get(f"/bets?event_id={event_id}")).json() == [bet]
    receipt = (await bet_of(both.bets, bet)).pop("receipt")
    assert receipt["coefficient_given"] == 1.95


@pytest.mark.parametrize("path", ["/bets", "/bet", "/bets/", "/bet/"])
async def test_location_leads_to_the_bet(both: Both, path: str) -> None:
    """However the request was written, `Location` resolves to the bet."""
    event_id = await published(both)
    answer = await both.bets.post(path, {"event_id": event_id, "amount": 1})
    where = urljoin(both.bets.url + path, answer.headers["location"])
    assert where == f"{both.bets.url}/bets/{answer.json()['bet_id']}"
    assert (await both.bets.client.get(where)).json()["event_id"] == event_id
    assert "idempotent-replayed" not in answer.headers


async def test_money_is_written_exactly(both: Both) -> None:
    """Two decimals, digit for digit, up to the largest bet and payout there can be."""
    event_id = await published(both, coefficient=10000)
    answer = await both.bets.post("/bets", {"event_id": event_id, "amount": "999999999.99"})
    assert '"amount":999999999.99,' in answer.text
    assert '"coefficient":10000.00,' in answer.text
    assert '"potential_payout":9999999999900.00,' in answer.text


@pytest.mark.parametrize("event_id", ["10", 10])
async def test_an_id_may_be_a_number(both: Both, event_id: object) -> None:
    """A whole number names the event of its decimal text."""
    await both.line.put("/events/10", {"coefficient": 2})
    await changed(both, "10", name="ten")
    assert (await placed(both.bets, event_id))["event_id"] == "10"  # type: ignore[arg-type]


# The event stands at 2.00; the user saw another price, or that one.
@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ({}, True),
        ({"accept": "any"}, True),
        ({"coefficient": 2}, True),
        ({"coefficient": 1.99}, False),
        ({"coefficient": 2.01}, False),
        ({"coefficient": 2, "accept": "exact"}, True),
        ({"coefficient": 2.5, "accept": "exact"}, False),
        ({"coefficient": 2, "accept": "better"}, True),
        ({"coefficient": 1.5, "accept": "better"}, True),
        ({"coefficient": 2.01, "accept": "better"}, False),
        ({"coefficient": 9, "accept": "any"}, True),
        ({"coefficient": 1, "accept": "any"}, True),
    ],
)
async def test_the_user_says_which_price_they_take(
    both: Both, asked: dict[str, Any], *, taken: bool
) -> None:
    """A bet gets the price that is, if its user takes that; else they are told the price."""
    event_id = await published(both, coefficient=3)
    await changed(both, event_id, coefficient=2)
    answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1} | asked)
    if taken:
        assert answer.status_code == 201
        assert (answer.json()["coefficient"], answer.json()["event_version"]) == (2, 2)
    else:
        assert refused(answer, 409, "price_changed")["coefficient"] == 2
        assert await count(both, event_id) == 0


@pytest.mark.parametrize("accept", ["exact", "better"])
async def test_without_a_price_there_is_nothing_to_compare(both: Both, accept: str) -> None:
    """`exact` and `better` need the coefficient that was seen."""
    body = {"event_id": new_id(), "amount": 1, "accept": accept}
    problem = refused(await both.bets.post("/bets", body), 422, "invalid_request")
    assert "coefficient" in problem["errors"][0]["reason"]


async def test_a_bet_keeps_its_price(both: Both) -> None:
    """What comes later changes neither coefficient nor version of a bet."""
    event_id = await published(both)
    bet = await placed(both.bets, event_id)
    await changed(both, event_id, coefficient=5)
    await decided(both, event_id, "WIN")
    bet = await bet_of(both.bets, bet)
    assert (bet["coefficient"], bet["event_version"], bet["payout"]) == (1.95, 1, 19.5)


@pytest.mark.parametrize("status", ["WIN", "LOSE", "VOID", "NEW"])
async def test_a_decided_event_takes_no_bets(both: Both, status: str) -> None:
    """Also not one whose result was taken back."""
    event_id = await published(both)
    await decided(both, event_id, "WIN")
    await decided(both, event_id, status)
    answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1})
    refused(answer, 409, "betting_closed")
    assert await count(both, event_id) == 0


async def test_a_past_event_takes_no_bets(both: Both) -> None:
    """A closed event is closed, whatever the price asked for."""
    event_id = await published(both, deadline=PAST)
    for more in ({}, {"coefficient": 9}):
        answer = await both.bets.post("/bets", {"event_id": event_id, "amount": 1} | more)
        refused(answer, 409, "betting_closed")


async def test_an_unknown_event_takes_no_bets(both: Both) -> None:
    """There is nothing to bet on."""
    answer = await both.bets.post("/bets", {"event_id": new_id(), "amount": 1})
    refused(answer, 404, "event_not_found")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": None}, "body.event_id"),
        ({"event_id": "a b"}, "body.event_id"),
        ({"event_id": 1.5}, "body.event_id"),
        ({"amount": None}, "body.amount"),
        ({"amount": 0}, "body.amount"),
        ({"amount": -1}, "body.amount"),
        ({"amount": "0.001"}, "body.amount"),
        ({"amount": 1000000000}, "body.amount"),
        ({"amount": True}, "body.amount"),
        ({"coefficient": 0}, "body.coefficient"),
        ({"coefficient": 1.955}, "body.coefficient"),
        ({"coefficient": 2, "accept": "worse"}, "body.accept"),
        ({"status": "WON"}, "body"),
        ({"placed_at": PAST}, "body"),
        ({"user_id": 2}, "body"),
        ({"key": "k"}, "body"),
    ],
)
async def test_a_wrong_field_is_named(both: Both, change: dict[str, Any], field: str) -> None:
    """A field outside its bounds, or one that only the server sets, makes no bet."""
    body = {"event_id": "some", "amount": 1} | change
    problem = refused(await both.bets.post("/bets", body), 422, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("bet_id", ["1", "0199f3a0-1b2c-7d3e-8f40-123456789abc", "x" * 36])
async def test_an_unknown_bet_is_not_found(both: Both, bet_id: str) -> None:
    """What is no UUID is refused, a UUID that no bet has is not found."""
    answer = await both.bets.get(f"/bets/{bet_id}")
    if bet_id.startswith("0199"):
        refused(answer, 404, "bet_not_found")
    else:
        refused(answer, 422, "invalid_request")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_bet_is_never_changed_or_removed(both: Both, method: str) -> None:
    """There is no call for it."""
    bet = await placed(both.bets, await published(both))
    answer = await both.bets.client.request(method, f"/bets/{bet['bet_id']}", json={"amount": 1})
    refused(answer, 405, "method_not_allowed")
    assert (await bet_of(both.bets, bet))["amount"] == 10


async def test_the_documented_payouts_are_those_there_are(both: Both) -> None:
    """The schema admits a lost bet's 0 and the largest payout there can be."""
    schema = (await both.bets.get("/openapi.json")).json()["components"]["schemas"]["BetBody"]
    for field, least in (("payout", 0), ("potential_payout", 0)):
        (number,) = [one for one in schema["properties"][field]["anyOf"] if one["type"] == "number"]
        assert number.get("exclusiveMinimum", -1) < least, field
        assert number.get("maximum", 1e13) >= 9_999_999_999_900, field
