"""Idempotency keys: repeating a request with its key makes no second bet, for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.bet_maker.bets import Bet
from stakeline.errors import IdempotencyKeyReused
from tests.bet_maker.calls import changed, decided, new_id, placed, published, refused
from tests.bet_maker.replica import asked, event, item
from tests.serving import bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    import httpx2

    from tests.bet_maker.replica import Replica
    from tests.conftest import Both
    from tests.serving import Served

in_this_loop = pytest.mark.asyncio(loop_scope="module")


async def place(served: Served, key: str | None, **body: object) -> httpx2.Response:
    """The answer to a bet with this key."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return await served.post("/bets", {"amount": 1} | body, headers=headers)


@in_this_loop
@pytest.mark.parametrize("path", ["/bets", "/bet", "/bets/"])
async def test_a_repeat_is_answered_with_its_bet(both: Both, path: str) -> None:
    """The same request again is 201 with the same bet, and says that it is one."""
    body = {"event_id": await published(both), "amount": 1}
    headers = {"Idempotency-Key": new_id()}
    first = await both.bets.post("/bets", body, headers=headers)
    again = await both.bets.post(path, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"].endswith(first.json()["bet_id"])


@in_this_loop
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"amount": 10.5}, {"amount": "10.50"}),
        ({"coefficient": 1.95}, {"coefficient": "1.95", "accept": "exact"}),
        ({}, {"accept": "any"}),
        ({"coefficient": None}, {}),
    ],
)
async def test_the_same_body_may_be_written_differently(
    both: Both, first: dict[str, Any], again: dict[str, Any]
) -> None:
    """Bodies are compared after they were read."""
    event_id, key = await published(both), new_id()
    bet = (await place(both.bets, key, event_id=event_id, **first)).json()
    assert (await place(both.bets, key, event_id=event_id, **again)).json() == bet


@in_this_loop
@pytest.mark.parametrize(
    "other",
    [
        {"amount": 1.01},
        {"coefficient": 1.95},
        {"coefficient": 1.9, "accept": "better"},
        {"event": 1},
    ],
)
async def test_another_bet_cannot_take_a_key(both: Both, other: dict[str, Any]) -> None:
    """Another body with a used key is 422, whether that body would be taken or not."""
    event_id, key = await published(both), new_id()
    await place(both.bets, key, event_id=event_id)
    if "event" in other:
        other = {"event_id": new_id()}
    answer = await place(both.bets, key, **({"event_id": event_id} | other))
    refused(answer, 422, "idempotency_key_reused")
    assert len((await both.bets.get(f"/bets?event_id={event_id}")).json()) == 1


@in_this_loop
async def test_a_repeat_shows_the_bet_as_it_now_stands(both: Both) -> None:
    """Whatever became of event and price, the repeat finds its bet."""
    event_id, key = await published(both), new_id()
    bet = (await place(both.bets, key, event_id=event_id, coefficient=1.95)).json()
    await changed(both, event_id, coefficient=7)
    assert (await place(both.bets, key, event_id=event_id, coefficient=1.95)).json() == bet
    await decided(both, event_id, "WIN")
    again = await place(both.bets, key, event_id=event_id, coefficient=1.95)
    assert again.status_code == 201
    assert again.json() == bet | {"status": "WON", "payout": 1.95}


@in_this_loop
async def test_a_refusal_is_not_remembered(both: Both) -> None:
    """A key whose bet was refused may be used again once the bet can be taken."""
    event_id, key = await published(both), new_id()
    refused(await place(both.bets, key, event_id=event_id, coefficient=2), 409, "price_changed")
    refused(await place(both.bets, key, event_id=new_id()), 404, "event_not_found")
    await changed(both, event_id, coefficient=2)
    answer = await place(both.bets, key, event_id=event_id, coefficient=2)
    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers


@in_this_loop
async def test_a_hundred_repeats_at_once_are_one_bet(both: Both) -> None:
    """However many retries arrive together, one bet is made and all are told of it."""
    event_id, key = await published(both), new_id()
    answers = await asyncio.gather(*(place(both.bets, key, event_id=event_id) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["bet_id"] for answer in answers}) == 1
    replayed = Counter("idempotent-replayed" in answer.headers for answer in answers)
    assert replayed == {True: 99, False: 1}
    assert len((await both.bets.get(f"/bets?event_id={event_id}")).json()) == 1


