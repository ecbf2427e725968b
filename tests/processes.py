"""The services as real processes that a test may kill, freeze, or set the clock of."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import httpx2

from tests import databases
from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

START_S = 90.0
STAKELINE = ("-m", "stakeline")
CLOCK_OFF = """
import sys, time
from time import monotonic, time as wall, time_ns as wall_ns
off_s, jumps = int(sys.argv.pop(1)), sys.argv.pop(1) == "jumps"
def off_now():
    return -off_s if jumps and int(monotonic() * 5) % 2 else off_s
time.time = lambda: wall() + off_now()
time.time_ns = lambda: wall_ns() + off_now() * 1_000_000_000
from stakeline import clock
print(clock.now(), file=sys.stderr, flush=True)
from stakeline.cli.commands import main
main()
"""
"""`stakeline` in a process whose wall clock is off; the steady clocks are right."""


class Service:
    """One service as a process; its address and database stay when it is started again.

    Args:
        name: `line-provider` or `bet-maker`.
        folder: where its log is, and its database, if that is a file.
        database: the name of its database there.
        launcher: what Python runs, before the service's name.
        settings: environment variables.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        database: str | None = None,
        launcher: tuple[str, ...] = STAKELINE,
        **settings: str,
    ) -> None:
        self.database = databases.url_of(folder, database or name, name)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / f"{name}-{self.port}.log"
        self.client = httpx2.AsyncClient(base_url=self.url, timeout=15, trust_env=False)
        self._command = (*launcher, name, "--port", str(self.port))
        url = {f"{name.replace('-', '_').upper()}_DATABASE_URL": self.database}
        self.environment = clean_environment() | url | settings
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it; it need not answer yet."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, *self._command),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def until_ready(self, path: str = "/readyz", within_s: float = START_S) -> None:
        """Return once `path` says yes."""
        async with asyncio.timeout(within_s):
            while True:
                assert self.process.returncode is None, self.log.read_text()
                with suppress(httpx2.HTTPError):
                    if (await self.client.get(path, timeout=1)).is_success:
                        return
                await asyncio.sleep(0.02)

    @property
    def process(self) -> Process:
        """The process last started."""
        assert self._process is not None
        return self._process

    def signal(self, number: int) -> None:
        """Send the process a signal: SIGSTOP, SIGCONT, SIGTERM."""
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it by SIGKILL, if it runs; it may be frozen."""
        if self._process is not None:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit status, within 10 s."""
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            return await self.process.wait()

    async def command(self, *words: str) -> tuple[int, str]:
        """The exit status and output of a `stakeline` command with this service's settings."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, *STAKELINE, *words),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await command.communicate()
        assert command.returncode is not None
        return command.returncode, output.decode()

    async def restart(self) -> None:
        """Start it again after its end, and return once it is ready."""
        await self.start()
        await self.until_ready()


def clean_environment() -> dict[str, str]:
    """The environment without settings of Stakeline."""
    ours = ("LINE_PROVIDER_", "BET_MAKER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def line_provider(folder: Path, database: str | None = None) -> Service:
    """A line-provider, not started yet."""
    return Service("line-provider", folder, database)


def bet_maker(
    folder: Path,
    line_url: str,
    database: str | None = None,
    launcher: tuple[str, ...] = STAKELINE,
) -> Service:
    """A bet-maker that will follow the line at `line_url`, not started yet."""
    return Service("bet-maker", folder, database, launcher, BET_MAKER_LINE_PROVIDER_URL=line_url)


@asynccontextmanager
async def running(*services: Service) -> AsyncIterator[None]:
    """The services, started and ready; at the end of the block none of them is left."""
    async with AsyncExitStack() as stack:
        for service in services:
            stack.push_async_callback(service.client.aclose)
            stack.push_async_callback(service.kill)
            await service.start()
        await asyncio.gather(*(service.until_ready() for service in services))
        yield


async def insist(call: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """The first answer that decides: after a lost connection or a 503 the request is repeated."""
    while True:
        with suppress(httpx2.TransportError):
            answer = await call()
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                return answer
        await asyncio.sleep(0.05)
