"""One connection: how large a request may be, and how long it and its answer may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

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
from stakeline.web.http11 import CONNECTION, Http11
from stakeline.web.transports import Ending, Joining

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

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
IDLE_LOOKS = 10
"""How many half seconds a connection may stand idle between two requests."""
LINGER_S = 1.0
"""How long a connection is still read after an answer that did not wait for the whole request."""


_OF_A_BODY = {b"content-length", b"transfer-encoding"}


class Protocol(Http11):
    """HTTP/1.1 with limits; what breaks one gets a problem, and its connection is closed.

    A request that was not answered in time goes on as one whose client has hung up.
    """

    _refusal: Problem | None = None
    _deaf = False
    _arriving = True  # at first a request is waited for like one that has begun
    _in_head = False
    _goes_on = True
    _looks = 0
    _unread = _come = _size = _begun = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # TCP
        """Begin a connection."""
        super().connection_made(Joining(transport, self.loop))  # type: ignore[arg-type] # all of it

    def look(self) -> None:
        """Note that half a second has gone by, and end what has taken too long."""
        self._looks += 1
        if self.transport.is_closing():
            return
        active = self._active
        done = active is not None and (active.response_complete or active.disconnected)
        if done and not self._in_head and not self._deaf and self._looks > IDLE_LOOKS:
            self.hang_up()
        elif self._looks <= LOOKS:
            return
        elif active is not None and not done:
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
        may_be_known = False
        if not self._arriving:
            may_be_known = self._goes_on and data.startswith(b"GET ")
            if may_be_known and self.begin_known(data):
                return
            self._arriving, self._looks = True, 0
        self._size, self._begun = len(data), 0
        self._unread += self._size
        self._come += self._size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            log.warning("a client asked for an upgrade, and there is none")
        except httptools.HttpParserError:
            log.warning("a request could not be read")
            self._refuse(self._refusal or BadRequest())
        else:
            if may_be_known and not self._arriving and self._begun == 1:
                self.know(data)
        # The parser keeps what it has of a header, or of a chunk's size, until it has all of it.
        if self._unread > TARGET_BYTES + HEADERS_BYTES + KIB and not self._deaf:
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._arriving = self._in_head = True
        self._begun += 1
        self._looks = 0
        self._come = self._size  # at the most: it may have begun behind another one
        self.url, self.headers = b"", []

    def on_url(self, url: bytes) -> None:
        """Take some of the target."""
        self.url += url
        if len(self.url) > TARGET_BYTES:
            self._give_up(UriTooLong())

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_head = False
        if self._come > HEADERS_BYTES:  # else they cannot be so long
            self._measure()
        if self.parser.should_upgrade() and any(name in _OF_A_BODY for name, _ in self.headers):
            # The parser would take the body for another request.
            self._give_up(BadRequest("A request that asks for an upgrade can have no body."))
        super().on_headers_complete()
        if not self.cycle.keep_alive:
            self.cycle.transport = Ending(self.transport, self.hang_up)  # type: ignore[assignment] # all that it needs

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        self._unread = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Note that all of the request is here."""
        if self._come > HEADERS_BYTES:
            self._measure()  # again, since trailers are put to them
        self._unread = self._looks = 0
        self._arriving = False
        self._goes_on = self.parser.should_keep_alive()  # a trailer may say that it does not
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Turn to what comes next, for which the client may have had to wait.

        uvicorn would set a timer for the next request; here `look` closes what stands idle.
        """
        self._looks = 0
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())

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
        cycle.scope[CONNECTION] = self  # type: ignore[literal-required] # ours
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _measure(self) -> None:
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > HEADERS_BYTES:
            self._give_up(HeadersTooLarge())

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
