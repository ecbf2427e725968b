"""bet-maker hears of changes through the broker, whichever line-provider made them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from stakeline.line_provider import feed
from tests.serving import (
    Served,
    bet_maker,
    line_provider,
    patiently,
    serving,
    until_known,
    until_ready,
)
from tests.stopwatch import timed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from tests.broker.exchange import Exchange

CHANGES = 8
ROUNDS = 3
SOON_S = 0.5
BET = {"event_id": "derby", "amount": "1"}


@asynccontextmanager
async def apart(folder: Path, broker_url: str) -> AsyncIterator[tuple[Served, Served]]:
    """A line-provider, and a bet-maker that asks another one, on the same line."""
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(serving(line_provider(folder, broker_url=broker_url)))
            for _ in range(2)
        ]
        app = bet_maker(folder, other.url, broker_url=broker_url)
        bets = await stack.enter_async_context(serving(app))
        await until_ready(bets)
        for served in (one, bets):
            async with asyncio.timeout(30):
                while "stakeline_broker_connected 1.0" not in (await served.get("/metrics")).text:
                    await asyncio.sleep(0.02)
        yield one, bets


async def arrivals(line: Served, bets: Served, name: str) -> list[float]:
    """How long each of some changes took to arrive, in seconds, shortest first."""
    took = []
    for n in range(CHANGES):
        await asyncio.sleep(0.13)
        await line.post("/events", {"event_id": f"{name}-{n}", "coefficient": "1.95"})
        _, took_s = await timed(until_known(bets, f"{name}-{n}"))
        took.append(took_s)
    return sorted(took)


async def test_a_change_arrives_that_nobody_looks_for(
    tmp_path: Path, broker_url: str, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line-provider that is asked does not look itself.

    Without the doorbell each would wait for the end of a long poll that began as the one before it
    arrived: some 0.87 s. A machine with other things to do, too, has three rounds.
    """
    await exchange.declare()
    monkeypatch.setattr(feed, "LOOK_S", 60)
    rounds: list[list[float]] = []
    async with apart(tmp_path, broker_url) as (line, bets):
        while len(rounds) < ROUNDS and (not rounds or rounds[-1][CHANGES // 2] >= SOON_S):
            rounds.append(await arrivals(line, bets, f"round{len(rounds)}"))
    assert rounds[-1][CHANGES // 2] < SOON_S, rounds


async def test_a_storm_of_forged_messages_changes_nothing(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """500 bodies that are no items, each larger than 64 KiB: bets are taken, nothing is applied."""
    await exchange.declare()
    async with apart(tmp_path, broker_url) as (line, bets):
        await line.post("/events", {"event_id": "derby", "coefficient": "1.95"})
        known = await until_known(bets, "derby")
        storm = asyncio.create_task(exchange.storm([b"\xff" * 70_000] * 500))
        statuses = set()
        while not storm.done():
            answer = await patiently(lambda: bets.post("/bets", BET))
            statuses.add(answer.status_code)
        await storm
        assert statuses == {201}
        assert (await bets.get("/events/derby")).json() == known
        await line.post("/events/derby/result", {"status": "WIN"})
        await until_known(bets, "derby", status="WIN")
