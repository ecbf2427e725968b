"""bet-maker's HTTP calls: placing bets and reading them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from stakeline import clock, db, errors, fields, ids, strictjson
from stakeline.auth import Principal
from stakeline.bet_maker import acceptance, bets, exports, history, users
from stakeline.bet_maker.api import DeskHere, Reader
from stakeline.bet_maker.bets import Asked, Bet, BetStatus
from stakeline.bet_maker.bodies import (
    Batch,
    BatchAnswer,
    BetBody,
    BetId,
    BetWithReceipt,
    KeyedBet,
    NewBet,
    UsersBet,
    UsersBetWithReceipt,
    batch_answer,
    bet_json,
    hundredths,
)
from stakeline.bet_maker.standalone import Standalone
from stakeline.web import headers, problems
from stakeline.web.documenting import LOCATION, answer, header, link
from stakeline.web.guarding import BY_PASSWORD, may
from stakeline.web.lean import LeanLargeRoute, LeanRoute
from stakeline.web.links import location, next_link
from stakeline.web.reading import JsonRoute
from stakeline.web.responses import json_response, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stakeline.bet_maker.api import Desk
    from stakeline.bet_maker.bets import Stamp
    from stakeline.bet_maker.bodies import Wanted
    from stakeline.bet_maker.pace import Pace

Bettor = Annotated[Principal, may(BY_PASSWORD, "user", look_up=False)]
"""Acceptance finds out itself whether their token was revoked, as it takes the bet."""
router = APIRouter(route_class=JsonRoute, tags=["bets"])
lean_router = APIRouter(route_class=LeanRoute, tags=["bets"])
large_router = APIRouter(route_class=LeanLargeRoute, tags=["bets"])


async def key_of(request: Request) -> str | None:
    """The request's Idempotency-Key.

    Raises:
        InvalidRequest: it is malformed, or there are two that differ.
    """
    keys = set(headers.given(request.scope, b"idempotency-key"))
    if not keys:
        return None
    try:
        (key,) = keys
        return ids.parse_key(key)
    except ValueError:
        reason = "must be one key of 1 to 64 visible ASCII characters"
        raise errors.InvalidRequest.of("header.idempotency-key", reason) from None


KEY_IN_DOCS: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Repeat a request with its key: the bet is made once.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,64}$"},
        }
    ]
}


_AND_THEN = [
    link("get_bet", bet_id="$response.body#/bet_id"),
    link("get_event", event_id="$response.body#/event_id"),
    link("decide_event", event_id="$response.body#/event_id"),
    link("list_bets", event_id="$response.body#/event_id"),
]
_REPLAYED = header(
    "Idempotent-Replayed", "The bet was there by its key.", always=False, enum=["true"]
)
_PLACED = answer("The bet is on disk.", LOCATION, _REPLAYED, *_AND_THEN)


_placing = partial(
    lean_router.post,
    status_code=201,
    response_model=BetBody,
    responses={201: _PLACED},
    openapi_extra=KEY_IN_DOCS,
)


@_placing("/bets")
@_placing("/bet", name="place_bet_by_alias")
async def place_bet(
    request: Request,
    new: NewBet,
    desk: DeskHere,
    who: Bettor,
    key: Annotated[str | None, Depends(key_of)],
) -> Response:
    """Place a bet: 201 once it is on disk. A repeat with its Idempotency-Key makes no other."""
    asked = _asked(desk, who, new, key, await desk.line.stamp())
    if desk.pace is not None:
        await _keep_pace(desk, desk.pace, who, [asked])
    (outcome,) = await desk.writer.place([asked])
    if isinstance(outcome, errors.Problem):
        raise outcome
    said = location(request, f"bets/{outcome.bet_id}")
    if outcome.replayed:
        said["Idempotent-Replayed"] = "true"
    return json_text(bet_json(outcome).encode(), 201, said)


@large_router.post("/bets/batch", response_model=BatchAnswer)
async def place_batch(batch: Batch, desk: DeskHere, who: Bettor) -> Response:
    """Place up to 1000 bets; each gets its own answer, in order."""
    stamp = await desk.line.stamp()
    outcomes: list[Asked | Bet | errors.Problem] = []
    for raw in batch.bets:
        try:
            new = KeyedBet.model_validate(raw)
            outcomes.append(_asked(desk, who, new, new.key, stamp))
        except ValidationError as error:
            outcomes.append(problems.invalid(error))
        except errors.Problem as problem:
            outcomes.append(problem)
    asked = [outcome for outcome in outcomes if isinstance(outcome, Asked)]
    if desk.pace is not None and asked:
        await _keep_pace(desk, desk.pace, who, asked)
    if asked:
        placed = await desk.writer.place(asked)
    else:  # nothing is left that would find out whether their token was revoked
        placed = []
        async with desk.database.read() as conn:
            await users.check(conn, who)
    for one in placed:
        if isinstance(one, errors.Unauthenticated):  # all of them are, then
            raise one
    decided = iter(placed)
    answers = [next(decided) if isinstance(outcome, Asked) else outcome for outcome in outcomes]
    return json_response({"results": [batch_answer(answer) for answer in answers]})


_FIRST = link("get_bet", bet_id="$response.body#/0/bet_id")


@router.get(
    "/bets", response_model=list[BetBody | UsersBet], responses=exports.in_docs(BetBody, _FIRST)
)
async def list_bets(
    request: Request,
    desk: DeskHere,
    who: Reader,
    status: BetStatus | None = None,
    event_id: Annotated[fields.EventId | None, Query()] = None,
    placed_from: Annotated[fields.InstantInQuery | None, Query()] = None,
    placed_to: Annotated[fields.InstantInQuery | None, Query()] = None,
    user: Annotated[fields.UserId | None, Query()] = None,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Annotated[BetId | None, Query()] = None,
) -> Response:
    """Your bets, newest first. A page may be short; only a missing `Link` ends the list.

    Operators see everybody's, with the `user_id` of each, or those of one `user`.

    `Accept: application/x-ndjson` or `text/csv` streams the whole selection instead, a bet a line;
    it has no `limit` and no `cursor`. In CSV null is an empty cell, and an event id that begins
    with `-` has an apostrophe before it, or a spreadsheet would compute it. If the connection is
    cut before the end of the answer, bets are missing.
    """
    chosen = history.Selection(_whose(who, user), status, event_id, placed_from, placed_to)
    with_users = _oversees(who)
    if (form := exports.form_of(request)) != exports.JSON:
        columns = UsersBet if with_users else BetBody
        find_end = partial(history.end_of_part, chosen=chosen)
        part = partial(history.part, chosen=chosen, with_users=with_users)
        parts = exports.side_by_side(desk.database, find_end, part)
        return await exports.stream(parts, form, name="bets", columns=columns)
    async with desk.database.read() as conn:
        found, last = await history.page(conn, cursor, limit, chosen=chosen, with_users=with_users)
    return exports.array(found, next_link(request, last))


@router.get(
    "/bets/{bet_id}",
    response_model=BetWithReceipt | UsersBetWithReceipt,
    responses={200: answer("The bet.", *_AND_THEN)},
)
async def get_bet(bet_id: Annotated[BetId, Path()], desk: DeskHere, who: Reader) -> Response:
    """The bet with its receipt: what it was judged by, and why it stands as it does."""
    async with desk.database.read() as conn:
        bet, row = await bets.find(conn, _whose(who, None), bet_id)
    receipt = {
        "feed_seq": row["feed_seq"],
        "feed_age_ms": (bet.placed_at - row["fix_at"]) / 1000,
        "coefficient_asked": hundredths(row["asked_coefficient"]),
        "coefficient_given": hundredths(bet.coefficient),
        "accept": row["accept"],
        "closed_at": clock.text(row["closed_at"]) if row["closed_at"] < clock.LATEST else None,
        "reason": bets.why(bet, row["event_status"], row["closed_at"]),
    }
    body = bet_json(bet, with_user=_oversees(who)).encode()
    return json_text(body[:-1] + b',"receipt":' + strictjson.dumps(receipt) + b"}")


def _oversees(who: Principal) -> bool:
    return who.role == "operator"


def _whose(who: Principal, user: int | None) -> int | None:
    """Whose bets are shown: an operator's choice, None for everybody's; else one's own.

    Raises:
        Forbidden: somebody else's were asked for.
    """
    if _oversees(who):
        return user
    if who.role == "user" and user not in {None, who.user_id}:
        raise errors.Forbidden
    return user or who.user_id


async def _keep_pace(desk: Desk, pace: Pace, who: Principal, asked: Sequence[Asked]) -> None:
    """Nothing, if their user may ask for so many bets now.

    Repeats pass always: who lost the answer to a bet must hear what became of it.

    Raises:
        TooManyRequests: none of them was taken.
        Unavailable: whether they are repeats cannot be looked up.
    """
    # Not by the user alone: with a revoked token nobody uses up what the new one may.
    wait_s = pace.wait_s((who.user_id, who.token_version), len(asked), clock.steady())
    if wait_s > 0:
        async with desk.database.read(db.QUICK_S) as conn:
            if not await acceptance.repeated(conn, asked):
                raise errors.TooManyRequests(wait_s)


def _asked(desk: Desk, who: Principal, new: Wanted, key: str | None, stamp: Stamp) -> Asked:
    if new.coefficient is not None and isinstance(desk.line, Standalone):
        raise errors.InvalidRequest.of("body.coefficient", "there are no prices here: standalone")
    return Asked(
        bet_id=ids.new_bet_id(stamp.placed_at),
        user_id=who.user_id,
        key=key,
        event_id=new.event_id,
        amount=new.amount,
        asked_coefficient=new.coefficient,
        accept=new.accepts(),
        epoch=stamp.epoch,
        placed_at=stamp.placed_at,
        fix_at=stamp.fix_at,
        fresh=stamp.fresh,
        token_version=who.token_version,
    )
