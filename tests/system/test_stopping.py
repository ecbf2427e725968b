"""SIGTERM under load: not ready first, then what was accepted is answered, then exit status 0."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import httpx2

from tests.databases import execute as rows
from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import ask, ask_batch, now_us, same_line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

USERS = 8
DRAIN_US = 100_000


@dataclass(slots=True)
class Callers:
    """Callers who ask one thing after another, and leave at the first failure.

    Attributes:
        answered: the names of what was answered with yes.
        failed_at: when the requests were sent that got no answer, microseconds.
    """

    answered: set[str] = field(default_factory=set)
    failed_at: list[int] = field(default_factory=list)

    async def call(
        self, caller: int, ask_for: Callable[[str], Coroutine[None, None, bool]]
    ) -> None:
        """Ask until there is no answer."""
        for n in count():
            name, sent = f"{caller}-{n}", now_us()
            try:
                yes = await ask_for(name)
            except httpx2.TransportError:
                self.failed_at.append(sent)
                return
            assert yes
            self.answered.add(name)


async def stop_under(service: Service, callers: Callers) -> None:
    """Send SIGTERM and check the end, from the first sign to the exit status."""
    reasons: set[str] = set()

    async def look() -> None:
        with suppress(httpx2.TransportError):
            while True:
                ready = await service.client.get("/readyz")
                if ready.status_code == 503:
                    reasons.add(ready.json()["reason"])

    looking = asyncio.create_task(look())
    await asyncio.sleep(0.5)
    terminated = now_us()
    service.signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await service.process.wait() == 0
    await looking
    assert reasons == {"shutting down"}
    while len(callers.failed_at) < USERS:
        await asyncio.sleep(0.01)
    assert min(callers.failed_at) > terminated + DRAIN_US, "a request was dropped before the end"
    assert "Traceback" not in service.log.read_text()


async def test_every_accepted_request_is_answered(tmp_path: Path) -> None:
    """What bet-maker and line-provider wrote is exactly what they acknowledged."""
    line = line_provider(tmp_path)
    bets = bet_maker(tmp_path, line.url)
    async with running(line, bets):
        await line.client.post("/events", json={"event_id": "match", "coefficient": "1.95"})
        await same_line(line, bets, ["match"])

        async def place(name: str) -> bool:
            return (await ask(bets.client, "match", name, "1")).status == 201

        async def place_many(name: str) -> bool:
            wanted = [("match", f"{name}-{n}", "1") for n in range(100)]
            return {one.status for one in await ask_batch(bets.client, wanted)} == {201}

        async def publish(name: str) -> bool:
            event = {"event_id": name, "coefficient": "1.95"}
            return (await line.client.post("/events", json=event)).status_code == 201

        singles, batches = Callers(), Callers()
        async with asyncio.TaskGroup() as group:
            for user in range(USERS):
                group.create_task(singles.call(user, place))
            group.create_task(batches.call(0, place_many))
            await stop_under(bets, singles)
        written = {key for (key,) in rows(bets.database, "SELECT key FROM bets")}
        assert written == singles.answered | {
            f"{name}-{n}" for name in batches.answered for n in range(100)
        }

        await bets.restart()
        operators = Callers()
        async with asyncio.TaskGroup() as group:
            for operator in range(USERS):
                group.create_task(operators.call(operator, publish))
            await stop_under(line, operators)
        events = {event_id for (event_id,) in rows(line.database, "SELECT event_id FROM events")}
        assert events == operators.answered | {"match"}
