"""bet-maker's HTTP calls for its operator: what may be lost, and what each day came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, WithJsonSchema
from starlette.responses import Response

from stakeline import clock, errors, fields, ids, money, strictjson
from stakeline.bet_maker import exports, reports
from stakeline.bet_maker.api import DeskHere, Operator
from stakeline.bet_maker.bodies import hundredths
from stakeline.web.links import next_link
from stakeline.web.reading import JsonRoute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.api import Desk
    from stakeline.bet_maker.exports import Page
    from stakeline.bet_maker.reports import Entry, Exposure, Place

Cursor = Annotated[
    Annotated[
        str,
        WithJsonSchema(
            {"type": "string", "pattern": f"^-?(0|[1-9][0-9]{{0,18}})(~({fields.EVENT_ID})?)?$"}
        ),
    ]
    | None,
    Query(),
]
router = APIRouter(route_class=JsonRoute, tags=["operator"])


class ExposureBody(BaseModel):
    """An event's pending bets, and what the house loses if all of them win."""

    event_id: fields.EventId
    name: str | None
    coefficient: fields.Coefficient | None
    bets: int
    staked: fields.Payout
    potential_payout: fields.Payout | None
    exposure: fields.Balance | None


class EntryBody(BaseModel):
    """What a day's bets on an event came to: `staked = pending_staked + returned + margin`."""

    day: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    event_id: fields.EventId
    name: str | None
    bets: int
    staked: fields.Payout
    pending: int
    pending_staked: fields.Payout
    returned: fields.Payout | None
    margin: fields.Balance | None


@router.get("/exposure", response_model=list[ExposureBody], responses=exports.in_docs(ExposureBody))
async def list_exposures(
    request: Request,
    desk: DeskHere,
    _who: Operator,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Cursor = None,
) -> Response:
    """The events with pending bets, the largest exposure first (standalone: the most staked).

    `exposure` is what the house loses on the event if all its pending bets win, and below 0 where
    it cannot lose. A page is of the moment at which it is asked for: an event whose exposure
    changes meanwhile may be on two pages, or on none. NDJSON and CSV as of `GET /bets`.
    """

    async def page(conn: AsyncConnection, after: Place | None, most: int) -> Page[Place]:
        found, last = await reports.exposures(conn, after, most)
        return [_json(_exposure_body(exposure)) for exposure in found], last

    return await _answer(request, desk, page, "exposure", ExposureBody, limit, cursor)


@router.get("/report", response_model=list[EntryBody], responses=exports.in_docs(EntryBody))
async def list_report(
    request: Request,
    desk: DeskHere,
    _who: Operator,
    placed_from: Annotated[fields.InstantInQuery | None, Query(alias="from")] = None,
    placed_to: Annotated[fields.InstantInQuery | None, Query(alias="to")] = None,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Cursor = None,
) -> Response:
    """The bets placed from (inside) to (outside), summed by day (UTC) and event, newest day first.

    `returned` is what the settled bets paid, a void one its amount; `margin` is what the house kept
    of them; what is still pending is told apart; `staked` is all three together. A page may be
    short; only a missing `Link` ends the list. NDJSON and CSV as of `GET /bets`.
    """

    async def page(conn: AsyncConnection, after: Place | None, most: int) -> Page[Place]:
        found, last = await reports.report(conn, placed_from, placed_to, after, most)
        return [_json(_entry_body(entry)) for entry in found], last

    return await _answer(request, desk, page, "report", EntryBody, limit, cursor)


async def _answer(
    request: Request,
    desk: Desk,
    page: Callable[[AsyncConnection, Place | None, int], Awaitable[Page[Place]]],
    name: str,
    body: type[BaseModel],
    limit: int,
    cursor: str | None,
) -> Response:
    """A page of a list, or all of it as a stream, as `Accept` has it."""
    if (form := exports.form_of(request)) != exports.JSON:
        parts = exports.in_turn(desk.database, page)
        return await exports.stream(parts, form, name=name, columns=body)
    after = _read_cursor(cursor)
    async with desk.database.read() as conn:
        found, last = await page(conn, after, limit)
    link = next_link(request, None if last is None else f"{last[0]}~{last[1]}")
    return exports.array(found, link)


def _read_cursor(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    number, _, event_id = cursor.partition("~")
    try:
        size = ids.parse_integer(number.removeprefix("-"))
        return -size if number.startswith("-") else size, event_id and ids.parse_event_id(event_id)
    except ValueError:
        raise errors.InvalidRequest.of("query.cursor", "must be one that a Link gave") from None


def _json(body: dict[str, Any]) -> str:
    return strictjson.dumps(body).decode()


def _exposure_body(exposure: Exposure) -> dict[str, Any]:
    return {
        "event_id": exposure.event_id,
        "name": exposure.name,
        "coefficient": hundredths(exposure.coefficient),
        "bets": exposure.bets,
        "staked": money.decimal(exposure.staked),
        "potential_payout": hundredths(exposure.potential_payout),
        "exposure": hundredths(exposure.exposure),
    }


def _entry_body(entry: Entry) -> dict[str, Any]:
    return {
        "day": clock.text(entry.day * reports.DAY_US)[:10],
        "event_id": entry.event_id,
        "name": entry.name,
        "bets": entry.bets,
        "staked": money.decimal(entry.staked),
        "pending": entry.pending,
        "pending_staked": money.decimal(entry.pending_staked),
        "returned": hundredths(entry.returned),
        "margin": hundredths(entry.margin),
    }
