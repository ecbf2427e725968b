"""uvicorn's HTTP/1.1 with fewer steps for each request.

What it leaves out: websockets, a limit of connections, timers, and messages between a route and its
connection where both have all there is to say.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from stakeline.web import headers

if TYPE_CHECKING:
    from starlette.requests import Request

CONNECTION = "stakeline.connection"
"""In the scope: the connection on which the request came, an `Http11`."""
_ASGI = {"version": "3.0", "spec_version": "2.3"}

_Target = tuple[str, bytes, bytes]
"""A path, the same as it came, and the query."""
_Head = tuple[str, str, _Target, list[tuple[bytes, bytes]], dict[bytes, bytes]]
"""A method, HTTP's version, the target, all headers, and those by their names."""
_known: dict[bytes, _Head] = {}
_MOST_KNOWN = 256
_LONGEST_KNOWN = 2048
_MOST_HEADERS = 32
"""Of one that is known: each takes far more memory than bytes on the wire."""
_NOT_KNOWN = {b"content-length", b"transfer-encoding", b"expect", b"upgrade"}
"""Headers of requests that may have more to them than their head."""


@lru_cache(64)  # clients ask for the same few again and again
def _target(url: bytes) -> _Target:
    parts = httptools.parse_url(url)
    return unquote(parts.path.decode("ascii")), parts.path, parts.query or b""


class Http11(HttpToolsProtocol):
    """One connection."""

    _active: RequestResponseCycle | None = None
    _head: _Head | None = None
    _defaults: list[tuple[bytes, bytes]] | None = None
    _default_lines = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request under way, which need not be the last one; and let go of it."""
        super().connection_lost(exc)
        active = self._active
        if active is not None:
            active.disconnected = active.disconnected or not active.response_complete
            active.message_event.set()
            active.scope.pop(CONNECTION, None)  # type: ignore[misc] # ours

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Begin to answer, or wait until what came before is answered."""
        parser = self.parser
        version = parser.get_http_version()
        # Trailers are put to the others, and are none of the request's.
        by_name = dict(all_of_them := [*self.headers])
        method = parser.get_method().decode("ascii")
        self._head = method, version, _target(self.url), all_of_them, by_name
        expects = by_name.get(b"expect", b"").lower() == b"100-continue"
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self._begin(self._head, keep_alive=keep_alive, expects=expects)

    def know(self, data: bytes) -> None:
        """Know the request that has just been read from now on: these bytes, and nothing else.

        Who looks at the line again and again sends the same each time, and reading it takes as long
        as finding the answer.
        """
        head = self._head
        if head is None or len(data) > _LONGEST_KNOWN or not self.cycle.keep_alive:
            return
        _, _, _, all_of_them, by_name = head
        if len(all_of_them) <= _MOST_HEADERS and by_name.keys().isdisjoint(_NOT_KNOWN):
            _known[data] = head
            if len(_known) > _MOST_KNOWN:
                del _known[next(iter(_known))]

    def begin_known(self, data: bytes) -> bool:
        """Begin the request that these bytes are, if it is known, without the parser.

        It must be between two requests, and the last one have left the connection open.
        """
        head = _known.get(data)
        if head is None or not self.cycle.keep_alive:
            return False
        self._begin(head, keep_alive=True, expects=False)
        self.cycle.more_body = False
        self.cycle.message_event.set()
        return True

    def _begin(self, head: _Head, *, keep_alive: bool, expects: bool) -> None:
        method, version, (path, raw_path, query), all_of_them, by_name = head
        scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": self.root_path,
            "path": self.root_path + path,
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": [*all_of_them],
            headers.BY_NAME: by_name,
            "state": self.app_state.copy(),
        }
        before = self.cycle
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def has_gone(self) -> bool:
        """Whether the client of the request under way has hung up.

        Reading goes on for it, though another request waits behind this one: else nobody would see.
        """
        self.flow.resume_reading()
        return self._active is None or self._active.disconnected

    def whole_body(self) -> bytes | None:
        """The body of the request under way, if all of it has come already.

        Asking for it message by message takes three coroutines; most bodies come with their heads.
        """
        cycle = self._active
        if cycle is None or cycle.more_body or cycle.disconnected:
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        return body

    def answer_at_once(self, status: int, lines: bytes, body: bytes) -> bool:
        """Send a whole answer to the request under way, if that can be done now.

        uvicorn takes it as two messages and searches each header twice: an eighth of a bet's time.

        Args:
            status: the answer's.
            lines: its headers, in lower case, each with its line's end.
            body: all of it.
        """
        cycle = self._active
        if cycle is None or cycle.disconnected or cycle.response_started or self.flow.write_paused:
            return False
        if cycle.scope["method"] == "HEAD":
            return False
        if self._defaults is not self.server_state.default_headers:  # another one each second
            self._defaults = self.server_state.default_headers
            self._default_lines = headers.lines(self._defaults)
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        whole = b"".join((STATUS_LINE[status], self._default_lines, lines, end, body))
        self.transport.send(whole)  # type: ignore[attr-defined] # `Joining` has it
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


async def has_gone(request: Request) -> bool:
    """Whether the client has hung up; Starlette would begin to receive, and cancel that."""
    connection: Http11 | None = request.scope.get(CONNECTION)
    return await request.is_disconnected() if connection is None else connection.has_gone()
