"""Both services on a PostgreSQL behind a wire that a test can spoil, and what must hold then."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stakeline.bet_maker.app import create_app as create_bet_maker
from stakeline.bet_maker.settings import Settings as BetMaker
from stakeline.line_provider.app import create_app as create_line_provider
from stakeline.line_provider.settings import Settings as LineProvider
from tests.databases import url_of
from tests.serving import Served, patiently, serving, until_ready
from tests.stopwatch import timed
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    import httpx2

    from tests.cluster import Cluster

ANSWERED_S = 3.0
"""Within which a request is answered, whatever the database does."""
CALLS = (
    ("line", "POST", "/events", {"coefficient": 1.5}),
    ("line", "POST", "/events/open/result", {"status": "WIN"}),
    ("line", "GET", "/events", None),
    ("line", "GET", "/feed?after=0&wait=1", None),
    ("line", "GET", "/readyz", None),
    ("bets", "POST", "/bets", {"event_id": "open", "amount": 1}),
    ("bets", "POST", "/bets/batch", {"bets": [{"event_id": "open", "amount": 1}]}),
    ("bets", "GET", "/bets", None),
    ("bets", "GET", "/events", None),
    ("bets", "GET", "/readyz", None),
)


@dataclass(frozen=True, slots=True)
class Troubled:
    """A line-provider, a bet-maker that follows it, and the wire from both to their databases."""

    line: Served
    bets: Served
    wire: Wire
    databases: tuple[str, str]
    """The URLs of both databases, past the wire."""

    async def place(self, key: str, event_id: str = "open") -> httpx2.Response:
        """The answer to a bet of 1.00."""
        body = {"event_id": event_id, "amount": 1}
        return await self.bets.post("/bets", body, headers={"Idempotency-Key": key})

    async def call_all(self) -> list[httpx2.Response]:
        """The answers to all kinds of requests, sent at once; each has come in time."""
        asked = [
            in_time(getattr(self, service).client.request(method, path, json=body))
            for service, method, path, body in CALLS
        ]
        return await asyncio.gather(*asked)

    async def assert_unavailable(self) -> None:
        """Every request is told in time to come again, and the services are alive."""
        for (service, method, path, body), answer in zip(CALLS, await self.call_all(), strict=True):
            told = (service, method, path, answer.status_code, answer.text)
            if answer.status_code == 200 and path == "/bets/batch":
                assert [one["status"] for one in answer.json()["results"]] == [503], told
            else:
                assert answer.status_code == 503, told
                assert int(answer.headers["retry-after"]) >= 1, told
            assert "postgres" not in answer.text.lower(), told
            assert "asyncpg" not in answer.text.lower(), told
            assert body is None or "open" not in answer.text, told
        for served in (self.line, self.bets):
            assert (await served.get("/healthz")).status_code == 200

    async def assert_recovers(self, event_id: str, within_s: float = 30) -> None:
        """Both serve again by themselves: an event, a bet on it, its result."""
        async with asyncio.timeout(within_s):
            for served in (self.line, self.bets):
                await until_ready(served, within_s)
            body = {"event_id": event_id, "coefficient": 2}
            while (await self.line.post("/events", body)).status_code not in {200, 201}:
                await asyncio.sleep(0.05)
            while (await self.place(event_id, event_id)).status_code != 201:
                await asyncio.sleep(0.05)
            result = f"/events/{event_id}/result"
            while (await self.line.post(result, {"status": "WIN"})).status_code != 200:
                await asyncio.sleep(0.05)
            while True:
                bets = (await self.bets.get(f"/bets?event_id={event_id}")).json()
                (status,) = {bet["status"] for bet in bets}
                if status in {"WON", "VOID"}:  # void where the result came in the same instant
                    return
                await asyncio.sleep(0.05)


async def in_time(answering: Awaitable[httpx2.Response]) -> httpx2.Response:
    """The answer, which has come in time."""
    answer, took_s = await timed(answering)
    assert took_s < ANSWERED_S, (answer.request.method, answer.request.url, took_s)
    return answer


@asynccontextmanager
async def troubled(cluster: Cluster, folder: Path) -> AsyncIterator[Troubled]:
    """Both services, ready, with the event `open` on the line."""
    past = tuple(
        url_of(folder, name, server=cluster.url) for name in ("line-provider", "bet-maker")
    )
    async with Wire(past[0]).up() as wire:
        port = f":{urlsplit(wire.url).port}/"
        lines, bets = (url.replace(f":{cluster.port}/", port) for url in past)
        async with serving(create_line_provider(LineProvider(database_url=lines))) as line:
            settings = BetMaker(database_url=bets, line_provider_url=line.url)
            async with serving(create_bet_maker(settings)) as maker:
                await until_ready(maker)
                pair = Troubled(line, maker, wire, (past[0], past[1]))
                body = {"event_id": "open", "coefficient": 1.5}
                made = await patiently(lambda: line.post("/events", body))
                assert made.is_success
                async with asyncio.timeout(60):
                    while (await pair.place("first")).status_code != 201:
                        await asyncio.sleep(0.02)
                yield pair
                wire.flow()
