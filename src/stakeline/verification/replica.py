"""The replica: bet-maker's copy of the line, held against the log at the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stakeline import clock, ids, money
from stakeline.verification import said, source
from stakeline.verification.report import Table
from stakeline.verification.said import Said, instant, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stakeline.verification.report import Report
    from stakeline.verification.source import Row, Source

_EVENTS = """
SELECT event_id, name, coefficient, deadline, status, closed_at, version, created_at, updated_at,
       epoch, frozen, closed_cap
FROM events ORDER BY event_id COLLATE BINARY
"""
_BEFORE = """
SELECT seq, event FROM feed WHERE event_id = :event_id AND seq < :before ORDER BY seq DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """The cursor: how far bet-maker has followed which log."""

    mode: str
    epoch: str | None
    seq: int
    at: int
    snapshot: int

    @property
    def standalone(self) -> bool:
        """Whether there is no line at all."""
        return self.mode == "standalone"

    def vouched(self, row: Row) -> bool:
        """Whether a replica's row is of the log that is followed, not left from an earlier one."""
        return bool(row.epoch is not None and row.epoch == self.epoch)


_ANYTHING = "SELECT bet_id FROM bets UNION ALL SELECT event_id FROM events LIMIT 1"


async def read_cursor(bets: Source, report: Report) -> Followed | None:
    """The cursor; None where there is none yet, or no single one, which is said.

    Args:
        bets: bet-maker's database.
        report: takes up what is wrong.
    """
    rows = await bets.all("SELECT mode, epoch, seq, at, snapshot FROM cursor")
    if not rows and not await bets.all(_ANYTHING):
        return None  # migrated, and no service has started on it yet
    table = Table(report, bets.name, "cursor")
    table.same("cursor-single", "id 1", "how many rows there are", len(rows), 1)
    if len(rows) != 1:
        return None
    (row,) = rows
    cursor = Followed(row.mode, row.epoch, row.seq, row.at, row.snapshot)
    if cursor.mode not in {"following", "standalone"}:
        table.wrong("cursor-mode", "id 1", "the mode", cursor.mode, "following or standalone")
    started = cursor.epoch is not None and not cursor.standalone
    sound = cursor.snapshot >= 1 if started else (cursor.seq, cursor.snapshot) == (0, 0)
    if not sound or cursor.seq < 0 or cursor.standalone != (cursor.epoch == "standalone"):
        what = "epoch, seq and snapshot do not go together"
        table.wrong("cursor-sound", "id 1", what, f"{cursor.epoch} {cursor.seq} {cursor.snapshot}")
    return cursor


async def follows(followed: Followed, line: Source, report: Report) -> bool:
    """Whether this line has the very item that was applied last; if not, that is said.

    Args:
        followed: bet-maker's cursor.
        line: line-provider's database.
        report: takes up what is wrong.
    """
    table = Table(report, "bet-maker", "cursor")
    heads = await line.all("SELECT epoch, seq, at FROM head")
    epochs = [head.epoch for head in heads]
    if followed.epoch not in epochs:
        what = "this line is not the one that is followed"
        table.wrong("cursor-epoch", "id 1", what, followed.epoch, " ".join(map(str, epochs)))
        return False
    items = await line.all("SELECT at FROM feed WHERE seq = :seq", seq=followed.seq)
    if followed.seq == 0 or [item.at for item in items] == [followed.at]:
        return True
    table.wrong(
        "cursor-item",
        "id 1",
        f"the line's item {followed.seq} is not the one that was applied; if the line was restored,"
        " `stakeline bet-maker resync` follows it from where it is",
        instant(followed.at),
        instant(items[0].at) if items else "no such item",
    )
    return False


class Stands(NamedTuple):
    """An event as the log has it at some place; `event` is None where the item cannot be read."""

    event_id: str
    event: Said | None


async def line_at(line: Source, seq: int) -> AsyncIterator[Stands]:
    """Every event as the log had it at `seq`, by id."""
    async for item in line.rows(said.VERSIONS):
        if item.seq <= seq and (item.next_seq is None or item.next_seq > seq):
            yield Stands(item.event_id, said.readable(item.event))


async def verify(bets: Source, followed: Followed, line: Source | None, report: Report) -> None:
    """Check the replica, row by row; without a line by itself only.

    Args:
        bets: bet-maker's database.
        followed: its cursor.
        line: the line that it follows, or None.
        report: takes up what is wrong.
    """
    table = Table(report, bets.name, "events")
    events = source.none() if line is None else line_at(line, followed.seq)
    before: str | None = None
    async for row, stands in source.merged(
        bets.rows(_EVENTS), events, lambda row: row.event_id, lambda stands: stands.event_id
    ):
        if row is None:
            if stands.event is not None:
                what = f"the line has it at seq {followed.seq}"
                table.wrong("replica-complete", stands.event_id, what)
            continue
        report.checked["replica rows"] += 1
        if row.event_id == before:
            table.wrong("replica-single", row.event_id, "has more than one row")
        before = row.event_id
        _verify_row(table, row, followed)
        if followed.standalone:
            _verify_standalone(table, row)
            continue
        _verify_following(table, row, followed)
        if row.frozen:
            report.checked["replica rows that are frozen"] += 1
        if row.epoch != followed.epoch:
            report.checked["replica rows of earlier logs"] += 1
        elif line is not None:
            await _hold_against(line, table, row, stands, followed)


