"""Both services inside the test's own process, on real sockets: what a user sees, with coverage."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from stakeline.bet_maker.app import create_app as create_bet_maker
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.app import create_app as create_line_provider
from stakeline.line_provider.settings import Settings as LineProviderSettings
from stakeline.web.binding import bind
from stakeline.web.serving import Server
from tests import databases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI


class _QuietServer(Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the test runner's own signal handlers alone."""
        yield


@dataclass(frozen=True, slots=True)
class Served:
    """A service that answers: its application, its address, and a client of it."""

    app: FastAPI
    url: str
    client: httpx2.AsyncClient

    async def get(self, path: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """GET `path`."""
        return await self.client.get(path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """POST `json` to `path`."""
        return await self.client.post(path, json=json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """PUT `json` to `path`."""
        return await self.client.put(path, json=json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """PATCH `path` with `json`."""
        return await self.client.patch(path, json=json, **more)


@asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncIterator[Served]:
    """Serve `app` on a loopback port until the block ends."""
    sock = bind("127.0.0.1", port)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = _QuietServer(app)
    with closing(sock):
        async with app.router.lifespan_context(app):
            task = asyncio.create_task(server.serve([sock]))
            while not server.started:
                await asyncio.sleep(0.005)
            async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
                yield Served(app, url, client)
            app.state.draining = server.should_exit = True
            await task


def line_provider(data_dir: Path, **settings: Any) -> FastAPI:  # noqa: ANN401
    """A line-provider with its database in `data_dir`."""
    url = databases.url_of(data_dir, "line-provider")
    return create_line_provider(LineProviderSettings(database_url=url, **settings))


def bet_maker(data_dir: Path, line: str | None, **settings: Any) -> FastAPI:  # noqa: ANN401
    """A bet-maker with its database in `data_dir`, following `line` or standalone."""
    url = databases.url_of(data_dir, "bet-maker")
    return create_bet_maker(
        BetMakerSettings(
            database_url=url, line_provider_url=line, standalone=line is None, **settings
        )
    )


async def patiently(call: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """The answer of `call`, which is repeated while it is 503, as the contract asks of clients.

    For what asks for much at once: on a slow machine some of it is not done within 2 s.
    """
    async with asyncio.timeout(60):
        while (answer := await call()).status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(0.2)
    return answer


async def until_ready(served: Served, within_s: float = 30) -> None:
    """Return once `/readyz` says yes."""
    async with asyncio.timeout(within_s):
        while not (await served.get("/readyz")).is_success:
            await asyncio.sleep(0.01)


async def until_known(bets: Served, event_id: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event as bet-maker knows it, once it knows it with these fields."""
    async with asyncio.timeout(30):
        while True:
            answer = await bets.get(f"/events/{event_id}")
            event: dict[str, Any] = answer.json()
            if answer.is_success and fields.items() <= event.items():
                return event
            await asyncio.sleep(0.01)
