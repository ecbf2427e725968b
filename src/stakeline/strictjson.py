"""Reading JSON that others wrote, without what Python's own reader lets through.

Numbers come as their own text, so that no digit is lost before a rule has seen it.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from stakeline.errors import MalformedJson

MAX_DEPTH = 16


class Number:
    """A JSON number as it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value in `data`, its numbers as `Number`.

    Raises:
        MalformedJson: not UTF-8, a byte order mark, not JSON, NaN or Infinity, a key twice, more
            than 16 levels deep, half of a surrogate pair; the message names the rule only.
    """
    try:
        value = _read(data.decode())
        # Without an escape there is no half of a pair, and without so many brackets no such depth.
        if b"\\u" in data or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
            _measure(value, MAX_DEPTH)
    except RecursionError:
        raise MalformedJson("The body is nested more than 16 levels deep.") from None
    except UnicodeError:
        raise MalformedJson("The body is not well-formed Unicode in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(f"The body is not JSON: see character {error.pos}.") from None
    return value


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise MalformedJson("An object has the same key twice.")
    return members


_read = json.JSONDecoder(
    parse_float=Number,
    parse_int=Number,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
).decode


def _measure(value: object, depth: int) -> None:
    """Refuse what is too deep or holds a lone surrogate, in keys as in values."""
    if isinstance(value, str):
        value.encode()
        return
    if not isinstance(value, (dict, list)):
        return
    if depth == 0:
        raise MalformedJson("The body is nested more than 16 levels deep.")
    if isinstance(value, dict):
        for key in value:
            key.encode()
        value = list(value.values())
    for element in value:
        _measure(element, depth - 1)


Raw = msgspec.Raw
"""JSON that is written as it stands."""
dumps = msgspec.json.Encoder(decimal_format="number").encode
"""JSON bytes of plain values; a Decimal becomes a JSON number, digit for digit."""