async def _hold_against(
    line: Source, table: Table, row: Row, stands: Stands | None, followed: Followed
) -> None:
    if stands is None:
        what = f"the line does not have it at seq {followed.seq}"
        table.wrong("replica-known", row.event_id, what)
        return
    event = stands.event
    if row.frozen and event is None:
        event = await _frozen_at(line, row.event_id, followed.seq)
    elif row.frozen:
        what = f"is frozen, but what the line said last by seq {followed.seq} can be read"
        table.wrong("replica-frozen", row.event_id, what)
    if event is not None:
        _compare(table, row, event, followed)


async def _frozen_at(line: Source, event_id: str, seq: int) -> Said | None:
    """The newest version by `seq` that can be read, which is what a frozen row keeps."""
    before = seq + 1
    while items := await line.all(_BEFORE, event_id=event_id, before=before):
        (item,) = items
        if (event := said.readable(item.event)) is not None:
            return event
        before = item.seq
    return None


def _compare(table: Table, row: Row, event: Said, followed: Followed) -> None:
    if row.version > event.version:
        # A snapshot's rows may be newer than the place it is of, until the feed has come so far.
        what = "its version is ahead of the cursor, which is so only for a moment after a snapshot"
        table.wrong("replica-ahead", row.event_id, what, row.version, event.version)
        return
    for field in said.FIELDS:
        found, expected = getattr(row, field), getattr(event, field)
        if field == "closed_at" and row.closed_cap is not None:
            expected = min(expected, row.closed_cap)
        if found != expected:
            what = f"{field}, by the line at seq {followed.seq}"
            values = (shown(field, value) for value in (found, expected))
            table.wrong("replica-as-line", row.event_id, what, *values)


def _verify_row(table: Table, row: Row, followed: Followed) -> None:
    try:
        ids.parse_event_id(row.event_id)
    except ValueError as error:
        table.wrong("replica-id", row.event_id, str(error))
    if row.status not in said.STATUSES:
        table.wrong("replica-status", row.event_id, "a status that is none", row.status)
    if row.epoch not in {"", followed.epoch}:
        what = "a log that is not followed"
        table.wrong("replica-epoch", row.event_id, what, row.epoch, followed.epoch)
    for field in ("deadline", "closed_at", "created_at", "updated_at", "closed_cap"):
        at = getattr(row, field)
        if at is None or said.in_time(at) or (followed.standalone and at == clock.LATEST):
            continue
        what = f"{field} is not from 2000 to 2100"
        table.wrong("replica-bounds", row.event_id, what, instant(at))


def _verify_following(table: Table, row: Row, followed: Followed) -> None:
    if row.coefficient is None or not 1 <= row.coefficient <= money.MAX_COEFFICIENT:
        what, expected = "coefficient, in hundredths", f"1 to {money.MAX_COEFFICIENT}"
        table.wrong("replica-bounds", row.event_id, what, row.coefficient, expected)
    if row.version < 1:
        table.wrong("replica-bounds", row.event_id, "version", row.version, "from 1")
    limits = {"deadline": row.deadline, "closing under an earlier log": row.closed_cap}
    for name, limit in limits.items():
        if limit is not None and row.closed_at > limit:
            what = f"closes after its {name}"
            values = (instant(row.closed_at), instant(limit))
            table.wrong("replica-closed", row.event_id, what, *values)
    if followed.snapshot <= 1 and (row.closed_cap is not None or row.epoch == ""):
        what = "is of an earlier log, but none was followed before"
        table.wrong("replica-epoch", row.event_id, what)


def _verify_standalone(table: Table, row: Row) -> None:
    """A standalone event is named by its first bet, and closed by its first result."""
    for field in ("name", "coefficient", "deadline", "closed_cap"):
        what = f"{field} of a standalone event"
        table.same("event-standalone", row.event_id, what, getattr(row, field), None)
    closed_by = {0: clock.LATEST, 1: row.updated_at}.get(row.version)
    wrong = closed_by is not None and row.closed_at != closed_by
    if wrong or (row.status == "NEW") != (row.version == 0) or row.frozen:
        what = "status, version and closed_at do not go together"
        found = f"{row.status} {row.version} {instant(row.closed_at)}"
        table.wrong("event-standalone", row.event_id, what, found)
