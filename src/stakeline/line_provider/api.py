"""line-provider's HTTP calls: the line."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, StrictBool
from starlette.responses import Response

from stakeline import contract, fields, ids
from stakeline.auth import Principal
from stakeline.errors import EventExists
from stakeline.line_provider import changes, events, feed, listing
from stakeline.line_provider.events import Change, Ruling, Terms
from stakeline.line_provider.line import Line
from stakeline.web import documenting, written
from stakeline.web.documenting import ETAG, LOCATION, NEXT, answer, link
from stakeline.web.guarding import STATIC, may
from stakeline.web.lean import LeanRoute
from stakeline.web.links import (
    EventCursor,
    location,
    next_link,
    read_event_cursor,
)
from stakeline.web.reading import JsonRoute
from stakeline.web.responses import json_response
from stakeline.web.written import WrittenPages


class NewEvent(fields.Body):
    """A new event. Without an id it gets a short one; without a deadline, now + 5000 s."""

    event_id: fields.EventId | None = None
    coefficient: fields.Coefficient
    deadline: fields.Instant | None = None
    name: fields.LineOfText | None = None


class EventTerms(fields.Body):
    """What is to change; an omitted field keeps its value."""

    coefficient: fields.Coefficient | None = None
    deadline: fields.Instant | None = None
    name: fields.LineOfText | None = None


class Result(fields.Body):
    """An event's result. Another one than the first needs `correction: true`."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"status": {"enum": ["WIN", "LOSE", "VOID"]}}},
                {"properties": {"closed_at": {"type": "null"}}},
            ]
        }
    )
    status: contract.EventStatus
    closed_at: fields.Instant | None = None
    correction: StrictBool | None = None
    reason: fields.LineOfText | None = None


class Version(BaseModel):
    """One version of an event."""

    version: int
    seq: int
    at: str
    by: str
    reason: str | None
    changed: list[str]
    event: contract.Event


async def line_of(request: Request) -> Line:
    """The line this application serves."""
    # FastAPI would send a plain function to a thread, which costs more than all else of a request.
    line: Line = request.scope["app"].state.line
    return line


async def pages_of(request: Request) -> WrittenPages[None, listing.Query]:
    """The pages of that line."""
    pages: WrittenPages[None, listing.Query] = request.scope["app"].state.pages
    return pages


LineHere = Annotated[Line, Depends(line_of)]
PagesHere = Annotated[WrittenPages[None, listing.Query], Depends(pages_of)]
Operator = Annotated[Principal, may(STATIC, "operator")]
Reader = Annotated[Principal, may(STATIC, "user", "service")]
EventIdInPath = Annotated[fields.EventId, Path()]
IfMatch = Annotated[str | None, Header(description="ETags the event may have.")]
_CALLS = ("get_event", "get_history", "put_event", "change_event", "decide_event")
_ON = [link(call, event_id="$response.body#/event_id") for call in _CALLS]
_FIRST = [link(call, event_id="$response.body#/0/event_id") for call in _CALLS]
_MADE = answer("Made.", ETAG, LOCATION, *_ON)
_AS_IT_STANDS = answer("As it now stands.", ETAG, *_ON, model=contract.Event)
router = APIRouter(route_class=JsonRoute, tags=["line"])
lean_router = APIRouter(route_class=LeanRoute, tags=["line"])


@router.post(
    "/events",
    status_code=201,
    response_model=contract.Event,
    responses={200: answer("It stood there.", ETAG, *_ON, model=contract.Event), 201: _MADE},
)
async def create_event(request: Request, new: NewEvent, line: LineHere, who: Operator) -> Response:
    """Put an event on the line. 200 if it stands there just so already, else `event_exists`."""
    terms = Terms(new.coefficient, new.deadline, new.name)
    change = await _create(line, new.event_id, terms, who.name)
    where = location(request, f"events/{change.event.event_id}")
    return _answer(change, 201 if change.made else 200, where)


