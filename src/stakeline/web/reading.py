"""Reading a request's body: only JSON, only so large, only well-formed."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.routing import Match

from stakeline import strictjson
from stakeline.errors import BadRequest, Problem, TooLarge, UnsupportedMediaType
from stakeline.web import headers
from stakeline.web.guarding import Guard
from stakeline.web.http11 import CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response
    from starlette.types import Scope

KIB = 1024
_OF_THE_REQUEST = {400, 413, 415, 422}
"""The statuses of a request that is refused before anything is done."""


class JsonRequest(Request):
    """A request whose body has been read, once, by Stakeline's own rules."""

    def __init__(self, request: Request, body: bytes, value: object) -> None:
        super().__init__(request.scope, request.receive)
        self._body, self._value = body, value

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body's value, its numbers as `strictjson.Number`."""
        return self._value


class JsonRoute(APIRoute):
    """A route that takes JSON up to 16 KiB, if it takes a body at all.

    FastAPI's own reader makes floats of money and swallows our errors, hence this one.
    """

    most_bytes = 16 * KIB

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette's answer, but a path of its own is never taken for an id: `/bets/batch`."""
        if "{" in self.path and get_route_path(scope) in scope["app"].state.literal_paths:
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind the checks of who asks, media type, size and syntax."""
        handle = super().get_route_handler()
        if not self.body_field and not any(each.looks_later for each in self.guards.values()):
            return handle

        async def handle_guarded(request: Request) -> Response:
            for guard in self.guards.values():
                await guard(request)
            try:
                if not self.body_field:
                    return await handle(request)
                # Read here, since FastAPI would turn our problem into one of its own.
                body = await self.read(request)
                return await handle(JsonRequest(request, body, value_of(body)))
            except (RequestValidationError, Problem) as error:
                await self.look_again(request, error)
                raise

        return handle_guarded

    @cached_property
    def guards(self) -> dict[str, Guard]:
        """Who may call it, by the parameters that tell the function who did."""
        found = self.dependant.dependencies
        return {each.name or "": each.call for each in found if isinstance(each.call, Guard)}

    async def read(self, request: Request) -> bytes:
        """The request's body.

        Raises:
            UnsupportedMediaType: it is not sent as JSON.
            TooLarge: it is longer than `most_bytes`.
            BadRequest: the client hung up before its end.
        """
        given = headers.given(request.scope, b"content-type")
        if not given or not _is_json(given[0]):
            raise UnsupportedMediaType
        return await read_body(request, self.most_bytes)

    async def look_again(self, request: Request, error: Problem | RequestValidationError) -> None:
        """Nothing, unless the request is refused for itself by a token that was revoked.

        Raises:
            Unauthenticated: it is.
        """
        if not isinstance(error, Problem) or error.status in _OF_THE_REQUEST:
            for guard in self.guards.values():
                await guard.look_again(request)


@lru_cache(16)  # clients send the same with each request
def _is_json(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().lower() == "application/json"


class LargeJsonRoute(JsonRoute):
    """A route that takes JSON up to 256 KiB."""

    most_bytes = 256 * KIB


def value_of(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The body's value, its numbers as `strictjson.Number`.

    Raises:
        MalformedJson: it is no JSON that `strictjson` takes.
    """
    value = strictjson.loads(body)
    # pydantic would look for the fields of a body among the attributes of a bare Number.
    return value.text if isinstance(value, strictjson.Number) else value


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: it is longer than `most_bytes`; no more than that was kept.
        BadRequest: the client hung up before its end.
    """
    connection = request.scope.get(CONNECTION)
    whole = connection.whole_body() if connection else None
    body, more = whole or b"", whole is None
    if len(body) > most_bytes:
        raise TooLarge
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The body ended before its end.")
        body += message["body"]
        more = message["more_body"]
        if len(body) > most_bytes:
            raise TooLarge
    return body
