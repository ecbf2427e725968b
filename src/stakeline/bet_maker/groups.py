"""A group of bets as the table `asked`, which statements join to what they are judged by.

PostgreSQL takes it as one JSON parameter: its reading takes the driver two thirds of the time of an
array for each column. With SQLite, which takes six times as long to read that JSON, each value is a
parameter, so that there is a statement for each size; sizes are powers of two, what is left over
is null and joins nothing.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple

from stakeline import strictjson
from stakeline.bet_maker.bets import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELDS = Asked.__struct_fields__
_TEXTS = {"bet_id", "key", "event_id", "accept", "epoch"}
_TYPES = {name: "text" if name in _TEXTS else "bigint" for name in _FIELDS if name != "fresh"}
_TYPED = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
_FROM_JSON = f"""
WITH asked AS (
    SELECT * FROM ROWS FROM (json_to_recordset($1) AS ({_TYPED})) WITH ORDINALITY
    AS asked ({", ".join(_TYPES)}, n))
"""  # noqa: S608 - constants


def table(dialect: str, bets: int) -> str:
    """The SQL that makes `asked` of `parameters`, with a number `n` in the group's order.

    Args:
        dialect: `sqlite` or `postgresql`.
        bets: how many are in the group.
    """
    if dialect == "postgresql":
        return _FROM_JSON
    marks = ", ".join("?" * len(_FIELDS))
    rows = ", ".join(f"({marks}, {n})" for n in range(size(bets)))
    return f"WITH asked ({', '.join(_FIELDS)}, n) AS MATERIALIZED (VALUES {rows})"


def parameters(dialect: str, group: Sequence[Asked]) -> Sequence[Any]:
    """The parameters of that SQL, for these bets."""
    if dialect == "postgresql":
        return (strictjson.dumps(group).decode(),)
    left_over = [None] * (len(_FIELDS) * (size(len(group)) - len(group)))
    return [*chain.from_iterable(map(astuple, group)), *left_over]


def size(bets: int) -> int:
    """How many rows the table of so many bets has."""
    return 1 << (bets - 1).bit_length()
