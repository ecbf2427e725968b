"""bet-maker's HTTP calls: the line as it is known here, and the result of a standalone event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from stakeline import contract, db, errors, fields
from stakeline.auth import Principal
from stakeline.bet_maker import events, listing, users
from stakeline.bet_maker.standalone import Standalone
from stakeline.web import documenting, written
from stakeline.web.documenting import answer, link
from stakeline.web.guarding import BY_PASSWORD, may
from stakeline.web.lean import LeanRoute
from stakeline.web.links import EventCursor, read_event_cursor
from stakeline.web.reading import JsonRoute
from stakeline.web.responses import json_response

if TYPE_CHECKING:
    from stakeline.bet_maker.follower import Follower
    from stakeline.bet_maker.pace import Pace
    from stakeline.bet_maker.writer import Writer
    from stakeline.db import Database


@dataclass(frozen=True, slots=True)
class Desk:
    """What the calls of this service work on; `line` is what bets are taken on.

    `open_events` are those that can be bet on now; `pace` is None where users may bet as often as
    they like.
    """

    database: Database
    writer: Writer
    line: Follower | Standalone
    open_events: listing.OpenEvents
    pace: Pace | None


class KnownEvent(BaseModel):
    """An event; a standalone bet-maker knows no coefficient and no deadline."""

    event_id: fields.EventId
    name: str | None
    coefficient: fields.Coefficient | None
    deadline: fields.Instant | None
    status: contract.EventStatus
    closed_at: fields.Instant | None
    version: int
    created_at: fields.Instant
    updated_at: fields.Instant


class StandaloneResult(fields.Body):
    """The result of an event; another status later is a correction."""

    status: Literal["WIN", "LOSE", "VOID"]


async def desk_of(request: Request) -> Desk:
    """The desk this application serves."""
    # FastAPI would send a plain function to a thread, which costs more than all else of a request.
    desk: Desk = request.scope["app"].state.desk
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]
Reader = Annotated[Principal, may(BY_PASSWORD, "user")]
Onlooker = Annotated[Principal, may(BY_PASSWORD, "user", look_up=False)]
"""The list of events finds out itself whether their token was revoked, as it looks at the line."""
Operator = Annotated[Principal, may(BY_PASSWORD, "operator")]
EventIdInPath = Annotated[fields.EventId, Path()]


def _and_then(event: str) -> list[dict[str, Any]]:
    """What can be done with the event at this place of an answer."""
    event_id = f"$response.body#{event}/event_id"
    price = f"$response.body#{event}/coefficient"
    return [
        link("get_event", event_id=event_id),
        link("decide_event", event_id=event_id),
        link("list_bets", event_id=event_id),
        link("place_bet", {"event_id": event_id, "coefficient": price}),
        link("place_bet_by_alias", {"event_id": event_id}),
    ]


router = APIRouter(route_class=JsonRoute, tags=["line"])
lean_router = APIRouter(route_class=LeanRoute, tags=["line"])


@lean_router.get(
    "/events",
    response_model=list[KnownEvent],
    responses=documenting.page_with_etag(*_and_then("/0")),
    openapi_extra=written.IN_DOCS,
)
async def list_events(
    request: Request,
    desk: DeskHere,
    who: Onlooker,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: EventCursor | None = None,
) -> Response:
    """The events that can be bet on now, soonest deadline first; `Link` leads to the next page."""
    page = await desk.open_events.get((limit, read_event_cursor(cursor)), who)
    return written.answer(request, page)


@router.get(
    "/events/{event_id}",
    response_model=KnownEvent,
    responses={200: answer("The event.", *_and_then(""))},
)
async def get_event(event_id: EventIdInPath, desk: DeskHere, _who: Reader) -> Response:
    """Any event that is known here, open or not."""
    async with desk.database.read() as conn:
        return json_response(contract.event_body(await events.find(conn, event_id)))


@router.put(
    "/events/{event_id}",
    response_model=KnownEvent,
    responses={200: answer("The event with its result.", *_and_then(""))},
)
async def decide_event(
    event_id: EventIdInPath, result: StandaloneResult, desk: DeskHere, who: Operator
) -> Response:
    """Standalone only: give the event its result, which settles all its bets."""
    if not isinstance(desk.line, Standalone):
        raise errors.NotStandalone
    async with desk.database.write() as conn:
        await users.begin(conn, who)
        await events.decide(conn, event_id, result.status, await db.now(conn))
        event = await events.find(conn, event_id)
    return json_response(contract.event_body(event))
