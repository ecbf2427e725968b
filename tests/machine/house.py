"""Both services in one process: a line-provider, and two bet-makers on one database."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from stakeline.bet_maker.app import create_app as create_bet_maker
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.app import create_app as create_line_provider
from stakeline.line_provider.settings import Settings as LineProviderSettings
from tests import databases
from tests.machine.clocks import Host, Time
from tests.machine.feed_wire import Exchange, FeedWire
from tests.machine.storage import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from tests.machine.feed_wire import App, Fate

DEFAULT_DEADLINE_S = 5
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it

# Made here, where time is real.
EMPTY_LINE = databases.migrated_file("line-provider")
EMPTY_BETS = databases.migrated_file("bet-maker")


class Service:
    """A service that can be killed and started again on its database.

    Attributes:
        host: the clocks it runs by.
        storage: its database's moods.
        client: what operators and users ask it with.
    """

    storage: Storage
    client: httpx2.AsyncClient

    def __init__(self, host: Host) -> None:
        self.host = host

    def _create(self) -> FastAPI:
        raise NotImplementedError

    async def start(self) -> None:
        """Start it on its database, as a new process would."""
        with self.host.here():
            app = self._create()
            self._life = app.router.lifespan_context(app)
            await self._life.__aenter__()

        async def hosted(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
            with self.host.here():
                await app(scope, receive, send)

        self.app: App = hosted
        transport = httpx2.ASGITransport(hosted)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://localhost")

    async def kill(self) -> None:
        """End it: what was not committed is gone, and so is all it knew."""
        with self.host.here():
            await self._life.__aexit__(None, None, None)
        await self.client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        dawdle_us: int = 0,
    ) -> httpx2.Response:
        """Its answer; `dawdle_us` passes before the last byte of the body is sent."""
        if body is None:
            return await self.client.request(method, path, headers=headers)
        request = self.client.build_request(method, path, json=body, headers=headers)
        if dawdle_us:
            headers = dict(request.headers)
            content = _dawdling(request.content, self.host.time, dawdle_us)
            request = self.client.build_request(method, path, content=content, headers=headers)
        return await self.client.send(request)


async def _dawdling(body: bytes, time: Time, us: int) -> AsyncIterator[bytes]:
    yield body[:-1]
    time.passes(us)
    yield body[-1:]


class LineProvider(Service):
    """The line-provider, whose wall clock is the true time."""

    def __init__(self, time: Time, folder: Path) -> None:
        super().__init__(Host(time))
        self.file = folder / "line-provider.sqlite3"
        self.file.write_bytes(EMPTY_LINE)

    def _create(self) -> FastAPI:
        app = create_line_provider(
            LineProviderSettings(
                database_url=f"sqlite:///{self.file}", default_deadline_s=DEFAULT_DEADLINE_S
            )
        )
        self.storage = Storage(app.state.line.database, self.host.time)
        return app


class BetMaker(Service):
    """A bet-maker, whose wall clock is wrong, and which follows the line a step at a time.

    Attributes:
        wire: how it asks for the feed.
    """

    def __init__(
        self, time: Time, folder: Path, line: LineProvider, answers: list[Exchange]
    ) -> None:
        super().__init__(Host(time))
        self.file = folder / "bet-maker.sqlite3"
        self.file.write_bytes(EMPTY_BETS)
        self._line, self._answers = line, answers
        self._go = asyncio.Event()

    def _create(self) -> FastAPI:
        app = create_bet_maker(
            BetMakerSettings(
                database_url=f"sqlite:///{self.file}", line_provider_url="http://localhost"
            )
        )
        desk = app.state.desk
        self.storage = Storage(desk.database, self.host.time)
        self.wire = FeedWire(self.host.time, lambda: self._line.app, self._answers)
        heard = desk.line._line
        heard._client = httpx2.AsyncClient(transport=self.wire, base_url="http://localhost")
        step = desk.line._step

        async def step_when_told(_: float) -> None:
            self.wire.settled.set()
            await self._go.wait()
            self._go.clear()
            await step(0.0)  # a held request would wait for real time to pass

        desk.line._step = step_when_told
        return app

    async def start(self) -> None:
        """Start it, as a process on a host that has just been started, too."""
        self.host.booted_us = self.host.time.now - 1
        self._go.clear()
        await super().start()
        await self.wire.settled.wait()

    async def follow(self, fate: Fate) -> None:
        """One step of its follower, until it has ended or is held on the wire."""
        self.wire.fate = fate
        self.wire.settled.clear()
        self._go.set()
        await self.wire.settled.wait()


class House:
    """All services, in a folder of their own.

    Attributes:
        time: the true time.
        line: the line-provider.
        makers: the bet-makers, on one database.
        answers: what line-provider has answered on the feed, on all wires.
    """

    def __init__(self) -> None:
        self.time = Time()
        where = _MEMORY if _MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="stakeline-", dir=where))
        self.answers: list[Exchange] = []
        self.line = LineProvider(self.time, self.folder)
        self.makers = [BetMaker(self.time, self.folder, self.line, self.answers) for _ in range(2)]

    async def open(self) -> None:
        """Start them all."""
        await self.line.start()
        for hours, maker in zip((-7, 9), self.makers, strict=True):
            maker.host.wall_off_us = hours * 3600 * 1_000_000 + 17
            await maker.start()

    async def close(self) -> None:
        """End them all, and remove their databases."""
        for service in (*self.makers, self.line):
            await service.kill()
        shutil.rmtree(self.folder)
