"""What an item of the log says of its event, read by rules of verification's own."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stakeline import clock, ids, money

STATUSES = ("NEW", "WIN", "LOSE", "VOID")
FIRST = clock.parse_instant("2000-01-01T00:00:00Z")
_MAX_NAME = 200

# Ids are compared byte by byte, here and wherever streams that are ordered by them are merged.
VERSIONS = """
SELECT event_id, version, seq, at, "by", reason, event,
       lead(seq) OVER (PARTITION BY event_id ORDER BY version) AS next_seq
FROM feed ORDER BY event_id COLLATE BINARY, version
"""
"""Every item by event and version, each with the seq of the version that took its place."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event as an item has it; times in microseconds, the coefficient in hundredths."""

    event_id: str
    name: str | None
    coefficient: int
    deadline: int
    status: str
    closed_at: int
    version: int
    created_at: int
    updated_at: int


FIELDS = tuple(field for field in Said.__slots__ if field != "event_id")


def read(text: str) -> Said:
    """The event in an item's JSON.

    Raises:
        ValueError: it is not one; the message says why.
    """
    try:
        body = json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - a value from elsewhere
    try:
        return Said(
            event_id=ids.parse_event_id(_text(body["event_id"])),
            name=_name(body["name"]),
            coefficient=_hundredths(body["coefficient"]),
            deadline=clock.parse_instant(_text(body["deadline"])),
            status=_status(body["status"]),
            closed_at=clock.parse_instant(_text(body["closed_at"])),
            version=_whole(body["version"]),
            created_at=clock.parse_instant(_text(body["created_at"])),
            updated_at=clock.parse_instant(_text(body["updated_at"])),
        )
    except KeyError as error:
        raise ValueError(f"has no {error.args[0]}") from None


def readable(text: str) -> Said | None:
    """The event in an item's JSON, or None: that it is none is told where the log is read."""
    try:
        return read(text)
    except ValueError:
        return None


def instant(at: object) -> str:
    """An instant's text; of what is none, the value itself, or `nothing`."""
    if isinstance(at, int) and FIRST <= at <= clock.LATEST:
        return clock.text(at)
    return "nothing" if at is None else str(at)


def shown(field: str, value: object) -> str:
    """A column's value for people: instants and prices as they are written elsewhere."""
    if value is None:
        return "nothing"
    if field in {"deadline", "closed_at", "created_at", "updated_at"}:
        return instant(value)
    if field in {"coefficient", "amount", "payout"} and isinstance(value, int):
        return str(money.decimal(value))
    return str(value)


def in_time(at: object) -> bool:
    """Whether this is an instant that Stakeline takes: from 2000 to 2100."""
    return isinstance(at, int) and FIRST <= at < clock.LATEST


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("the same key twice")
    return members


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("has another kind of value where a text must be")  # noqa: TRY004
    return value


def _name(value: object) -> str | None:
    if value is None:
        return None
    name = _text(value)
    broken = any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name)
    if broken or not 1 <= len(name) <= _MAX_NAME:
        raise ValueError("has a name that is not one line of 1 to 200 characters")
    return name


def _hundredths(value: object) -> int:
    if type(value) not in {int, Decimal}:
        raise ValueError("has a coefficient that is no number")
    coefficient = Decimal(str(value))
    if not 0 < coefficient <= money.MAX_COEFFICIENT // 100 or coefficient * 100 % 1:
        raise ValueError("has a coefficient that is none: 0.01 to 10000.00")
    return int(coefficient * 100)


def _status(value: object) -> str:
    if value not in STATUSES:
        raise ValueError("has a status that is none")
    return str(value)


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("has a version that is none: from 1")
    return value
