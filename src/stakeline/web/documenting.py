"""What the OpenAPI document says of an answer beside its body: its headers, and where to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

Said = dict[str, Any]
"""A piece of the document."""


def header(name: str, description: str, *, always: bool = True, **schema: object) -> Said:
    """A header of an answer, text unless `schema` says otherwise."""
    schema = {"type": "string"} | schema
    return {name: {"description": description, "required": always, "schema": schema}}


def link(operation_id: str, body: Said | None = None, **parameters: str) -> Said:
    """A link to another call, whose parameters or body are read off the answer."""
    taken: Said = {"parameters": parameters} if parameters else {}
    return {operation_id: {"operationId": operation_id} | taken | _body(body)}


def answer(description: str, *parts: Said, **more: object) -> Said:
    """An answer with its headers and links, for FastAPI's `responses`.

    Args:
        description: what it means.
        parts: what `header` and `link` gave.
        more: `model` or `content`, where FastAPI does not know them.
    """
    said: Said = {"description": description, "headers": {}, "links": {}}
    for part in parts:
        for name, value in part.items():
            said["links" if "operationId" in value else "headers"][name] = value
    return {key: value for key, value in said.items() if value} | more


def lines(schema: Said) -> Said:
    """NDJSON, of which every line fits `schema`."""
    return {"application/x-ndjson": {"schema": {"type": "array", "items": schema}}}


def whole(said: Any) -> Any:  # noqa: ANN401 - any part of a document
    """The same, its whole floats as integers."""
    if isinstance(said, dict):
        return {key: whole(value) for key, value in said.items()}
    if isinstance(said, list):
        return [whole(value) for value in said]
    return int(said) if isinstance(said, float) and said.is_integer() else said


def operation_id(route: APIRoute) -> str:
    """The name of a call in the document: its function's."""
    return route.name


def _body(body: Said | None) -> Said:
    return {} if body is None else {"requestBody": body}


ETAG = header("ETag", "The event's version, for If-Match.", pattern='^"[0-9]+"$')
LOCATION = header("Location", "Where it is, relative to the request.", format="uri-reference")
NEXT = header("Link", 'The next page, `<?...>; rel="next"`; none on the last one.', always=False)
RETRY_AFTER = header("Retry-After", "Seconds to wait.", type="integer", minimum=0)
_ASK = header("Cache-Control", "Whoever keeps it asks whether it holds.", enum=["no-cache"])
_PAGE_ETAG = header("ETag", "Of just this page, for If-None-Match.", pattern='^"[0-9a-f]{32}"$')


def page_with_etag(*links: Said) -> dict[int | str, Said]:
    """What a list whose pages have ETags is answered with, for FastAPI's `responses`."""
    return {
        200: answer("A page.", _PAGE_ETAG, _ASK, NEXT, *links),
        304: answer("The client has just this page.", _PAGE_ETAG, _ASK, NEXT),
    }