@in_this_loop
async def test_single_bets_and_batches_share_keys(both: Both) -> None:
    """A key used in a batch is known to a single bet, and the other way round."""
    event_id, one, other = await published(both), new_id(), new_id()
    first = (await place(both.bets, one, event_id=event_id)).json()
    batch = [{"event_id": event_id, "amount": 1, "key": key} for key in (one, other)]
    results = (await both.bets.post("/bets/batch", {"bets": batch})).json()["results"]
    assert results[0] == {"status": 201, "bet": first, "replayed": True}
    again = await place(both.bets, other, event_id=event_id)
    assert again.json() == results[1]["bet"]


@in_this_loop
@pytest.mark.parametrize("key", ["", "a b", "k" * 65, "\x80", "\u00e9"])
async def test_a_malformed_key_is_refused(both: Both, key: str) -> None:
    """A key is 1 to 64 visible ASCII characters; without a usable one nothing is placed."""
    event_id = await published(both)
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = await both.bets.client.post(
        "/bets", json={"event_id": event_id, "amount": 1}, headers=headers
    )
    problem = refused(answer, 422, "invalid_request")
    assert problem["errors"][0]["field"] == "header.idempotency-key"
    assert (await both.bets.get(f"/bets?event_id={event_id}")).json() == []


@in_this_loop
async def test_two_keys_are_none(both: Both) -> None:
    """Two keys that differ are refused, the same one twice is that one."""
    body = {"event_id": await published(both), "amount": 1}
    twice = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    refused(await both.bets.client.post("/bets", json=body, headers=twice), 422, "invalid_request")
    same = [("Idempotency-Key", "same-key")] * 2
    assert (await both.bets.client.post("/bets", json=body, headers=same)).status_code == 201


@in_this_loop
async def test_without_a_key_every_request_is_a_bet(both: Both) -> None:
    """Who wants two equal bets sends no key."""
    event_id = await published(both)
    bets = [await placed(both.bets, event_id) for _ in range(2)]
    assert bets[0]["bet_id"] != bets[1]["bet_id"]


async def test_a_repeat_is_answered_without_a_line(tmp_path: Any) -> None:  # noqa: ANN401 - a Path
    """A bet-maker that has not heard the line still knows its keys, and refuses new bets."""
    async with serving(line_provider(tmp_path)) as line:
        await line.put("/events/derby", {"coefficient": 2})
        async with serving(bet_maker(tmp_path, line.url)) as bets:
            await until_ready(bets)
            bet = (await place(bets, "known", event_id="derby")).json()
    async with serving(bet_maker(tmp_path, "http://127.0.0.1:9")) as bets:
        again = await place(bets, "known", event_id="derby")
        assert (again.status_code, again.json()) == (201, bet)
        other = await place(bets, "known", event_id="derby", amount=2)
        refused(other, 422, "idempotency_key_reused")
        refused(await place(bets, "new", event_id="derby"), 503, "feed_stale")


async def test_of_equal_keys_in_a_group_the_first_wins(replica: Replica) -> None:
    """In one group, too, a key makes one bet: the others replay it or are refused."""
    await replica.apply(item(1, of=event()))
    answers = await replica.place(
        asked(key="one", amount=100),
        asked(key="other", amount=300),
        asked(key="one", amount=100),
        asked(key="one", amount=200),
    )
    first, other, again, reused = answers
    assert isinstance(first, Bet)
    assert isinstance(other, Bet)
    assert isinstance(again, Bet)
    assert isinstance(reused, IdempotencyKeyReused)
    assert (first.amount, first.replayed, other.replayed) == (100, False, False)
    assert (again.bet_id, again.replayed) == (first.bet_id, True)
    assert await replica.number_of_bets() == 2


async def test_a_key_belongs_to_its_user(replica: Replica) -> None:
    """Another user's key is another key."""
    await replica.apply(item(1, of=event()))
    async with replica.database.write() as conn:
        await conn.exec_driver_sql("INSERT INTO users (user_id, username) VALUES (2, 'other')")
    one, other = await replica.place(asked(key="k"), asked(key="k", user_id=2, amount=5))
    assert isinstance(one, Bet)
    assert isinstance(other, Bet)
    assert (one.amount, other.amount) == (1000, 5)
