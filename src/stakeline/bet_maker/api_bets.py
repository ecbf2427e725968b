"""bet-maker's HTTP calls: placing bets and reading them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Self

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import (
    BaseModel,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from starlette.responses import Response

from stakeline import clock, errors, fields, ids, money
from stakeline.bet_maker import bets, history, users
from stakeline.bet_maker.api import DeskHere
from stakeline.bet_maker.bets import Accept, Asked, Bet, BetStatus
from stakeline.bet_maker.standalone import Standalone
from stakeline.web import problems
from stakeline.web.application import json_response
from stakeline.web.links import location, next_link
from stakeline.web.reading import JsonRoute, LargeJsonRoute

if TYPE_CHECKING:
    from stakeline.bet_maker.api import Desk
    from stakeline.bet_maker.bets import Stamp

MOST_IN_BATCH = 1000

Key = Annotated[
    str,
    PlainValidator(lambda value: ids.parse_key(value) if isinstance(value, str) else _no_key()),
    WithJsonSchema({"type": "string", "pattern": "^[!-~]{1,64}$"}),
]
BetId = Annotated[
    str, PlainValidator(ids.parse_bet_id), WithJsonSchema({"type": "string", "format": "uuid"})
]


def _no_key() -> str:
    raise ValueError("must be a string")


class NewBet(fields.Body):
    """A bet. `coefficient` is the price its user saw; `accept` says which price they take."""

    event_id: fields.EventId
    amount: fields.Amount
    coefficient: fields.Coefficient | None = None
    accept: Accept | None = None

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.coefficient is None and self.accept not in {None, "any"}:
            raise ValueError("accept needs the coefficient that was seen")
        return self

    def accepts(self) -> Accept:
        """Which price is taken: without a coefficient any, with one exactly that."""
        return self.accept or ("any" if self.coefficient is None else "exact")


class KeyedBet(NewBet):
    """A bet of a batch, with its own idempotency key."""

    key: Key | None = None


class Batch(fields.Body):
    """Up to 1000 bets; each is judged on its own."""

    bets: list[Any] = Field(
        min_length=1,
        max_length=MOST_IN_BATCH,
        json_schema_extra={"items": KeyedBet.model_json_schema()},
    )


class BetBody(BaseModel):
    """A bet, as it now stands."""

    bet_id: BetId
    event_id: fields.EventId
    amount: fields.Amount
    coefficient: fields.Coefficient | None
    potential_payout: fields.Payout | None
    status: BetStatus
    payout: fields.Payout | None
    placed_at: fields.Instant
    event_version: int


class Receipt(BaseModel):
    """What a bet was judged by, and why it stands as it does."""

    feed_seq: int
    feed_age_ms: float
    coefficient_asked: fields.Coefficient | None
    coefficient_given: fields.Coefficient | None
    accept: Accept
    closed_at: fields.Instant | None
    reason: str


class BetWithReceipt(BetBody):
    """A bet with its receipt."""

    receipt: Receipt


class BatchAnswer(BaseModel):
    """One answer a bet, in order: `{"status": 201, "bet"}` or `{"status": ..., "problem"}`."""

    results: list[dict[str, Any]]


router = APIRouter(route_class=JsonRoute, tags=["bets"])
large_router = APIRouter(route_class=LargeJsonRoute, tags=["bets"])


def key_of(request: Request) -> str | None:
    """The request's Idempotency-Key.

    Raises:
        InvalidRequest: it is malformed, or there are two that differ.
    """
    keys = set(request.headers.getlist("idempotency-key"))
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


@router.post("/bets", status_code=201, response_model=BetBody, openapi_extra=KEY_IN_DOCS)
@router.post("/bet", status_code=201, response_model=BetBody, openapi_extra=KEY_IN_DOCS)
async def place_bet(
    request: Request, new: NewBet, desk: DeskHere, key: Annotated[str | None, Depends(key_of)]
) -> Response:
    """Place a bet: 201 once it is on disk. A repeat with its Idempotency-Key makes no other."""
    asked = _asked(desk, new, key, await desk.line.stamp())
    (outcome,) = await desk.writer.place([asked])
    if isinstance(outcome, errors.Problem):
        raise outcome
    headers = location(request, f"bets/{outcome.bet_id}")
    if outcome.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_response(bet_body(outcome), HTTPStatus.CREATED, headers)


@large_router.post("/bets/batch", response_model=BatchAnswer)
async def place_batch(batch: Batch, desk: DeskHere) -> Response:
    """Place up to 1000 bets; each gets its own answer, in order."""
    stamp = await desk.line.stamp()
    outcomes: list[Asked | Bet | errors.Problem] = []
    for raw in batch.bets:
        try:
            new = KeyedBet.model_validate(raw)
            outcomes.append(_asked(desk, new, new.key, stamp))
        except ValidationError as error:
            outcomes.append(problems.invalid(error))
        except errors.Problem as problem:
            outcomes.append(problem)
    asked = [outcome for outcome in outcomes if isinstance(outcome, Asked)]
    placed = iter(await desk.writer.place(asked) if asked else [])
    answers = [next(placed) if isinstance(outcome, Asked) else outcome for outcome in outcomes]
    return json_response({"results": [_batch_answer(answer) for answer in answers]})


@router.get("/bets", response_model=list[BetBody])
async def list_bets(
    request: Request,
    desk: DeskHere,
    status: BetStatus | None = None,
    event_id: Annotated[fields.EventId | None, Query()] = None,
    placed_from: Annotated[fields.InstantInQuery | None, Query()] = None,
    placed_to: Annotated[fields.InstantInQuery | None, Query()] = None,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Annotated[BetId | None, Query()] = None,
) -> Response:
    """Your bets, newest first. A page may be short; only a missing `Link` ends the list."""
    chosen = history.Selection(users.ANONYMOUS, status, event_id, placed_from, placed_to)
    async with desk.database.read() as conn:
        found, last = await history.page(conn, chosen, cursor, limit)
    return json_response([bet_body(bet) for bet in found], headers=next_link(request, last))


@router.get("/bets/{bet_id}", response_model=BetWithReceipt)
async def get_bet(bet_id: Annotated[BetId, Path()], desk: DeskHere) -> Response:
    """The bet with its receipt: what it was judged by, and why it stands as it does."""
    async with desk.database.read() as conn:
        bet, row = await bets.find(conn, users.ANONYMOUS, bet_id)
    receipt = {
        "feed_seq": row["feed_seq"],
        "feed_age_ms": (bet.placed_at - row["fix_at"]) / 1000,
        "coefficient_asked": _hundredths(row["asked_coefficient"]),
        "coefficient_given": _hundredths(bet.coefficient),
        "accept": row["accept"],
        "closed_at": clock.text(row["closed_at"]) if row["closed_at"] < clock.LATEST else None,
        "reason": bets.why(bet, row["event_status"], row["closed_at"]),
    }
    return json_response(bet_body(bet) | {"receipt": receipt})


def bet_body(bet: Bet) -> dict[str, Any]:
    """The bet as JSON shows it: money as exact numbers, times as text."""
    return {
        "bet_id": bet.bet_id,
        "event_id": bet.event_id,
        "amount": money.decimal(bet.amount),
        "coefficient": _hundredths(bet.coefficient),
        "potential_payout": _hundredths(bet.potential_payout),
        "status": bet.status,
        "payout": _hundredths(bet.payout),
        "placed_at": clock.text(bet.placed_at),
        "event_version": bet.event_version,
    }


def _asked(desk: Desk, new: NewBet, key: str | None, stamp: Stamp) -> Asked:
    if new.coefficient is not None and isinstance(desk.line, Standalone):
        raise errors.InvalidRequest.of("body.coefficient", "there are no prices here: standalone")
    return Asked(
        bet_id=ids.new_bet_id(stamp.placed_at),
        user_id=users.ANONYMOUS,
        key=key,
        event_id=new.event_id,
        amount=new.amount,
        asked_coefficient=new.coefficient,
        accept=new.accepts(),
        stamp=stamp,
    )


def _batch_answer(outcome: Bet | errors.Problem) -> dict[str, Any]:
    if isinstance(outcome, errors.Problem):
        return {"status": int(outcome.status), "problem": outcome.body()}
    replayed = {"replayed": True} if outcome.replayed else {}
    return {"status": int(HTTPStatus.CREATED), "bet": bet_body(outcome)} | replayed


def _hundredths(value: int | None) -> Any:  # noqa: ANN401 - a Decimal or null
    return None if value is None else money.decimal(value)
