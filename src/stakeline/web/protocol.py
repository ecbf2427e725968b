"""One connection: how large a request may be, and how long it and its answer may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from stakeline import strictjson
from stakeline.errors import (
    BadRequest,
    HeadersTooLarge,
    Problem,
    RequestTimeout,
    Unavailable,
    UriTooLong,
)
from stakeline.web import headers

if TYPE_CHECKING:
    import asyncio

log = structlog.get_logger(__name__)

KIB = 1024
TARGET_BYTES = 8 * KIB
HEADERS_BYTES = 16 * KIB
"""Of all headers together, their names, colons and line ends included."""
LOOKS = 20
"""How many half seconds a request may take to arrive, and then its answer to begin.

They are counted instead of asking a clock, so that a process that was frozen or busy does not blame
its clients.
"""
LINGER_S = 1.0
"""How long a connection is still read after an answer that did not wait for the whole request."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP with limits; what breaks one gets a problem, and its connection is closed.

    A request that was not answered in time goes on as one whose client has hung up.
    """

    _refusal: Problem | None = None
    _deaf = False
    _arriving = True  # at first a request is waited for like one that has begun
    _in_head = False
    _looks = 0
    _headers_bytes = 0
    _unread = 0
    _active: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # TCP
        """Begin a connection."""
        super().connection_made(_Joining(transport, self.loop))  # type: ignore[arg-type] # all of it

    def look(self) -> None:
        """Note that half a second has gone by, and end what has taken too long."""
        self._looks += 1
        if self._looks <= LOOKS or self.transport.is_closing():
            return
        active = self._active
        if active is not None and not (active.response_complete or active.disconnected):
            if active.response_started:
                return  # an export, or a reader who takes his time
            if active.more_body:
                self._answer(RequestTimeout())
                return
            route = getattr(active.scope.get("route"), "path", "none")
            log.error("a request was not answered in time", route=route)
            self._answer(
                Unavailable("No answer was found in time; repeat the request with its key.")
            )
        elif self._in_head and not self._deaf:
            self._answer(RequestTimeout())
        elif self._arriving and not self._deaf:  # nothing so far, or what was refused already
            self.hang_up()

    def data_received(self, data: bytes) -> None:
        """Read what has come, unless the connection is only waiting for its end."""
        if self._deaf:
            return
        if not self._arriving:
            self._arriving, self._looks = True, 0
        self._unread += len(data)
        super().data_received(data)
        # The parser keeps what it has of a header, or of a chunk's size, until it has all of it.
        if self._unread > TARGET_BYTES + HEADERS_BYTES + KIB and not self._deaf:
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._arriving = self._in_head = True
        self._looks = self._headers_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take some of the target."""
        if len(self.url) + len(url) > TARGET_BYTES:
            self._give_up(UriTooLong())
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._headers_bytes += len(name) + len(value) + len(b": \r\n")
        if self._headers_bytes > HEADERS_BYTES:
            self._give_up(HeadersTooLarge())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_head = False
        super().on_headers_complete()
        if not self.cycle.keep_alive:
            self.cycle.transport = _Ending(self)  # type: ignore[assignment] # all that it needs

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that all of the request is here."""
        self._unread = self._looks = 0
        self._arriving = False
        super().on_message_complete()
        self.cycle.more_body = False  # also of one that was answered before

    def on_response_complete(self) -> None:
        """Turn to what comes next, for which the client may have had to wait."""
        self._looks = 0
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, not ours
        """Answer what the parser has given up."""
        self._refuse(self._refusal or BadRequest())

    def hang_up(self) -> None:
        """Close, but read on a little while more comes: else the answer is lost with the rest."""
        if self._deaf or self._arriving:
            self._deaf = True
            self.pipeline.clear()
            self.flow.resume_reading()
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401
        self._active, self._looks = cycle, 0
        super()._start_asgi_task(cycle, app)

    def _give_up(self, problem: Problem) -> None:
        self._refusal = problem
        raise ValueError  # the parser stops at it

    def _refuse(self, problem: Problem) -> None:
        """Answer what cannot be read on, after what came before it on this connection."""
        self._deaf = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._answer(problem)
        elif not cycle.more_body:
            cycle.keep_alive = False  # and no answer: it could be taken for that of another request
        elif cycle is self._active and not cycle.response_started:
            self._answer(problem)
        else:
            self.transport.close()

    def _answer(self, problem: Problem) -> None:
        """Answer in place of the application, whose own answer then comes too late."""
        if self._active is not None:
            self._active.disconnected = True
            self._active.message_event.set()
        self._deaf = True
        body = strictjson.dumps(problem.body())
        lines = [
            f"HTTP/1.1 {problem.status:d} {problem.status.phrase}".encode(),
            b"content-type: application/problem+json",
            f"content-length: {len(body)}".encode(),
            *(name + b": " + value for name, value in headers.security()),
        ]
        if problem.retry_after_s is not None:
            lines.append(f"retry-after: {problem.retry_after_s}".encode())
        lines += [b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.hang_up()


class _Joining:
    """A transport that sends a head and its body as one: each system call costs as much as a route.

    What is written is sent with what is written next, or when the loop turns.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it soon."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def write_eof(self) -> None:
        """Send what is left, and no more."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held and not self.is_closing():
            self._transport.write(self._held)
            self._held = b""


class _Ending:
    """The transport of a request that is the last one of its connection."""

    def __init__(self, protocol: Protocol) -> None:
        transport: asyncio.Transport = protocol.transport
        self.write, self.is_closing = transport.write, transport.is_closing
        self.close = protocol.hang_up
