"""Taking connections from a socket, from which other processes may take them, too."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

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
    would come to have nearly all of them. So who has more than another one leaves it to that, for
    `LEAVE_S` at a time, and then takes one; more, if the other has taken none: it may be frozen.

    Args:
        sock: bound.
        protocol: makes one for a connection.
        connected: all those protocols that have their connection now.
        share: its own among the processes that take connections from the socket.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        connected: Collection[object],
        share: Share,
    ) -> None:
        self._sock, self._protocol, self._connected, self._share = sock, protocol, connected, share
        self._loop = asyncio.get_running_loop()
        self._begun: dict[asyncio.Task[object], asyncio.Protocol] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._left = 1
        self._least = 0
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self.note()
        self._open()

    async def close(self) -> None:
        """Take no more connections, and return once each that was taken has its protocol."""
        self._stop()
        self._share.absent()
        if self._begun:
            await asyncio.wait([*self._begun])

    def note(self) -> None:
        """Let other processes know how many connections there are."""
        self._share.note(self._own())

    def _own(self) -> int:
        begun = sum(protocol not in self._connected for protocol in self._begun.values())
        return len(self._connected) + begun

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

    def _room(self) -> int:
        """How many may be taken so that it has hardly more than any other process."""
        least = self._share.least()
        return min(MOST, least + 1 + least // 8 - self._own())

    def _take(self) -> None:
        room = self._room()
        if room > 0:
            self._take_some(room)
        else:
            self._stop_for(LEAVE_S, self._take_what_is_left)

    def _take_what_is_left(self) -> None:
        self._open()
        least = self._share.least()
        if least != self._least:
            self._least, self._left = least, 1
        more_are_left = self._take_some(self._left)
        self._left = min(MOST, 2 * self._left) if more_are_left else 1

    def _take_some(self, most: int) -> bool:
        """Take as many, and say whether there were."""
        try:
            for _ in range(most):
                sock, _ = self._sock.accept()
                self._begin(self._protocol(), sock)
        except OSError as error:  # nobody else waits, for the most part
            if error.errno in _FULL:
                log.error("no connection can be taken", why=error.strerror)  # noqa: TRY400 - one line
                self._stop_for(FULL_S, self._open)
            return False
        finally:
            self.note()
        return True

    def _begin(self, protocol: asyncio.Protocol, sock: socket.socket) -> None:
        beginning = self._loop.connect_accepted_socket(lambda: protocol, sock)
        task = self._loop.create_task(beginning)
        self._begun[task] = protocol
        task.add_done_callback(self._begun.pop)
