"""What the databases of both services hold, read straight from their files."""

from __future__ import annotations

import json
import sqlite3
from collections import namedtuple
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.system.checker import instant

if TYPE_CHECKING:
    from pathlib import Path

Row = Any
"""A row with its columns as attributes; its type is made when the table is read."""


class Tables:
    """A service's database, open for reading only."""

    def __init__(self, file: Path) -> None:
        self._conn = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._kinds: dict[str, Any] = {}

    def close(self) -> None:
        """Close it."""
        self._conn.close()

    def rows(self, query: str) -> list[Row]:
        """What a query answers."""
        cursor = self._conn.execute(query)
        if query not in self._kinds:
            columns = " ".join(column[0] for column in cursor.description)
            self._kinds[query] = namedtuple("Row", columns)  # noqa: PYI024
        make = self._kinds[query]._make
        return [make(row) for row in cursor]


@dataclass(frozen=True)
class Item:
    """An item of line-provider's log; times in microseconds, the coefficient in hundredths."""

    seq: int
    at: int
    event_id: str
    version: int
    event: dict[str, Any]


@dataclass
class Line:
    """line-provider's database: the head, the events, and the log as it was read so far."""

    epoch: str = ""
    seq: int = 0
    at: int = 0
    events: dict[str, Row] = field(default_factory=dict)
    raw: list[Row] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def read(self, tables: Tables) -> None:
        """Look again; what was read of the log before must be there unchanged."""
        (head,) = tables.rows("SELECT epoch, seq, at FROM head")
        self.epoch, self.seq, self.at = head
        self.events = {row.event_id: row for row in tables.rows("SELECT * FROM events")}
        raw = tables.rows("SELECT * FROM feed ORDER BY seq")
        assert raw[: len(self.raw)] == self.raw, "the log was changed"
        self.items += [_item(row) for row in raw[len(self.raw) :]]
        self.raw = raw


def _item(row: Row) -> Item:
    event = json.loads(row.event, parse_float=hundredths, parse_int=int)
    return Item(row.seq, row.at, row.event_id, row.version, units(event))


def hundredths(number: str) -> int:
    """A decimal text with at most two decimals, in hundredths."""
    whole, _, decimals = number.partition(".")
    return int(whole) * 100 + int(decimals.ljust(2, "0"))


def units(event: dict[str, Any]) -> dict[str, Any]:
    """An event's body with its times in microseconds."""
    times = ("deadline", "closed_at", "created_at", "updated_at")
    return event | {name: instant(event[name]) for name in times}


@dataclass(frozen=True)
class Bets:
    """bet-maker's database: the cursor, the replica, and the bets."""

    epoch: str | None = None
    seq: int = 0
    at: int = 0
    snapshot: int = 0
    events: dict[str, Row] = field(default_factory=dict)
    bets: dict[str, Row] = field(default_factory=dict)
    by_key: dict[str, Row] = field(default_factory=dict)

    def fates(self) -> tuple[int, dict[str, tuple[str, int]]]:
        """What the list of bets depends on: how many there are, and how their events stand."""
        events = {row.event_id: (row.status, row.closed_at) for row in self.events.values()}
        return len(self.bets), events

    @classmethod
    def read(cls, tables: Tables) -> Bets:
        """Look."""
        (cursor,) = tables.rows("SELECT epoch, seq, at, snapshot FROM cursor")
        bets = tables.rows("SELECT * FROM bets ORDER BY bet_id")
        return cls(
            *(cursor.epoch, cursor.seq, cursor.at, cursor.snapshot),
            {row.event_id: row for row in tables.rows("SELECT * FROM events")},
            {row.bet_id: row for row in bets},
            {row.key: row for row in bets if row.key is not None},
        )
