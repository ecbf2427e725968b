"""A hundred clients that send a byte now and then move nobody else's answers."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.processes import Service, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SLOW = 100
ROUNDS = 6
REQUESTS = 300
HEAD = b"POST /bets HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
KINDS = ((HEAD, b"X"), (HEAD + BODY, b" "), (b"", b""))
"""Those who send a head, a body, or nothing."""


@pytest.fixture
def bets(tmp_path: Path) -> Service:
    """A standalone bet-maker, not started yet."""
    return Service("bet-maker", tmp_path, BET_MAKER_STANDALONE="1")


async def drip(service: Service, begun: bytes, drop: bytes) -> tuple[float, bytes]:
    """How many seconds the service bore a client that sends a byte a second; and what it said."""
    address = httpx2.URL(service.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    began = time.monotonic()
    try:
        writer.write(begun)
        said = asyncio.create_task(reader.read())
        while not said.done():
            await asyncio.wait({said}, timeout=1)
            if not said.done():
                writer.write(drop)
        return time.monotonic() - began, await said
    finally:
        writer.transport.abort()


@asynccontextmanager
async def slow_clients(service: Service) -> AsyncIterator[None]:
    """So many of them as long as the block lasts; who is sent away comes again."""

    async def insist(begun: bytes, drop: bytes) -> None:
        while True:
            await drip(service, begun, drop)

    tasks = [asyncio.create_task(insist(*KINDS[n % len(KINDS)])) for n in range(SLOW)]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def p99_ms(service: Service, name: str) -> float:
    """The last but two of 300 bets' times, one after the other."""
    took = []
    for number in range(REQUESTS):
        began = time.perf_counter()
        bet = {"event_id": "1", "amount": "1.00"}
        key = {"Idempotency-Key": f"{name}-{number}"}
        answer = await service.client.post("/bets", json=bet, headers=key)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 201
    return sorted(took)[-3]


async def test_slow_clients_do_not_move_the_p99_of_others(bets: Service) -> None:
    """Bets take what they took without them; rounds in pairs, since the machine has more to do."""
    async with running(bets):
        pairs = []
        for number in range(ROUNDS):
            alone = await p99_ms(bets, f"alone{number}")
            async with slow_clients(bets):
                beside = await p99_ms(bets, f"beside{number}")
            pairs.append((alone, beside))
            if beside < 2 * alone + 10:
                break
        told = ", ".join(f"{alone:.1f} -> {beside:.1f}" for alone, beside in pairs)
        print(f"p99 of a bet, ms, alone -> beside {SLOW} slow clients: {told}")  # noqa: T201
        assert beside < 2 * alone + 10, told


async def test_slow_clients_are_sent_away_after_10_s(bets: Service) -> None:
    """However often they send a byte: 408, or nothing to those who said nothing."""
    async with running(bets):
        found = await asyncio.gather(*(drip(bets, *kind) for kind in KINDS))
    for (took_s, said), (begun, _) in zip(found, KINDS, strict=True):
        assert 9.5 < took_s < 15
        assert said.startswith(b"HTTP/1.1 408 " if begun else b"")
        assert (b"request_timeout" in said) == bool(begun)
