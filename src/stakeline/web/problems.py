"""Every error as RFC 9457 `application/problem+json`, whoever raised it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from stakeline import errors, strictjson
from stakeline.web import documenting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

log = structlog.get_logger(__name__)

_OF_STATUS: dict[int, type[errors.Problem]] = {
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: errors.MethodNotAllowed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.TooLarge,
}
_REASONS = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


class ProblemBody(BaseModel):
    """RFC 9457; `code` is the stable word for programs, `errors` comes with `invalid_request`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


_CONTENT = {"application/problem+json": {"schema": ProblemBody.model_json_schema()}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": documenting.answer("Refused; nothing was changed. `code` says why.", content=_CONTENT),
    "503": documenting.answer(
        "Try again after Retry-After seconds.", documenting.RETRY_AFTER, content=_CONTENT
    ),
}
"""For FastAPI's `responses`."""


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    app.add_exception_handler(errors.Problem, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(HTTPException, _http)


def invalid(error: ValidationError, *within: str) -> errors.InvalidRequest:
    """The problem of a body that did not fit its model: fields and reasons, never the input.

    Args:
        error: what did not fit.
        within: what comes before the fields' names, such as `body`.
    """
    found = error.errors(include_url=False, include_input=False)
    return _invalid_request([{**one, "loc": (*within, *one["loc"])} for one in found])


def response(problem: errors.Problem, headers: dict[str, str] | None = None) -> Response:
    """The problem's HTTP response, Retry-After included where there is one."""
    headers = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="stakeline"'
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    return Response(
        strictjson.dumps(problem.body()),
        int(problem.status),
        headers,
        media_type="application/problem+json",
    )


def of(error: errors.Problem | RequestValidationError) -> Response:
    """The HTTP response to what was raised."""
    if isinstance(error, RequestValidationError):
        return response(_invalid_request(error.errors()))
    if error.__cause__ is not None:
        log.warning("problem", code=error.code, cause=error.cause)
    return response(error)


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.Problem | RequestValidationError)  # noqa: S101 - registered for them
    return of(error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    kind = _OF_STATUS.get(error.status_code, errors.BadRequest)
    headers = {"Allow": _allowed(request)} if kind is errors.MethodNotAllowed else {}
    return response(kind(), headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at this path; Starlette names those of the first one only."""
    methods: set[str] = set()
    for method in ("DELETE", "GET", "PATCH", "POST", "PUT"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            methods.add(method)
    return ", ".join(sorted(methods))


def _invalid_request(found: Sequence[Any]) -> errors.InvalidRequest:
    return errors.InvalidRequest(errors=[_named(error) for error in found])


def _named(error: dict[str, Any]) -> dict[str, str]:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        place.pop()  # the unknown field's name is input, too
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
    elif error["type"] == "literal_error":
        reason = f"must be {error['ctx']['expected']}"
    else:
        reason = _REASONS.get(error["type"], error["msg"])
    return {"field": ".".join(place), "reason": reason}