@router.put(
    "/events/{event_id}",
    response_model=contract.Event,
    responses={200: _AS_IT_STANDS, 201: _MADE | {"model": contract.Event}},
)
async def put_event(
    request: Request,
    event_id: EventIdInPath,
    body: EventTerms,
    line: LineHere,
    who: Operator,
    if_match: IfMatch = None,
) -> Response:
    """Create (201) or change (200) an event; takes deadlines that have passed."""
    terms = Terms(body.coefficient, body.deadline, body.name)
    put = partial(
        changes.put,
        event_id=event_id,
        terms=terms,
        default_deadline_s=line.default_deadline_s,
        if_match=if_match,
    )
    change = await line.change(event_id, put, who.name)
    if change.made and change.event.version == 1:
        return _answer(change, 201, location(request, f"../events/{event_id}"))
    return _answer(change, 200)


@router.patch("/events/{event_id}", response_model=contract.Event, responses={200: _AS_IT_STANDS})
async def change_event(
    event_id: EventIdInPath,
    body: EventTerms,
    line: LineHere,
    who: Operator,
    if_match: IfMatch = None,
) -> Response:
    """Change an event. Once it has a result, its coefficient and deadline are fixed."""
    terms = Terms(body.coefficient, body.deadline, body.name)
    change = partial(changes.change, terms=terms, if_match=if_match)
    return _answer(await line.change(event_id, change, who.name), 200)


@router.post(
    "/events/{event_id}/result", response_model=contract.Event, responses={200: _AS_IT_STANDS}
)
async def decide_event(
    event_id: EventIdInPath,
    result: Result,
    line: LineHere,
    who: Operator,
    if_match: IfMatch = None,
) -> Response:
    """Give an event its result, or correct it. The same result again changes nothing."""
    ruling = Ruling(result.status, result.closed_at, bool(result.correction))
    decide = partial(changes.decide, ruling=ruling, if_match=if_match)
    return _answer(await line.change(event_id, decide, who.name, result.reason), 200)


@lean_router.get(
    "/events",
    response_model=list[contract.Event],
    responses=documenting.page_with_etag(*_FIRST),
    openapi_extra=written.IN_DOCS,
)
async def list_events(
    request: Request,
    pages: PagesHere,
    _who: Reader,
    status: contract.EventStatus | None = None,
    bettable: bool | None = None,  # noqa: FBT001 - a query parameter
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: EventCursor | None = None,
) -> Response:
    """The line, soonest deadline first; `Link` leads to the next page while there is one."""
    after = read_event_cursor(cursor)
    page = await pages.get(listing.Query(status, bettable, after, limit), None)
    return written.answer(request, page)


@router.get("/events/{event_id}", response_model=contract.Event, responses={200: _AS_IT_STANDS})
async def get_event(event_id: EventIdInPath, line: LineHere, _who: Reader) -> Response:
    """The event; its ETag is its version."""
    async with line.database.read() as conn:
        return _answer(Change(await events.find(conn, event_id), made=False), 200)


@router.get(
    "/events/{event_id}/history",
    response_model=list[Version],
    responses={200: answer("A page.", NEXT)},
)
async def get_history(
    event_id: EventIdInPath,
    request: Request,
    line: LineHere,
    _who: Operator,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Annotated[fields.Count, Query()] = 0,
) -> Response:
    """Every version of the event, oldest first: what changed, when, by whom and why."""
    async with line.database.read() as conn:
        event = await events.find(conn, event_id)
        versions = await feed.history(conn, event_id, cursor, limit)
    last: int | None = versions[-1]["version"] if versions else None
    more = last is not None and last < event.version
    return json_response(versions, headers=next_link(request, str(last) if more else None))


async def _create(line: Line, event_id: str | None, terms: Terms, by: str) -> Change:
    create = partial(changes.create, terms=terms, default_deadline_s=line.default_deadline_s)
    if event_id is not None:
        return await line.change(event_id, partial(create, event_id=event_id), by)
    while True:
        made_up = ids.new_event_id()
        with suppress(EventExists):
            return await line.change(made_up, partial(create, event_id=made_up, made_up=True), by)


def _answer(change: Change, status: int, headers: dict[str, str] | None = None) -> Response:
    headers = {"ETag": events.etag(change.event)} | (headers or {})
    return json_response(contract.event_body(change.event), status, headers)
