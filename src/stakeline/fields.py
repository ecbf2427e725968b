"""The fields of requests and feed items: pydantic types that end in the ground floor's own units.

Every type takes what `strictjson` reads, numbers as their own text; the same type serves query and
path parameters, which are text anyway. What is refused is told by rule, never by repeating it.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema

from stakeline import clock, ids, money
from stakeline.strictjson import Number

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.config import JsonDict

MAX_NAME = 200
EVENT_ID = (
    "[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}"
    r"|\.[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,62}"
    r"|\.\.[A-Za-z0-9._:-]{1,62}"
)
"""The pattern of an event's id for documents: neither `.` nor `..`."""

YEARS = "^20(0[1-9]|[1-8][0-9]|9[0-8])-|^20(00|99)-.*[Zz]$"
"""The pattern of a time for documents: 2000 to 2100 in UTC, beyond which an offset may lead."""


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _field(
    read: Callable[[Any], Any], shown: JsonDict, *taken_too: JsonDict
) -> tuple[PlainValidator, WithJsonSchema, WithJsonSchema]:
    """A field that shows itself as `shown`, and in requests takes `taken_too` as well."""
    taken: JsonDict = {"anyOf": [shown, *taken_too]} if taken_too else dict(shown)
    if taken_too and "examples" in shown:
        taken["examples"] = shown["examples"]
    return (
        PlainValidator(read),
        WithJsonSchema(taken, mode="validation"),
        WithJsonSchema(shown, mode="serialization"),
    )


def _text_of(value: object, what: str, *, number: bool) -> str:
    if isinstance(value, str):
        return value
    if number and isinstance(value, Number):
        return value.text
    raise ValueError(f"must be {what}")


def _amount(value: object) -> int:
    return money.parse_hundredths(_text_of(value, "a number", number=True), money.MAX_AMOUNT)


def _coefficient(value: object) -> int:
    return money.parse_hundredths(_text_of(value, "a number", number=True), money.MAX_COEFFICIENT)


def _event_id(value: object) -> str:
    if isinstance(value, Number):
        return str(ids.parse_integer(value.text))
    return ids.parse_event_id(_text_of(value, "a string or a whole number", number=False))


def _instant(value: object) -> int:
    if isinstance(value, Number):
        return clock.parse_unix(value.text)
    return clock.parse_instant(_text_of(value, "a time", number=False))


def _instant_in_query(value: str) -> int:
    return clock.parse_unix(value) if value.isdigit() else clock.parse_instant(value)


def _line_of_text(value: object) -> str:
    line = unicodedata.normalize("NFC", _text_of(value, "a string", number=False))
    if not 1 <= len(line) <= MAX_NAME:
        raise ValueError(f"must be 1 to {MAX_NAME} characters long")
    plain = line.isascii() and line.isprintable()  # as mostly, and known at once
    if not plain and any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in line):
        raise ValueError("must be one line without control characters")
    return line


def _user_id(value: object) -> int:
    return ids.parse_integer(_text_of(value, "a string or a whole number", number=True), 1)


def _limit(value: object) -> int:
    return ids.parse_integer(_text_of(value, "a whole number", number=True), 1, 1000)


def _count(value: object) -> int:
    return ids.parse_integer(_text_of(value, "a whole number", number=True))


_HUNDREDTHS: JsonDict = {"type": "number", "multipleOf": 0.01, "minimum": 0.01}
_DECIMALS = r"(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?)"
_AMOUNT_TEXT: JsonDict = {"type": "string", "pattern": rf"^([1-9][0-9]{{0,8}}{_DECIMALS})$"}
_COEFFICIENT_TEXT: JsonDict = {
    "type": "string",
    "pattern": rf"^(10000(\.00?)?|[1-9][0-9]{{0,3}}{_DECIMALS})$",
}
# Not "maximum", of which FastAPI makes a float that is one too many.
_INT64: JsonDict = {"type": "integer", "minimum": 0, "exclusiveMaximum": ids.MAX_INTEGER + 1}
_TIME: JsonDict = {
    "type": "string",
    "format": "date-time",
    "pattern": YEARS,
    "examples": ["2050-08-01T18:00:00Z"],
}
_UNIX: JsonDict = {"type": "integer", "minimum": 946_684_800, "maximum": 4_102_444_799}

Amount = Annotated[
    int,
    *_field(_amount, _HUNDREDTHS | {"maximum": 999_999_999.99, "examples": [10.5]}, _AMOUNT_TEXT),
]
"""A stake in cents; JSON: a number (or numeric string) with at most two decimals."""
Coefficient = Annotated[
    int,
    *_field(_coefficient, _HUNDREDTHS | {"maximum": 10_000, "examples": [1.95]}, _COEFFICIENT_TEXT),
]
"""Decimal odds in hundredths; JSON: a number (or numeric string) with at most two decimals."""
Payout = Annotated[int, WithJsonSchema({"type": "number", "multipleOf": 0.01, "minimum": 0})]
"""Money that is only ever shown, in cents: from 0, with at most two decimals."""
Balance = Annotated[int, WithJsonSchema({"type": "number", "multipleOf": 0.01})]
"""The same, but it may be below 0."""
EventId = Annotated[
    str,
    *_field(
        _event_id,
        {
            "type": "string",
            "pattern": f"^({EVENT_ID})$",
            "examples": ["arsenal-chelsea"],
        },
        _INT64,
    ),
]
"""An event's id; a non-negative whole number is taken too and kept as its decimal text."""
Instant = Annotated[int, *_field(_instant, _TIME, _UNIX)]
"""Microseconds; JSON: RFC 3339 with a zone, or whole unix seconds."""
InstantInQuery = Annotated[int, *_field(_instant_in_query, _TIME, _UNIX)]
"""Microseconds; in a query: RFC 3339 with a zone, or whole unix seconds."""
LineOfText = Annotated[
    str,
    *_field(
        _line_of_text,
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
        },
    ),
]
"""One line of text, up to 200 characters, in NFC."""
UserId = Annotated[int, *_field(_user_id, {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"})]
"""A user's id; JSON: its decimal text, or the whole number itself."""
Limit = Annotated[int, *_field(_limit, {"type": "integer", "minimum": 1, "maximum": 1000})]
"""How many rows a page may have."""
Count = Annotated[int, *_field(_count, _INT64)]
"""A whole number from 0."""
