"""Both services as two processes of this machine, for `up`, `replay` and the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stakeline.cli import databases
from stakeline.web.binding import bind

if TYPE_CHECKING:
    import socket
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

HOST = "127.0.0.1"
STOP_S = 10.0
READY_S = 20.0
WRONG_SETTING = 2
"""The exit status of a service that a wrong setting has stopped, and that has named it."""


class ServiceFailed(Exception):
    """A service ended, or did not become ready.

    Attributes:
        told: whether it has said why itself: a wrong setting, in one line.
    """

    def __init__(self, message: str, *, told: bool) -> None:
        self.told = told
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Running:
    """Two services that answer: their addresses, and their processes."""

    line_provider: str
    bet_maker: str
    processes: dict[str, Process]
    restart: Callable[[str], Awaitable[None]]
    """Kills the service of this name, without warning, and starts it again; it is ready then.

    Only where `running` was told to hold the sockets.
    """

    async def wait(self) -> str:
        """The name of the service that ends first."""
        waits = {asyncio.create_task(p.wait()): name for name, p in self.processes.items()}
        done, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        return waits[done.pop()]


@asynccontextmanager
async def running(
    data_dir: Path | None,
    line_provider_port: int = 0,
    bet_maker_port: int = 0,
    *,
    private: bool = False,
    hold: bool = False,
    check: Callable[[], None] = lambda: None,
) -> AsyncIterator[Running]:
    """Both services, their databases migrated, ready to serve; stopped at the end of the block.

    Args:
        data_dir: where their databases are; None for where their settings say.
        line_provider_port: 0 for any that is free.
        bet_maker_port: 0 for any that is free.
        private: settings in the environment are not theirs, and they log only what is wrong.
        hold: keep the sockets listening here too, so that a service can be restarted: who calls it
            meanwhile waits, and nobody else can take its port.
        check: called before either service does anything; what it raises ends both.

    Raises:
        OSError: a port is taken.
        WrongSetting: a database could not be migrated; the message names its setting.
        ServiceFailed: one ended instead of becoming ready; it has said why on standard error.
    """
    processes: dict[str, Process] = {}
    lifeline, own_end = os.pipe()
    try:
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context(contextlib.closing(bind(HOST, line_provider_port)))
            bets = stack.enter_context(contextlib.closing(bind(HOST, bet_maker_port)))
            sockets = {"line-provider": lines, "bet-maker": bets}
            at = {service: _address(sock) for service, sock in sockets.items()}
            turns = {service: asyncio.Lock() for service in sockets}
            environment = _environment(data_dir, at["line-provider"], private=private)

            async def begin(service: str, *, wait: bool = False) -> None:
                processes[service] = await start(
                    service, sockets[service], lifeline, environment, wait=wait
                )

            async def restart(service: str) -> None:
                async with turns[service]:
                    with contextlib.suppress(ProcessLookupError):
                        processes[service].kill()
                    await processes[service].wait()
                    await begin(service)
                    await wait_until_ready(service, at[service], processes[service])

            # All three processes import what they need, which is most of a start, at once.
            for service in sockets:
                await begin(service, wait=True)
            from stakeline.cli import migrate

            check()
            for name in migrate.SCHEMAS:
                await migrate.migrate(name, environment)
            # Else bet-maker may come before line-provider listens, and again half a second later.
            lines.listen()
            for process in processes.values():
                _let_go(process)
            if not hold:
                stack.close()
            await asyncio.gather(
                *(wait_until_ready(name, at[name], processes[name]) for name in at)
            )
            yield Running(at["line-provider"], at["bet-maker"], processes, restart)
    finally:
        for process in reversed(processes.values()):  # who follows stops first
            await stop(process)
        os.close(lifeline)
        os.close(own_end)


def _environment(data_dir: Path | None, line_provider: str, *, private: bool) -> dict[str, str]:
    ours = ("LINE_PROVIDER_", "BET_MAKER_")
    environment = {
        name.upper() if name.upper().startswith(ours) else name: value
        for name, value in os.environ.items()
        if not (private and name.upper().startswith(ours))
    }
    environment["BET_MAKER_LINE_PROVIDER_URL"] = line_provider
    if data_dir is not None:
        environment["LINE_PROVIDER_DATABASE_URL"] = databases.url_in(data_dir, "line-provider")
        environment["BET_MAKER_DATABASE_URL"] = databases.url_in(data_dir, "bet-maker")
    if environment.get("BET_MAKER_JWT_SECRET") or environment.get("BET_MAKER_JWT_SECRET_FILE"):
        _close_line(environment)
    if private:
        environment["LINE_PROVIDER_LOG_LEVEL"] = environment["BET_MAKER_LOG_LEVEL"] = "ERROR"
    return environment


def _close_line(environment: dict[str, str]) -> None:
    """Let line-provider know bet-maker and its users, as far as nothing else is said."""

    def said(name: str) -> bool:
        return bool(environment.get(name) or environment.get(f"{name}_FILE"))

    if not said("LINE_PROVIDER_JWT_SECRET"):
        for name in ("JWT_SECRET", "JWT_PREVIOUS_SECRET"):
            for end in ("", "_FILE"):
                if value := environment.get(f"BET_MAKER_{name}{end}"):
                    environment[f"LINE_PROVIDER_{name}{end}"] = value
    if not said("LINE_PROVIDER_FEED_TOKENS"):
        environment.pop("BET_MAKER_LINE_PROVIDER_TOKEN_FILE", None)  # nobody would know that one
        token = secrets.token_urlsafe(32)
        environment["LINE_PROVIDER_FEED_TOKENS"] = f"bet-maker={token}"
        environment["BET_MAKER_LINE_PROVIDER_TOKEN"] = token


async def start(
    service: str,
    sock: socket.socket,
    lifeline: int,
    environment: dict[str, str],
    *options: str,
    fds: Iterable[int] = (),
    wait: bool = False,
) -> Process:
    """A service's process on a socket that is bound already, so that no port can be lost to a race.

    Args:
        service: `line-provider` or `bet-maker`.
        sock: the socket.
        lifeline: the reading end of a pipe; the service ends when the pipe does, which is when this
            process does, however that happens.
        environment: its whole environment.
        options: further ones of its command.
        fds: further file descriptors that it needs.
        wait: whether it does nothing but import before `_let_go`.
    """
    # It begins with this: SIGHUP waits there until settings can be read anew, and ends nobody.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stakeline", service),
            *("--fd", str(sock.fileno()), "--lifeline", str(lifeline)),
            *(*options, *(["--wait"] if wait else [])),
            env=environment,
            pass_fds=[sock.fileno(), lifeline, *fds],
            stdin=asyncio.subprocess.PIPE if wait else asyncio.subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the command, which then ends its services in order
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _let_go(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.write(b"\n")
        process.stdin.close()


async def wait_until_ready(service: str, address: str, process: Process) -> None:
    """Return once `/readyz` says yes.

    Raises:
        ServiceFailed: the process ended, or 20 s went by.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_S):
            while process.returncode is None:
                if await _is_ready(address):
                    return
                await asyncio.sleep(0.05)
    told = process.returncode == WRONG_SETTING
    raise ServiceFailed(f"{service} did not become ready", told=told)


async def _is_ready(address: str) -> bool:
    """What `/readyz` says, asked in so many words: an HTTP client's import would be felt."""
    where = urlsplit(address)
    request = f"GET /readyz HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError):  # a TimeoutError, too
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            with contextlib.closing(writer):
                writer.write(request.encode())
                return b" 200 " in await reader.readline()
    return False


async def stop(process: Process) -> None:
    """End a service as a machine's own supervisor would: SIGTERM, and after 10 s SIGKILL."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _address(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}"
