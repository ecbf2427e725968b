"""Seeing what a service does: a request id, metrics, a log line; and paths that end in a slash."""

from __future__ import annotations

import re
import secrets
import time
from itertools import count
from typing import TYPE_CHECKING

import structlog

from stakeline import errors, log
from stakeline.web import headers, problems
from stakeline.web.counting import Requests

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = structlog.get_logger(__name__)
_METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OURS = secrets.token_hex(8)
_COUNT = count(1)


class Observing:
    """Pure ASGI middleware around a whole service.

    Takes `X-Request-Id` if well formed, else makes one; answers with it and puts it into every log
    line of the request. Answers with the headers that tell browsers to be careful. Counts and
    times requests by route. What nobody caught is answered as `internal`. `/bets/` is served as
    `/bets`, without a redirect that would lose a body.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Requests()
        registry.register(self._requests)
        self._log = logger.bind()  # else each line that nobody wants would bind one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
            scope["stakeline.slashed"] = True
        request_id = identify(scope)
        began = time.perf_counter()
        started, status = False, 500

        async def send_with_id(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                own: list[tuple[bytes, bytes]] = list(message["headers"])
                message["headers"] = [
                    *own,
                    (b"x-request-id", request_id),
                    *headers.security(own, over_tls=scope["scheme"] == "https"),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            logger.exception("internal error", exc_info=error)
            if started:
                raise  # the server cuts the connection: the answer must not look whole
            await problems.response(errors.Internal())(scope, receive, send_with_id)
        finally:
            self.note(scope, status, time.perf_counter() - began)

    def note(self, scope: Scope, status: int, took_s: float) -> None:
        """Count a request that was answered, and say so at DEBUG."""
        # The route's template, not the path, and known methods only: labels that callers make up
        # would grow without end.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.note(method, route, status, took_s)
        self._log.debug("request", method=method, route=route, status=status, took_ms=took_s * 1000)


def identify(scope: Scope) -> bytes:
    """The request's id, well-formed as it came or a new one, from now on in its log lines."""
    for request_id in headers.given(scope, b"x-request-id"):
        if _REQUEST_ID.fullmatch(request_id):
            break
    else:
        request_id = f"{_OURS}{next(_COUNT):016x}"
    log.request_id.set(request_id)  # for good: each request is a task, which has its own
    return request_id.encode()
