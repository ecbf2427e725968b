"""Serving an application on a socket until a signal comes."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING

import uvicorn

from stakeline.web.doors import Door
from stakeline.web.protocol import Protocol
from stakeline.web.shares import Share

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import FrameType

    from fastapi import FastAPI

GRACE_S = 8
"""How long requests under way may take to end, once serving stops."""
DRAIN_S = 0.2
"""How long `/readyz` says no before the sockets close, so that a gateway can look elsewhere."""


class Server(uvicorn.Server):
    """uvicorn, but SIGTERM drains: not ready first, then no new requests, exit status 0.

    Args:
        app: what is served.
        share: its own among processes that take connections from the same socket, if there are any.
    """

    def __init__(self, app: FastAPI, share: Share | None = None) -> None:
        self.app, self._share = app, share or Share.whole()
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                log_config=None,
                access_log=False,
                server_header=False,
                root_path=app.state.root_path,
                proxy_headers=bool(app.state.trusted_proxies),
                forwarded_allow_ips=list(app.state.trusted_proxies),
                ws="none",
                lifespan="off",  # `serve` runs it, so that what fails at start reaches the caller
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from the only one of `sockets`, by a door in place of uvicorn's."""
        (sock,) = sockets or []
        self.servers = []
        self._door = Door(
            sock,
            lambda: Protocol(self.config, self.server_state, {}),
            self.server_state.connections,
            self._share,
        )
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, and end those that are there once they are answered."""
        await self._door.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin to drain; a further Ctrl-C stops at once."""
        if self.app.state.draining and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
            asyncio.get_running_loop().call_soon(self._abort)
        self.app.state.draining = True
        asyncio.get_running_loop().call_later(DRAIN_S, self._stop)

    async def on_tick(self, counter: int) -> bool:
        """Also look at every connection, twice a second; uvicorn's ticks are ten."""
        self._door.note()
        if counter % 5 == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Protocol):
                    connection.look()
        return await super().on_tick(counter)

    def _stop(self) -> None:
        self.should_exit = True

    def _abort(self) -> None:
        # Else what is being sent ends with the loop, and says so at length.
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


def run(
    app: FastAPI,
    sock: socket.socket,
    take_anew: Callable[[], None],
    share: Share | None = None,
) -> None:
    """`serve`, on the fastest event loop there is.

    Args:
        app: what is served.
        sock: a bound socket.
        take_anew: called at SIGHUP, to read anew what may change while it serves; also at one that
            was blocked so far.
        share: its own among processes that take connections from the same socket, if there are any.

    Raises:
        Exception: whatever the application's start raises.
    """
    with asyncio.Runner(loop_factory=Server(app).config.get_loop_factory()) as runner:
        loop = runner.get_loop()
        loop.add_signal_handler(signal.SIGHUP, take_anew)
        # A signal that comes before uvloop runs would be lost.
        loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, {signal.SIGHUP})
        runner.run(serve(app, sock, share))


async def serve(app: FastAPI, sock: socket.socket, share: Share | None = None) -> None:
    """Serve `app` on a bound socket until SIGTERM or SIGINT.

    Raises:
        Exception: whatever its start raises.
    """
    async with app.router.lifespan_context(app):
        # What the start has made stays; to go through it again and again took a quarter of a bet's
        # time, and a tenth of a second at once. What is garbage of it stays, too: to look for that
        # took as long, and found nothing that could be measured.
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        # SQLite's thread gives up the interpreter at each statement and row, and would wait 5 ms to
        # have it back: a group took longer than it has bets.
        sys.setswitchinterval(0.0002)
        await Server(app, share).serve([sock])
