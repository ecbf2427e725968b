"""The load generator: a process of its own that sends prepared requests, as told on standard input.

It is one loop over raw sockets, so that it takes as little as it can of what it measures. What it
reads is a `load.Plan` as JSON, and what it writes what came of it.
"""

from __future__ import annotations

import json
import random
import re
import resource
import select
import socket
import sys
import time
from collections import deque
from typing import Any

FRESH = b"freshfreshfresh!"
"""What stands in a request for 16 characters that are others each time it is sent."""
RAMP_S = 0.1
"""How long a closed loop runs before it is measured: its connections are new until then."""
DRAIN_S = 15.0
"""How long answers are waited for once nothing more is sent."""
_SIZE = 1 << 18
_LENGTH = re.compile(rb"\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\nretry-after: *\d", re.IGNORECASE)


class _Connection:
    __slots__ = ("begun", "busy", "head", "left", "since", "sock", "status")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.begun = self.since = 0.0
        self.busy, self.head, self.left, self.status = False, b"", 0, ""


class _Load:
    def __init__(self, plan: dict[str, Any]) -> None:
        self._address = (plan["host"], plan["port"])
        self._requests = [one.encode("latin-1") for one in plan["requests"]]
        self._seconds, self._rate = plan["seconds"], plan["rate"]
        self._only_free = plan["only_free"]
        self._epoll = select.epoll()
        # One for all: a new one of this size for each answer costs more than the answer does.
        self._read = bytearray(_SIZE)
        self._by_fd: dict[int, _Connection] = {}
        self._free: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._took: dict[str, list[float]] = {}
        self._sent = self._busy = self._unsent = 0
        for _ in range(plan["connections"]):
            connection = _Connection(self._connect())
            self._by_fd[connection.sock.fileno()] = connection
            self._free.append(connection)

    def run(self) -> dict[str, Any]:
        """Send until the time is over, and hear the last answers."""
        if not self._rate:
            self._closed_loop(time.perf_counter() + RAMP_S)
        before = {status: len(took) for status, took in self._took.items()}
        began = time.perf_counter()
        used = _cpu_s()
        if self._rate:
            self._open_loop(began, began + self._seconds)
        else:
            self._closed_loop(began + self._seconds)
        took_s, used = time.perf_counter() - began, _cpu_s() - used
        answered = {
            status: len(took) - before.get(status, 0) for status, took in self._took.items()
        }
        over = time.perf_counter()
        while self._busy and time.perf_counter() < over + DRAIN_S:
            self._hear(0.1)
        if self._busy:
            self._took["unanswered"] = [DRAIN_S] * self._busy
        return {
            "took_s": took_s,
            "drained_s": time.perf_counter() - over,
            "cpu": used / took_s,
            "answered": answered,
            "unsent": self._unsent + len(self._waiting),
            "counts": {status: len(took) for status, took in self._took.items()},
            "times_ms": {
                status: _spread_ms(took[before.get(status, 0) :] or took)
                for status, took in self._took.items()
            },
        }

    def _closed_loop(self, end: float) -> None:
        """Every connection sends its next request when its last one is answered."""
        while (now := time.perf_counter()) < end:
            while self._free:
                self._send(self._free.popleft(), now)
            self._hear(end - now)

    def _open_loop(self, began: float, end: float) -> None:
        """Requests are due at even intervals; what finds no connection free waits, and that counts.

        Where `only_free` is set it is not sent at all, and counted as such.
        """
        due, pause = began, 1 / self._rate
        while (now := time.perf_counter()) < end:
            while due <= now:
                self._waiting.append(due)
                due += pause
            while self._waiting and self._free:
                self._send(self._free.popleft(), self._waiting.popleft())
            if self._only_free:
                self._unsent += len(self._waiting)
                self._waiting.clear()
            # epoll itself waits for whole milliseconds.
            select.select([self._epoll], [], [], max(0.0, min(due, end) - time.perf_counter()))
            self._hear(0)

    def _send(self, connection: _Connection, since: float) -> None:
        chosen = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        request = chosen.replace(FRESH, b"%016x" % random.getrandbits(64))
        connection.since, connection.begun = since, time.perf_counter()
        connection.busy, connection.head, connection.left = True, b"", 0
        self._busy += 1
        try:
            sent = connection.sock.send(request)
            if sent < len(request):
                connection.sock.setblocking(True)
                connection.sock.sendall(request[sent:])
                connection.sock.setblocking(False)
        except OSError:
            self._lose(connection)

    def _hear(self, wait_s: float) -> None:
        for fd, _ in self._epoll.poll(max(0.0, wait_s)):
            connection = self._by_fd[fd]
            try:
                size = connection.sock.recv_into(self._read)
            except OSError:
                size = 0
            if not size:
                self._lose(connection)
            elif self._take(connection, size):
                self._end(connection, connection.status)

    def _take(self, connection: _Connection, size: int) -> bool:
        """Whether the answer is whole, now that so many more bytes of it have been read."""
        if connection.left:
            connection.left -= size
            return connection.left == 0
        data = connection.head + self._read[:size]
        end = data.find(b"\r\n\r\n")
        if end < 0:
            connection.head = data
            return False
        connection.status = data[9:12].decode()
        if connection.status == "503" and not _RETRY.search(data, 0, end):
            connection.status = "503 without Retry-After"
        length = _LENGTH.search(data, 0, end)
        connection.left = end + 4 + (int(length[1]) if length else 0) - len(data)
        return connection.left == 0

    def _end(self, connection: _Connection, status: str) -> None:
        since = connection.begun if self._only_free else connection.since
        self._took.setdefault(status, []).append(time.perf_counter() - since)
        connection.busy = False
        self._busy -= 1
        self._free.append(connection)

    def _lose(self, connection: _Connection) -> None:
        """Replace a connection that has ended; a request that was under way is `lost`."""
        del self._by_fd[connection.sock.fileno()]
        connection.sock.close()
        connection.sock = self._connect()
        self._by_fd[connection.sock.fileno()] = connection
        if connection.busy:
            self._end(connection, "lost")

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(self._address, timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        return sock


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _spread_ms(took: list[float]) -> dict[str, float]:
    took.sort()
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: took[min(len(took) - 1, int(len(took) * q))] * 1000 for name, q in at.items()}


if __name__ == "__main__":
    json.dump(_Load(json.load(sys.stdin)).run(), sys.stdout)
