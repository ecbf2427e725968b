"""Group commit: bets that wait share a commit; what cannot be taken is told at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stakeline import grouping
from stakeline.bet_maker.bets import Asked, Bet
from stakeline.bet_maker.writer import Writer
from stakeline.errors import Internal, Overloaded, Problem, Unavailable
from tests import databases
from tests.bet_maker.calls import new_id, published, refused
from tests.bet_maker.replica import asked, event, item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bet_maker.replica import Replica
    from tests.conftest import Both

in_this_loop = pytest.mark.asyncio(loop_scope="module")


class Desk:
    """A writer on a replica with one open event, and its metrics."""

    def __init__(self, replica: Replica) -> None:
        self.registry = CollectorRegistry()
        self.writer = Writer(replica.database, self.registry, standalone=False)

    def groups(self) -> int:
        """How many groups there have been."""
        return int(self.registry.get_sample_value("stakeline_bets_per_commit_count") or 0)

    def outcomes(self, outcome: str) -> int:
        """How many bets had this outcome."""
        found = self.registry.get_sample_value("stakeline_bets_total", {"outcome": outcome})
        return int(found or 0)

    async def place(self, *group: Asked) -> list[Bet | Problem]:
        """The answers to a request, which must come soon."""
        async with asyncio.timeout(10):
            return await self.writer.place(group)


@pytest.fixture
async def desk(replica: Replica) -> AsyncIterator[Desk]:
    """A writer that runs."""
    await replica.apply(item(1, of=event()))
    desk = Desk(replica)
    async with desk.writer.running():
        yield desk


async def test_a_lone_bet_is_a_group_of_its_own(desk: Desk) -> None:
    """It waits for nobody."""
    (bet,) = await desk.place(asked())
    assert isinstance(bet, Bet)
    assert desk.groups() == 1


async def test_bets_that_wait_share_a_commit(desk: Desk, replica: Replica) -> None:
    """What arrives while a commit is under way makes the next group, each with its own answer."""
    async with databases.held(replica.url):
        requests = [
            asyncio.create_task(desk.place(*(asked(amount=100 * n + m + 1) for m in range(3))))
            for n in range(40)
        ]
        await asyncio.sleep(0.1)
    answers = await asyncio.gather(*requests)
    for n, answer in enumerate(answers):
        amounts = [bet.amount for bet in answer if isinstance(bet, Bet)]
        assert amounts == [100 * n + 1, 100 * n + 2, 100 * n + 3]
    assert 1 <= desk.groups() <= 3
    assert (desk.outcomes("accepted"), await replica.number_of_bets()) == (120, 120)


async def test_requests_stay_together_in_groups_of_a_bound(desk: Desk, replica: Replica) -> None:
    """A group has a thousand bets at the most, and no request is torn apart."""
    async with databases.held(replica.url):
        requests = [
            asyncio.create_task(desk.place(*(asked() for _ in range(600)))) for _ in range(3)
        ]
        await asyncio.sleep(0.1)
    answers = await asyncio.gather(*requests)
    assert {len(answer) for answer in answers} == {600}
    assert desk.groups() == 3
    assert await replica.number_of_bets() == 1800


async def test_too_many_bets_are_told_to_come_back(
    desk: Desk, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into the queue is refused at once, as a whole; the rest is taken."""
    monkeypatch.setattr(grouping, "MOST_WAITING", 10)
    async with databases.held(replica.url):
        requests = [asyncio.create_task(desk.place(asked()))]
        await asyncio.sleep(0.05)
        requests += [asyncio.create_task(desk.place(*(asked() for _ in range(8))))]
        await asyncio.sleep(0)
        began = time.perf_counter()
        with pytest.raises(Overloaded):
            await desk.place(*(asked() for _ in range(3)))
        assert time.perf_counter() - began < 0.5
        requests += [asyncio.create_task(desk.place(*(asked() for _ in range(2))))]
        await asyncio.sleep(0.05)
    for request in requests:
        assert all(isinstance(answer, Bet) for answer in await request)
    assert await replica.number_of_bets() == 11


