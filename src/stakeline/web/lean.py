"""The short way to routes that are called thousands of times a second.

FastAPI finds a route by trying one after another, and calls its function through layers that most
functions have no use for. A lean route stands in the same table and the same document, but is found
by its path at once, and calls its function itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette._utils import get_route_path

from stakeline.errors import Internal, Problem
from stakeline.web import headers, problems
from stakeline.web.guarding import Guard
from stakeline.web.http11 import CONNECTION
from stakeline.web.observing import Observing, identify
from stakeline.web.reading import JsonRoute, LargeJsonRoute, value_of
from stakeline.web.responses import lines_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from stakeline.web.edges import Names

log = structlog.get_logger(__name__)


class LeanRoute(JsonRoute):
    """A route with a path of its own, whose function returns a whole `Response`, not a stream.

    The function may ask for the request, for whom a `Guard` lets in, for what functions tell from
    the request alone (`Depends`), for fields of the query, and for one model of a JSON body. The
    model may have a `read_plain`: it reads what needs no closer look, and gives None for the rest.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(*args, **kwargs)
        asked = self.dependant
        self._request = asked.request_param_name
        self._told: list[tuple[str, Callable[[Request], Awaitable[Any]]]] = [
            (each.name, each.call)  # type: ignore[misc] # it has both
            for each in asked.dependencies
            if not isinstance(each.call, Guard)
        ]
        self._query = asked.query_params
        self._unasked = {each.name: each.get_default() for each in self._query}
        self._body: list[tuple[str, type[BaseModel]]] = [
            (each.name, each.field_info.annotation)  # type: ignore[misc] # no more is allowed
            for each in asked.body_params
        ]
        self._read_plain: Callable[[bytes], object | None] = lambda _: None
        for _, model in self._body:
            self._read_plain = getattr(model, "read_plain", self._read_plain)

    async def answer(self, request: Request) -> Response:
        """What the function answers, after the same checks as every route's.

        Raises:
            Problem: the request, or what it asks for, is refused.
            RequestValidationError: its query is.
        """
        given: dict[str, Any] = {}
        for name, guard in self.guards.items():
            given[name] = await guard(request)
        try:
            if self._body:
                body = await self.read(request)
                plain = self._read_plain(body)
                value = value_of(body) if plain is None else plain
            for name, tell in self._told:
                given[name] = await tell(request)
            if self._query:
                asked = request.scope["query_string"]
                given |= self._read_query(request) if asked else self._unasked
            for name, model in self._body:
                given[name] = _fitted(model, value) if plain is None else plain
            if self._request is not None:
                given[self._request] = request
            response: Response = await self.endpoint(**given)
        except (Problem, RequestValidationError) as error:
            await self.look_again(request, error)
            raise
        return response

    def _read_query(self, request: Request) -> dict[str, Any]:
        values, found = request_params_to_args(self._query, request.query_params)
        if found:
            raise RequestValidationError(found)
        return values


def _fitted(model: type[BaseModel], value: object) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise problems.invalid(error, "body") from None


class LeanLargeRoute(LargeJsonRoute, LeanRoute):
    """The same with a body up to 256 KiB."""


class Lean(Observing):
    """`Observing`, which takes the short way where there is one: one layer in place of four.

    Args:
        app: what serves all other requests.
        registry: of its metrics.
        routes: those of its table that are lean.
        names: by which it may be called.
        shared: whether pages of other origins may call; what they ask takes the long way.
    """

    def __init__(
        self,
        app: ASGIApp,
        registry: CollectorRegistry,
        *,
        routes: Iterable[LeanRoute],
        names: Names,
        shared: bool,
    ) -> None:
        super().__init__(app, registry)
        self._names, self._shared = names, shared
        # As Starlette's answers to those who are of no origin: a cache must not give it to a page.
        varies: headers.Headers = ((b"vary", b"Origin"),) if shared else ()
        self._usual = []
        for over_tls in (False, True):
            usual = headers.security(over_tls=over_tls) + varies
            self._usual.append((usual, headers.lines(usual)))
        self._routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await super().__call__(scope, receive, send)
            return
        request_id = identify(scope)
        began = time.perf_counter()
        status = 500
        try:
            response = await self._answer(route, scope, receive)
            status = response.status_code
            usual, usual_lines = self._usual[scope["scheme"] == "https"]
            lines = b"%bx-request-id: %b\r\n%b" % (lines_of(response), request_id, usual_lines)
            connection = scope.get(CONNECTION)
            if connection is None or not connection.answer_at_once(status, lines, response.body):
                said = [*response.raw_headers, (b"x-request-id", request_id), *usual]
                await send({"type": "http.response.start", "status": status, "headers": said})
                await send({"type": "http.response.body", "body": response.body})
        finally:
            self.note(scope, status, time.perf_counter() - began)

    def _find(self, scope: Scope) -> LeanRoute | None:
        path = get_route_path(scope) if scope["root_path"] else scope["path"]
        route = self._routes.get((scope["method"], path))
        return None if self._shared and headers.given(scope, b"origin") else route

    async def _answer(self, route: LeanRoute, scope: Scope, receive: Receive) -> Response:
        try:
            self._names.check(scope)
            scope["route"] = route
            return await route.answer(Request(scope, receive))
        except (Problem, RequestValidationError) as error:
            return problems.of(error)
        except Exception as error:
            log.exception("internal error", exc_info=error)
            return problems.response(Internal())
