"""bet-maker's JSON bodies: what a request may hold, and a bet as its user sees it."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from stakeline import clock, errors, fields, ids, money, strictjson
from stakeline.bet_maker.bets import Accept, BetStatus

if TYPE_CHECKING:
    from stakeline.bet_maker.bets import Bet

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


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    event_id: str
    amount: msgspec.Raw
    coefficient: msgspec.Raw = msgspec.Raw()
    accept: Accept | None = None


_decode = msgspec.json.Decoder(_Plain).decode


def _digits(raw: msgspec.Raw) -> str:
    """The text of a number, or what is between the quotes of a text."""
    text = bytes(raw).decode()
    return text[1:-1] if text.startswith('"') else text


class Wanted:
    """What a bet's body says, however it was read."""

    __slots__ = ()
    event_id: str
    amount: int
    coefficient: int | None
    accept: Accept | None

    def accepts(self) -> Accept:
        """Which price is taken: without a coefficient any, with one exactly that."""
        return self.accept or ("any" if self.coefficient is None else "exact")


class PlainBet(msgspec.Struct, Wanted):
    """A bet whose body was plain to read."""

    event_id: str
    amount: int
    coefficient: int | None
    accept: Accept | None


class NewBet(fields.Body, Wanted):
    """A bet. `coefficient` is the price its user saw; `accept` says which price they take."""

    event_id: fields.EventId
    amount: fields.Amount
    coefficient: fields.Coefficient | None = None
    accept: Accept | None = None
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"accept": {"enum": ["any", None]}}},
                {
                    "properties": {"coefficient": {"type": ["number", "string"]}},
                    "required": ["coefficient"],
                },
            ]
        }
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.coefficient is None and self.accept not in {None, "any"}:
            raise ValueError("accept needs the coefficient that was seen")
        return self

    @staticmethod
    def read_plain(body: bytes) -> PlainBet | None:
        """What `body` holds; None where it takes a closer look to tell, or to say what is wrong.

        It is what `strictjson` and the fields would read, in half of their time.
        """
        try:
            plain = _decode(body)
            event_id = ids.parse_event_id(plain.event_id)
            amount = money.parse_hundredths(_digits(plain.amount), money.MAX_AMOUNT)
            price = _digits(plain.coefficient)
            coefficient = money.parse_hundredths(price, money.MAX_COEFFICIENT) if price else None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        members = 2 + bool(price) + (plain.accept is not None)
        # More colons: a member may be there twice. Fewer than that cannot be.
        if body.count(b":") != members or (not price and plain.accept in {"exact", "better"}):
            return None
        return PlainBet(event_id, amount, coefficient, plain.accept)


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


class UsersBet(BetBody):
    """A bet as operators see it, who see whose it is."""

    user_id: fields.UserId


class UsersBetWithReceipt(UsersBet, BetWithReceipt):
    """A bet with its receipt, as operators see it."""


class BatchAnswer(BaseModel):
    """One answer a bet, in order: `{"status": 201, "bet"}` or `{"status": ..., "problem"}`."""

    results: list[dict[str, Any]]


def bet_json(bet: Bet, *, with_user: bool = False) -> str:
    """The bet as JSON, as lists show it; none of its texts has what JSON would escape.

    Args:
        bet: the bet.
        with_user: whether it says whose it is, as operators see it.
    """
    return (
        f'{{"bet_id":"{bet.bet_id}","event_id":"{bet.event_id}","amount":{_number(bet.amount)},'
        f'"coefficient":{_number(bet.coefficient)},'
        f'"potential_payout":{_number(bet.potential_payout)},"status":"{bet.status}",'
        f'"payout":{_number(bet.payout)},"placed_at":"{clock.text(bet.placed_at)}",'
        f'"event_version":{bet.event_version}'
        + (f',"user_id":"{bet.user_id}"}}' if with_user else "}")
    )


def batch_answer(outcome: Bet | errors.Problem) -> dict[str, Any]:
    """One answer of a batch."""
    if isinstance(outcome, errors.Problem):
        return {"status": int(outcome.status), "problem": outcome.body()}
    replayed = {"replayed": True} if outcome.replayed else {}
    bet = strictjson.Raw(bet_json(outcome).encode())
    return {"status": int(HTTPStatus.CREATED), "bet": bet} | replayed


def hundredths(value: int | None) -> Any:  # noqa: ANN401 - a Decimal or null
    """The exact two-decimal number; None stays so."""
    return None if value is None else money.decimal(value)


@lru_cache(maxsize=10_000)  # prices and stakes are often the same
def _number(value: int | None) -> str:
    """Hundredths as a JSON number with two decimals, or null."""
    return "null" if value is None else f"{value // 100}.{value % 100:02}"
