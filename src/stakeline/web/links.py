"""Links: where the next page is, and where a thing was put; relative, to hold behind any prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import WithJsonSchema

from stakeline import fields, ids
from stakeline.errors import InvalidRequest

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST = 10**16 - 1  # microseconds, and beyond all deadlines
EventCursor = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": f"^(0|[1-9][0-9]{{0,15}})~({fields.EVENT_ID})$"}),
]
"""A place in a list of events, as `event_cursor` wrote it."""


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The `Link` header to the page at `cursor`, none without one."""
    if cursor is None:
        return {}
    query = request.url.include_query_params(cursor=cursor).query
    return {"Link": f'<?{query}>; rel="next"'}


def location(request: Request, path: str) -> dict[str, str]:
    """The `Location` header for `path`, which is relative to the request's without a last slash."""
    return {"Location": beside(request, path)}


def beside(request: Request, path: str) -> str:
    """The relative address of `path`, which is relative to the request's without a last slash."""
    return ("../" if "stakeline.slashed" in request.scope else "") + path


def read_event_cursor(cursor: str | None) -> tuple[int, str]:
    """The place in a list of events that `event_cursor` wrote: after (deadline, event_id).

    Raises:
        InvalidRequest: it wrote no such thing.
    """
    if cursor is None:
        return 0, ""
    deadline, _, event_id = cursor.partition("~")
    try:
        return ids.parse_integer(deadline, 0, _MOST), ids.parse_event_id(event_id)
    except ValueError:
        raise InvalidRequest.of("query.cursor", "must be one that a Link gave") from None


def event_cursor(deadline: int, event_id: str) -> str:
    """The place after this event in a list ordered by deadline, then id."""
    return f"{deadline}~{event_id}"
