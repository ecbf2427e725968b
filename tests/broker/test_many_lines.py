"""Several line-providers on one PostgreSQL: one of their relays works at a time."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.broker.services import bet_maker, line_provider, metric
from tests.processes import insist, running
from tests.system.checker import check_feed
from tests.system.latency import best_round

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broker.exchange import Exchange
    from tests.processes import Service

pytestmark = pytest.mark.postgresql

EVENTS = 20
VERSIONS = 4
KILLS = 4


async def publish(line: Service, name: str, enough: asyncio.Event | None = None) -> int:
    """How many items it made: events and changes of their prices, whatever fails on the way.

    Args:
        line: where.
        name: of the events.
        enough: when set, it ends; None for a fixed number of items.
    """
    for item in count() if enough else range(EVENTS * VERSIONS):
        if enough is not None and enough.is_set():
            return item
        path, body = f"/events/{name}-{item % EVENTS}", {"coefficient": f"{item % 9000 + 1}.00"}
        answer = await insist(lambda p=path, b=body: line.client.put(p, json=b))  # type: ignore[misc]
        assert answer.is_success, answer.text
    return EVENTS * VERSIONS


async def until_published(*lines: Service) -> None:
    """Return once nothing is left to publish."""
    async with asyncio.timeout(60):
        for line in lines:
            while await metric(line, "stakeline_relay_lag_items") != 0:
                await asyncio.sleep(0.05)


@pytest.mark.timeout(400)  # some 15 s, but each restart takes long under load
async def test_every_item_is_published_in_order(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """Two change the line at once, one is killed again and again: no loss, and few doubles."""
    queue = await exchange.bind()
    one, other = (line_provider(tmp_path, broker_url) for _ in range(2))
    async with running(one, other):
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            made = [
                group.create_task(publish(line, name, enough))
                for line, name in ((one, "one"), (other, "other"))
            ]
            for _ in range(KILLS):
                await asyncio.sleep(0.4)
                await other.kill()
                await other.restart()
            enough.set()
        await until_published(one, other)
        check_feed(one.database)
        head = sum(task.result() for task in made)
        await queue.until_seqs(*range(1, head + 1))
    seqs = [got.item["seq"] for got in queue.got]
    assert list(dict.fromkeys(seqs)) == list(range(1, head + 1))
    assert len(seqs) <= head + KILLS * 50


async def test_each_item_is_published_once_when_nobody_dies(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """However many relays there are, and all of them are woken."""
    queue = await exchange.bind()
    lines = [line_provider(tmp_path, broker_url) for _ in range(3)]
    async with running(*lines):
        await asyncio.gather(*(publish(line, f"line{n}") for n, line in enumerate(lines)))
        await until_published(*lines)
        head = 3 * EVENTS * VERSIONS
        await queue.until_seqs(head)
    assert [got.item["seq"] for got in queue.got] == list(range(1, head + 1))


@pytest.mark.timeout(400)
async def test_a_result_is_soon_seen(tmp_path: Path, broker_url: str, exchange: Exchange) -> None:
    """The result goes to one line-provider, bet-maker asks the other: p99 under 100 ms.

    Looks alone would do for that, too (tests/postgresql/test_latency.py); with neither looks nor
    doorbell it is a second. That it is the doorbell which is heard, test_hearing shows.
    """
    await exchange.declare()
    one, other = (line_provider(tmp_path, broker_url) for _ in range(2))
    bets = bet_maker(tmp_path, other.url, broker_url)
    async with running(one, other, bets):
        async with asyncio.timeout(30):
            for service in (one, bets):
                while await metric(service, "stakeline_broker_connected") != 1:
                    await asyncio.sleep(0.05)
        best = await best_round(one, other, bets, within_ms=100, name="with a broker")
    assert best.p99 < best.allowed_ms(100), best
