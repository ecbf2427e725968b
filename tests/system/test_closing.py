"""Bet against result: thousands of bets around the closing instant, however late the news comes."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import (
    Asked,
    all_bets,
    ask,
    ask_batch,
    check_acknowledged,
    check_outcomes,
    check_prices,
    check_times,
    instant,
    now_us,
    same_line,
    text,
)
from tests.system.closings import (
    WAYS,
    Closing,
    by_calling_off,
    by_deadline,
    tell,
    until,
)
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = 24
SPACING_US = 100_000
AROUND_US = 300_000
USERS = 12
BATCHES = 2
AMOUNTS = ("10.50", "0.01", "3.33", "100", "7.77")
COEFFICIENTS = ("1.95", "2.00", "3.35", "1.01", "0.50", "11.11")


@dataclass(frozen=True, slots=True)
class Both:
    """The two processes, and the wire over which bet-maker hears the line."""

    line: Service
    bets: Service
    wire: Wire


@dataclass(slots=True)
class Load:
    """Users who bet on the events whose closing is near, and what they were answered."""

    client: httpx2.AsyncClient
    closings: list[Closing]
    asked: list[Asked] = field(default_factory=list)

    async def user(self, user: int) -> None:
        """Bet, one bet at a time, until the last event has closed."""
        for n in count(user):
            if (event_id := self._next(n)) is None:
                return
            amount = AMOUNTS[n % len(AMOUNTS)]
            self.asked.append(await ask(self.client, event_id, f"{event_id}-{user}-{n}", amount))

    async def batches(self, user: int) -> None:
        """Bet thirty at a time."""
        for n in count(user):
            chosen = [self._next(n + i) for i in range(30)]
            if None in chosen:
                return
            wanted = [
                (event_id, f"{event_id}-batch-{user}-{n}-{i}", AMOUNTS[i % len(AMOUNTS)])
                for i, event_id in enumerate(chosen)
                if event_id is not None
            ]
            self.asked += await ask_batch(self.client, wanted)

    def _next(self, n: int) -> str | None:
        now = now_us()
        near = [one.event_id for one in self.closings if abs(one.at - now) < AROUND_US]
        if near:
            return near[n % len(near)]
        return None if now > self.closings[-1].at else self.closings[0].event_id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """The two processes, for all tests here: each has events of its own."""
    folder = tmp_path_factory.mktemp("closing")
    line = line_provider(folder)
    async with Wire(line.url).up() as wire:
        bets = bet_maker(folder, wire.url)
        async with running(line, bets):
            yield Both(line, bets, wire)


async def at_once(_: Both, __: int) -> None:
    """The news comes as fast as it can."""


async def held(both: Both, ends: int) -> None:
    """No news comes until every event has closed."""
    both.wire.hold()
    await until(ends)
    both.wire.flow()


async def slow(both: Both, ends: int) -> None:
    """The news takes 0.2 s each way."""
    both.wire.delay_s = 0.2
    await until(ends)
    both.wire.delay_s = 0.0


async def stopped(both: Both, _: int) -> None:
    """bet-maker is stopped for a second while events close, its users waiting."""
    await asyncio.sleep(1)
    both.bets.signal(signal.SIGSTOP)
    await asyncio.sleep(1)
    both.bets.signal(signal.SIGCONT)


async def publish(both: Both, name: str, begins: int) -> list[Closing]:
    """The events of one test, known to bet-maker; they close one after another."""
    closings = [
        Closing(f"{name}-{n}", n, begins + n * SPACING_US, WAYS[n % len(WAYS)])
        for n in range(EVENTS)
    ]
    for closing in closings:
        terms = {"coefficient": COEFFICIENTS[closing.number % len(COEFFICIENTS)]}
        if closing.close is by_deadline:
            terms["deadline"] = text(closing.at)
        answer = await both.line.client.put(f"/events/{closing.event_id}", json=terms)
        assert answer.status_code == 201
    await same_line(both.line, both.bets, [closing.event_id for closing in closings])
    return closings


@pytest.mark.parametrize(
    ("news", "round_trip_us"), [(at_once, 0), (held, 0), (slow, 400_000), (stopped, 0)]
)
async def test_only_bets_before_closing_stand(
    both: Both, news: Callable[[Both, int], Coroutine[Any, Any, None]], round_trip_us: int
) -> None:
    """No bet at or after closed_at wins or loses, none a round trip before it is void."""
    begins = now_us() + 800_000
    closings = await publish(both, news.__name__, begins)
    load = Load(both.bets.client, closings)
    await until(begins - AROUND_US)
    async with asyncio.TaskGroup() as group:
        group.create_task(news(both, closings[-1].at + AROUND_US))
        closed = [group.create_task(one.close(both.line.client, one)) for one in closings]
        for user in range(USERS):
            group.create_task(load.user(user))
        for user in range(BATCHES):
            group.create_task(load.batches(user))
    for closing in closings:
        if closing.close is not by_calling_off or closing.number % 4 == 1:
            await tell(both.line.client, closing.event_id, closing.outcome, correction=True)

    ids = [closing.event_id for closing in closings]
    events = await same_line(both.line, both.bets, ids)
    bets = await all_bets(both.bets.client, ids)
    slowest_us = max(one.received - one.sent for one in load.asked)
    assert len(bets) > 100
    assert {bet["status"] for bet in bets.values()} == {"WON", "LOST", "VOID"}
    assert {one.body["code"] for one in load.asked if one.status != 201} == {"betting_closed"}
    for closing, latest in zip(closings, closed, strict=True):
        closed_at = instant(events[closing.event_id]["closed_at"])
        assert closing.at <= closed_at <= latest.result(), closing.event_id
    check_acknowledged(bets, load.asked)
    check_outcomes(bets, events)
    check_times(bets, events, load.asked, 2 * slowest_us + round_trip_us)
    await check_prices(both.line.client, bets)
