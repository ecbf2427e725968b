"""Who may call at all: by which name a service is called, and from whose pages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from stakeline.errors import BadRequest
from stakeline.web import headers, problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

_ANY = r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]"
_PROBES = {"/healthz", "/readyz"}


class Names:
    """The names by which a service may be called.

    Args:
        names: as `outside.allowed_host` takes them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        known = _ANY if "*" in names else "|".join(map(re.escape, names))
        pattern = re.compile(rf"(?:{known})(?::[0-9]{{1,5}})?", re.IGNORECASE | re.ASCII)
        self._are_known = lru_cache(16)(pattern.fullmatch)

    def check(self, scope: Scope) -> None:
        """Nothing, if the request has one well-formed `Host` with one of them.

        Raises:
            BadRequest: it has not.
        """
        hosts = headers.given(scope, b"host")
        if len(hosts) != 1 or not self._are_known(hosts[0]):
            raise BadRequest("Host must be one name by which this service is called.")


class Hosts:
    """Pure ASGI middleware that serves requests with one well-formed `Host` of these names only.

    A page of somebody else whose name resolves to this machine (DNS rebinding) is one origin with
    what it calls here, and could read and do all; only `Host` tells. Health checks pass: balancers
    send an address for a name, and there is nothing to be had.

    Args:
        app: what is served.
        names: by which it may be called.
    """

    def __init__(self, app: ASGIApp, names: Names) -> None:
        self.app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer `bad_request`."""
        if scope["type"] == "http" and scope["path"] not in _PROBES:
            try:
                self._names.check(scope)
            except BadRequest as problem:
                await problems.response(problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Pages(CORSMiddleware):
    """CORS: pages of these origins may call, and read what clients need; never with cookies.

    Args:
        app: what is served.
        origins: as `outside.origin` takes them.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=(
                *("Authorization", "Content-Type", "Idempotency-Key", "If-Match"),
                *("If-None-Match", "X-Request-Id"),
            ),
            expose_headers=(
                *("ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After"),
                "X-Request-Id",
            ),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Starlette's answer; what it refuses in its own words is a problem like all others."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:  # noqa: PLR2004 - HTTP's own figure
            return answer
        problem = BadRequest("Pages of that origin may not make this request.")
        return problems.response(problem, {"Vary": answer.headers["vary"]})
