"""The short way to routes that are called thousands of times a second.

FastAPI finds a route by trying one after another, and calls its function through layers that most
functions have no use for. A lean route stands in the same table and the same document, but is found
by its path at once, and calls its function itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette._utils import get_route_path

from stakeline.errors import Problem
from stakeline.web import problems
from stakeline.web.guarding import Guard
from stakeline.web.reading import JsonRoute, LargeJsonRoute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pydantic import BaseModel
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send


class LeanRoute(JsonRoute):
    """A route with a path of its own, whose function returns a `Response`.

    The function may ask for the request, for whom a `Guard` lets in, for what functions tell from
    the request alone (`Depends`), for fields of the query, and for one model of a JSON body.
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
                _, value = await self.read(request)
            for name, tell in self._told:
                given[name] = await tell(request)
            if self._query:
                asked = request.scope["query_string"]
                given |= self._read_query(request) if asked else self._unasked
            for name, model in self._body:
                given[name] = _fitted(model, value)
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


class Lean:
    """Pure ASGI middleware that takes the short way where there is one.

    Args:
        app: what serves all other requests.
        routes: those of its table that are lean.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[LeanRoute]) -> None:
        self.app = app
        self._routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], get_route_path(scope)))
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.answer(Request(scope, receive, send))
        except (Problem, RequestValidationError) as error:
            response = problems.of(error)
        await response(scope, receive, send)
