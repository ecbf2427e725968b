"""line-provider's database by itself: the log without a gap, and the events as it leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stakeline import ids
from stakeline.verification import said, source
from stakeline.verification.report import Table
from stakeline.verification.said import Said, instant, shown

if TYPE_CHECKING:
    from stakeline.verification.report import Report
    from stakeline.verification.source import Row, Source

SCANS = 2
"""How often the log is read here."""

_LOG = "SELECT seq, at, event_id, version, event FROM feed ORDER BY seq"
_EVENTS = """
SELECT event_id, name, coefficient, deadline, status, decided_at, asked_closed_at, version,
       created_at, updated_at
FROM events ORDER BY event_id COLLATE BINARY
"""


async def verify_line(line: Source, report: Report) -> None:
    """Check all that line-provider's database says of itself.

    Args:
        line: the database.
        report: takes up what is wrong.
    """
    await _verify_log(line, report)
    await _verify_events(line, report)


async def _verify_log(line: Source, report: Report) -> None:
    """Item by item in commit order; then the head, which must be at the last one."""
    table = Table(report, line.name, "feed")
    before: Row | None = None
    async for item in line.rows(_LOG):
        report.checked["feed items"] += 1
        last = 0 if before is None else before.seq
        table.same("feed-gapless", f"seq {item.seq}", f"follows item {last}", item.seq, last + 1)
        if before is not None and item.at <= before.at:
            what = f"is not later than item {last}"
            table.wrong("feed-time", f"seq {item.seq}", what, instant(item.at), instant(before.at))
        _verify_item(table, item, before)
        before = item
    heads = await line.all("SELECT id, epoch, seq, at FROM head")
    table = Table(report, line.name, "head")
    if not heads and before is None:
        return  # migrated, and no service has started on it yet
    table.same("head-single", "id 1", "how many rows there are", len(heads), 1)
    for head in heads:
        last = 0 if before is None else before.seq
        table.same("head-seq", f"id {head.id}", "the seq of the last item", head.seq, last)
        if before is not None and head.at != before.at:
            what = "the time of the last item"
            table.wrong("head-time", f"id {head.id}", what, instant(head.at), instant(before.at))
        if not head.epoch:
            table.wrong("head-epoch", f"id {head.id}", "the log has no name")


def _verify_item(table: Table, item: Row, before: Row | None) -> None:
    key = f"seq {item.seq}"
    if not said.in_time(item.at):
        table.wrong("feed-bounds", key, "its time is not from 2000 to 2100", instant(item.at))
    try:
        event = said.read(item.event)
    except ValueError as error:
        table.wrong("feed-readable", key, f"its event {error}")
        return
    table.same("feed-columns", key, "the id in its event", event.event_id, item.event_id)
    table.same("feed-columns", key, "the version in its event", event.version, item.version)
    # An item carries the instant of its change, or, where the clock was set back, that of the item
    # before and a microsecond more.
    pushed = before is None or before.seq != item.seq - 1 or item.at == before.at + 1
    if event.updated_at != item.at and not (pushed and event.updated_at < item.at):
        what = "updated_at is not the instant of the change"
        table.wrong("feed-instant", key, what, instant(event.updated_at), instant(item.at))


async def _verify_events(line: Source, report: Report) -> None:
    """Event by event: its items from the first to the last, and its row, which must be the last."""
    events = Table(report, line.name, "events")
    history: _History | None = None
    known: str | None = None
    async for item, row in source.merged(
        line.rows(said.VERSIONS),
        _counted(line, events),
        lambda item: item.event_id,
        lambda row: row.event_id,
    ):
        if item is None:
            events.wrong("event-logged", row.event_id, "no item of the log tells of it")
            continue
        if history is None or item.event_id != known:
            if history is not None:
                history.end()
            history, known = _History(report, line.name, item.event_id, row), item.event_id
        history.take(item)
    if history is not None:
        history.end()


async def _counted(line: Source, table: Table) -> Any:  # noqa: ANN401 - a stream of rows
    before: str | None = None
    async for row in line.rows(_EVENTS):
        table.report.checked["events"] += 1
        if row.event_id == before:
            table.wrong("event-single", row.event_id, "has more than one row")
        before = row.event_id
        yield row


class _History:
    """One event's items in order, as far as they have been read."""

    def __init__(self, report: Report, database: str, event_id: str, row: Row | None) -> None:
        self._feed = Table(report, database, "feed")
        self._events = Table(report, database, "events")
        self._event_id = event_id
        self._row = row
        self._version = 0
        self._seq = 0
        self._last: Said | None = None
        self._created_at: int | None = None
        self._decided_at: int | None = None
        self._whole = True
        """Whether every item could be read so far: else the first result may have been missed."""

    def take(self, item: Row) -> None:
        """The event's next item."""
        key = f"seq {item.seq}"
        expected = self._version + 1
        if item.version != expected:
            what = f"the version of {self._event_id} that follows {self._version}"
            self._feed.wrong("version-gapless", key, what, item.version, expected)
            self._whole, self._last = False, None
        if item.seq <= self._seq:
            what = f"{self._event_id} has an earlier version after it"
            self._feed.wrong("version-order", key, what, item.version)
        if item.by == "auto-result" and self._decided_at is not None:
            what = f"auto-result has decided {self._event_id}, which was decided"
            self._feed.wrong("auto-result", key, what)
        self._version, self._seq = item.version, item.seq
        event = said.readable(item.event)
        if event is None:
            self._whole = False
        else:
            self._compare(key, event)
        self._last = event

    def _compare(self, key: str, event: Said) -> None:
        before = self._last
        if self._created_at is None and self._whole:
            self._created_at = event.updated_at
        if self._created_at is not None:
            self._same(key, event, "created_at", self._created_at, "event-created")
        if before is None and self._whole:
            self._same(key, event, "status", "NEW", "event-begins")
        if self._decided_at is None and event.status != "NEW":
            self._decided_at = event.updated_at
        if before is not None and self._decided_at is not None:
            for field in ("coefficient", "deadline"):
                self._same(key, event, field, getattr(before, field), "terms-fixed")
        self._compare_closing(key, event)

    def _compare_closing(self, key: str, event: Said) -> None:
        limits = {"deadline": event.deadline}
        if self._whole and self._decided_at is None:
            self._same(key, event, "closed_at", event.deadline, "closed-at-deadline")
            return
        if self._whole and self._decided_at is not None:
            limits["first result"] = self._decided_at
        for name, limit in limits.items():
            if event.closed_at > limit:
                what = f"{self._event_id} closes after its {name}"
                self._feed.wrong("closed-late", key, what, instant(event.closed_at), instant(limit))

    def _same(self, key: str, event: Said, field: str, expected: object, check: str) -> None:
        found = getattr(event, field)
        if found != expected:
            what = f"{field} of {self._event_id}"
            self._feed.wrong(check, key, what, shown(field, found), shown(field, expected))

    def end(self) -> None:
        """There are no more items: compare the event's row with the last."""
        row, last, table = self._row, self._last, self._events
        if row is None:
            table.wrong("event-kept", self._event_id, f"item {self._seq} tells of it, no row does")
            return
        _verify_row(table, row)
        if last is None:
            return
        for field in said.FIELDS:
            if field != "closed_at" and getattr(row, field) != getattr(last, field):
                what = f"{field}, by item {self._seq}"
                found, expected = (shown(field, getattr(one, field)) for one in (row, last))
                table.wrong("event-as-logged", row.event_id, what, found, expected)
        if self._whole and row.decided_at != self._decided_at:
            what = "decided_at, by the first result in the log"
            found, expected = instant(row.decided_at), instant(self._decided_at)
            table.wrong("event-decided", row.event_id, what, found, expected)
        limits = (row.deadline, row.decided_at, row.asked_closed_at)
        closed_at = min(limit for limit in limits if limit is not None)
        if closed_at != last.closed_at:
            what = f"closed_at by its row, and by item {self._seq}"
            table.wrong(
                "event-closed", row.event_id, what, instant(closed_at), instant(last.closed_at)
            )


def _verify_row(table: Table, row: Row) -> None:
    try:
        ids.parse_event_id(row.event_id)
    except ValueError as error:
        table.wrong("event-id", row.event_id, str(error))
    for field in ("deadline", "decided_at", "asked_closed_at", "created_at", "updated_at"):
        at = getattr(row, field)
        if at is not None and not said.in_time(at):
            what = f"{field} is not from 2000 to 2100"
            table.wrong("event-bounds", row.event_id, what, instant(at))
    if row.asked_closed_at is not None and row.decided_at is None:
        what = "an operator's closed_at, but no result was ever given"
        table.wrong("event-decided", row.event_id, what, instant(row.asked_closed_at))