async def test_a_database_that_is_held_takes_no_bets(desk: Desk, replica: Replica) -> None:
    """Within about two seconds all who wait are told to repeat their request; none was made."""
    async with databases.held(replica.url):
        began = time.perf_counter()
        with capture_logs() as lines:
            requests = [asyncio.create_task(desk.place(asked(), asked()))]
            await asyncio.sleep(0.05)
            requests += [asyncio.create_task(desk.place(asked()))]
            answers = [answer for request in requests for answer in await request]
        assert time.perf_counter() - began < 3.5
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert {line["event"] for line in lines} == {"a group was not written"}
    assert await replica.number_of_bets() == 0
    assert desk.outcomes("unavailable") == 3
    (bet,) = await desk.place(asked())
    assert isinstance(bet, Bet)


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": 2**70}, {"event_id": "\ud800"}])
async def test_a_bet_that_breaks_the_rules_harms_no_other(
    desk: Desk, replica: Replica, wrong: dict[str, object]
) -> None:
    """A group that the database refuses is repeated bet by bet: only the bad one is lost."""
    bad = replace(asked(key="bad"), **wrong)
    async with databases.held(replica.url):
        requests = [
            asyncio.create_task(desk.place(*group))
            for group in ([asked(key="one")], [asked(), bad, asked()], [asked(key="one")])
        ]
        await asyncio.sleep(0.05)
    with capture_logs():
        answers = [answer for request in requests for answer in await request]
    assert [type(answer) for answer in answers] == [Bet, Bet, Internal, Bet, Bet]
    assert answers[4] == replace(answers[0], replayed=True)  # type: ignore[type-var]
    assert await replica.number_of_bets() == 3
    (bet,) = await desk.place(asked())
    assert isinstance(bet, Bet)


async def test_who_stops_waiting_changes_nothing(desk: Desk, replica: Replica) -> None:
    """A caller who goes takes neither their own bet nor another's with them."""
    async with databases.held(replica.url):
        gone = asyncio.create_task(desk.place(asked(key="gone")))
        stays = asyncio.create_task(desk.place(asked()))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
    (bet,) = await stays
    assert isinstance(bet, Bet)
    (again,) = await desk.place(asked(key="gone"))
    assert isinstance(again, Bet)
    assert again.replayed
    assert await replica.number_of_bets() == 2


@in_this_loop
async def test_a_client_that_hangs_up_cannot_cancel_its_bet(both: Both) -> None:
    """Once the request was sent, the server alone decides; a retry with the key tells what."""
    event_id = await published(both)
    host, port = both.bets.url.removeprefix("http://").split(":")
    keys = [new_id() for _ in range(30)]
    for key in keys:
        body = f'{{"event_id":"{event_id}","amount":1}}'
        _, client = await asyncio.open_connection(host, int(port))
        client.write(
            f"POST /bets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await client.drain()
        client.transport.abort()
    async with asyncio.timeout(10):
        while len((await both.bets.get(f"/bets?event_id={event_id}")).json()) < len(keys):
            await asyncio.sleep(0.02)
    for key in keys:
        body_ = {"event_id": event_id, "amount": 1}
        answer = await both.bets.post("/bets", body_, headers={"Idempotency-Key": key})
        assert answer.headers["idempotent-replayed"] == "true"
    assert len((await both.bets.get(f"/bets?event_id={event_id}")).json()) == len(keys)


@in_this_loop
async def test_overload_is_503_at_once_and_nothing_is_taken(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP it is `overloaded` with Retry-After, for bets and batches."""
    event_id = await published(both)
    monkeypatch.setattr(grouping, "MOST_WAITING", 0)
    bet = {"event_id": event_id, "amount": 1}
    refused(await both.bets.post("/bets", bet), 503, "overloaded")
    refused(await both.bets.post("/bets/batch", {"bets": [bet]}), 503, "overloaded")
    assert (await both.bets.get(f"/bets?event_id={event_id}")).json() == []
    monkeypatch.undo()
    assert (await both.bets.post("/bets", bet)).status_code == 201
