"""Taking connections from a socket, from which other processes may take them, too."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from stakeline.web.shares import Share

log = structlog.get_logger(__name__)

BACKLOG = 2048
MOST = 32
"""How many connections are taken at a turn of the loop.

libuv would take one. Under load a turn takes tens of milliseconds, and new connections would wait
behind those that are there, for seconds.
"""
LEAVE_S = 0.002
"""How long connections are left to processes that have fewer."""
FULL_S = 1.0
"""How long none is taken after the system had no room for one."""
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Door:
    """Gives each connection that comes a protocol of its own, until it is closed.

    Where several processes share the socket, all are woken by a connection, and the quickest one
    would come to have nearly all of them. So who has more than others leaves it to them, for
    `LEAVE_S` at a time, since they may be busy or frozen.

    Args:
        sock: bound.
        protocol: makes one for a connection.
        count: how many connections have one.
        share: where other processes take connections from the same socket.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        count: Callable[[], int],
        share: Share | None,
    ) -> None:
        self._sock, self._protocol, self._count, self._share = sock, protocol, count, share
        self._loop = asyncio.get_running_loop()
        self._begun: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._open()

    async def close(self) -> None:
        """Take no more connections, and return once each that was taken has its protocol."""
        self._stop()
        if self._share is not None:
            self._share.absent()
        if self._begun:
            await asyncio.wait(self._begun)

    def note(self) -> int:
        """Let other processes know how many connections there are; how many more may be taken."""
        if self._share is None:
            return MOST
        return min(MOST, self._share.room(self._own()))

    def _own(self) -> int:
        return self._count() + len(self._begun)

    def _open(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._take)

    def _stop(self) -> None:
        if self._pause is None:
            self._loop.remove_reader(self._sock.fileno())
        else:
            self._pause.cancel()

    def _stop_for(self, s: float, then: Callable[[], None]) -> None:
        self._stop()
        self._pause = self._loop.call_later(s, then)

    def _take(self) -> None:
        room = self.note()
        if room > 0:
            self._take_some(room)
        else:
            self._stop_for(LEAVE_S, self._take_what_is_left)

    def _take_what_is_left(self) -> None:
        self._open()
        self._take_some(max(self.note(), 1 + self._own() // 8))

    def _take_some(self, most: int) -> None:
        try:
            for _ in range(most):
                sock, _ = self._sock.accept()
                task = self._loop.create_task(self._begin(sock))
                self._begun.add(task)
                task.add_done_callback(self._begun.discard)
        except OSError as error:  # nobody else waits, for the most part
            if error.errno in _FULL:
                log.error("no connection can be taken", why=error.strerror)  # noqa: TRY400 - one line
                self._stop_for(FULL_S, self._open)
        self.note()

    async def _begin(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        await self._loop.connect_accepted_socket(self._protocol, sock)
