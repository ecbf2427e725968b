"""What must be true of the line, whatever happened (I11, I12, I16): told from its log alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.machine.looking import Item, Line
    from tests.system.model import Match


class LineChecks:
    """Checks the items of the log as they come; every method looks at those from `known` on."""

    def __init__(self) -> None:
        self.known = 0
        self.last: dict[str, Item] = {}
        self.decided: dict[str, Item] = {}

    def check(self, line: Line, matches: dict[str, Match]) -> None:
        """All of it; `matches` is what the operators were told."""
        for item, before in zip(
            line.items[self.known :],
            [None, *line.items][self.known : len(line.items)],
            strict=True,
        ):
            self.i11_the_log_has_no_gap(item, before)
            self.i11_closings_are_right(item)
            self.i12_what_was_decided_stays_so(item)
            self.last[item.event_id] = item
        self.known = len(line.items)
        self.i11_the_head_is_the_last_item(line)
        self.the_rows_are_the_last_items(line)
        self.i16_every_change_was_told(line.items, matches)

    def i11_the_log_has_no_gap(self, item: Item, before: Item | None) -> None:
        """I11: seq counts from 1, times rise, and so do the versions of each event."""
        assert item.seq == (before.seq if before else 0) + 1
        assert before is None or item.at > before.at
        last = self.last.get(item.event_id)
        assert item.version == item.event["version"] == (last.version if last else 0) + 1
        assert item.event["event_id"] == item.event_id

    def i11_closings_are_right(self, item: Item) -> None:
        """I11: betting closes at the deadline in force at the latest, and when it was decided."""
        event = item.event
        assert event["closed_at"] <= event["deadline"]
        assert event["status"] == "NEW" or event["closed_at"] <= event["updated_at"]

    def i12_what_was_decided_stays_so(self, item: Item) -> None:
        """I12: after the first result betting never reopens, and the terms are fixed."""
        first = self.decided.get(item.event_id)
        if first is None:
            if item.event["status"] != "NEW":
                self.decided[item.event_id] = item
            return
        for term in ("coefficient", "deadline", "created_at"):
            assert item.event[term] == first.event[term], term
        assert item.event["closed_at"] <= first.event["updated_at"], "betting reopened"

    def i11_the_head_is_the_last_item(self, line: Line) -> None:
        """I11: nothing is in the log that the head does not count, nor the other way."""
        if line.items:
            assert (line.seq, line.at) == (line.items[-1].seq, line.items[-1].at)
        else:
            assert line.seq == 0

    def the_rows_are_the_last_items(self, line: Line) -> None:
        """An event is as its last item says."""
        assert line.events.keys() == self.last.keys()
        for event_id, row in line.events.items():
            event = self.last[event_id].event
            for name in ("name", "coefficient", "deadline", "status", "version", "updated_at"):
                assert getattr(row, name) == event[name], name

    def i16_every_change_was_told(self, items: Sequence[Item], matches: dict[str, Match]) -> None:
        """I16: as many versions as answers that changed something, each as it was told."""
        assert len(items) == sum(match.version for match in matches.values())
        assert {
            event_id: (match.price, match.deadline, match.status, match.closes, match.version)
            for event_id, match in matches.items()
        } == {
            event_id: (
                *(item.event["coefficient"], item.event["deadline"], item.event["status"]),
                *(item.event["closed_at"], item.version),
            )
            for event_id, item in self.last.items()
        }
