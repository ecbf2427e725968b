"""What must be true of bets, whatever happened: read from both databases and the log of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.machine.line_checks import LineChecks
from tests.machine.looking import Bets, Line, Row, Tables
from tests.system.checker import instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.machine.oracle import Ear, Told
    from tests.system.model import Match

UNKNOWN = {"unavailable", "overloaded"}
"""Codes after which a bet may have been made."""
REPLICATED = (
    "name coefficient deadline status closed_at version created_at updated_at".split()  # noqa: SIM905
)


def fate(bet: Row, event: Any) -> tuple[str, int | None]:  # noqa: ANN401 - a row or an item's
    """Status and payout of a bet, given its event: the promise, half a cent rounded up."""
    if bet.placed_at >= event["closed_at"] or event["status"] == "VOID":
        return "VOID", bet.amount
    hundredths = bet.amount * bet.coefficient
    won = hundredths // 100 + (hundredths % 100 >= 50)
    return {"NEW": ("PENDING", None), "WIN": ("WON", won), "LOSE": ("LOST", 0)}[event["status"]]


class Checker:
    """Looks at everything after each step.

    Attributes:
        line: line-provider's database, as it was last seen.
        bets: bet-maker's database, as it was last seen.
        told: every answer about a bet.
        made_at: the true time at which each bet was asked for.
        snapshot: the version of each event in the snapshot that was applied.
    """

    def __init__(self, line: Path, bets: Path) -> None:
        self._line, self._bets = Tables(line), Tables(bets)
        self.line, self.bets, self.before = Line(), Bets(), Bets()
        self.line_checks = LineChecks()
        self.told: list[Told] = []
        self.made_at: dict[str, int] = {}
        self.snapshot: dict[str, int] = {}
        self._checked = 0

    def close(self) -> None:
        """Close both databases."""
        self._line.close()
        self._bets.close()

    def look(self) -> Bets:
        """bet-maker's database as it now is, for who wants to know before the next check."""
        return Bets.read(self._bets)

    def check(self, matches: dict[str, Match], ears: Sequence[Ear]) -> None:
        """Everything that must hold at any time."""
        self.line.read(self._line)
        self.before, self.bets = self.bets, Bets.read(self._bets)
        self.line_checks.check(self.line, matches)
        self.i9_nothing_goes_back()
        self.i10_the_replica_is_the_line_at_the_cursor()
        self.bets_never_change()
        new = [bet for bet_id, bet in self.bets.bets.items() if bet_id not in self.before.bets]
        answers = self.told[self._checked :]
        for bet in new:
            maker = self.i2_a_bet_was_asked_for(bet, answers)
            self.i4_no_bet_looks_earlier_than_it_was(bet, ears[maker.maker], maker.at)
            self.i5_it_was_taken_on_an_open_event(bet)
            self.i15_the_line_had_just_been_heard(ears[maker.maker], maker.at)
        for told in answers:
            self.i1_what_was_acknowledged_is_there(told)
            self.i2_what_was_refused_is_not(told)
            self.i3_a_key_names_one_bet(told)
        self._checked = len(self.told)
        self.i4_no_late_bet_counts()

    def i9_nothing_goes_back(self) -> None:
        """I9: the cursor and the versions only rise, and never beyond the head."""
        before, now = self.before, self.bets
        if before.epoch is not None:
            assert now.epoch == before.epoch
            assert (now.seq, now.at) >= (before.seq, before.at)
        assert now.seq <= self.line.seq
        if now.seq:
            assert now.at == self.line.items[now.seq - 1].at
        for event_id, event in before.events.items():
            assert now.events[event_id].version >= event.version

    def i10_the_replica_is_the_line_at_the_cursor(self) -> None:
        """I10: each event is, field by field, as the log says up to the cursor.

        A snapshot's rows may be newer than the place where the feed goes on from it.
        """
        versions = dict(self.snapshot)
        for item in self.line.items[: self.bets.seq]:
            versions[item.event_id] = max(item.version, versions.get(item.event_id, 0))
        shown = {event_id: row.version for event_id, row in self.bets.events.items()}
        assert shown == (versions if self.bets.epoch else {})
        if self.bets.events == self.before.events:
            return
        said = {(item.event_id, item.version): item.event for item in self.line.items}
        for row in self.bets.events.values():
            event = said[row.event_id, row.version]
            for name in REPLICATED:
                assert getattr(row, name) == event[name], name
            assert (row.epoch, row.frozen, row.closed_cap) == (self.line.epoch, 0, None)

    def bets_never_change(self) -> None:
        """I1: a bet that is there stays there as it is."""
        for bet_id, bet in self.before.bets.items():
            assert self.bets.bets.get(bet_id) == bet, "a bet was changed or lost"

    def i2_a_bet_was_asked_for(self, bet: Row, answers: Iterable[Told]) -> Told:
        """I2: who asked just now for the bet that is new, and was told 201, or does not know."""
        asked = [
            told
            for told in answers
            if told.slip.cents == bet.amount and (told.status == 201 or told.verdict in UNKNOWN)
        ]
        assert asked, "a bet that nobody asked for, or that was refused"
        maker = next((told for told in asked if told.verdict == "made"), asked[0])
        assert maker.slip.same_as(bet), "not what was asked for"
        assert bet.key == maker.slip.key
        self.made_at[bet.bet_id] = maker.at
        return maker

    def i1_what_was_acknowledged_is_there(self, told: Told) -> None:
        """I1: an acknowledged bet exists, once, as it was acknowledged."""
        if told.status != 201:
            return
        (bet,) = [bet for bet in self.bets.bets.values() if bet.amount == told.slip.cents]
        assert bet.bet_id == told.body["bet_id"]
        assert told.slip.same_as(bet)
        assert shown_as(bet) == bet_units(told.body)
        if told.verdict == "made":
            assert bet.bet_id not in self.before.bets

    def i2_what_was_refused_is_not(self, told: Told) -> None:
        """I2: a 4xx made no bet; what is there of that stake was there before."""
        if 400 <= told.status < 500 or told.verdict == "feed_stale":
            made = [bet for bet in self.bets.bets.values() if bet.amount == told.slip.cents]
            assert all(bet.bet_id in self.before.bets for bet in made) or any(
                other.verdict == "made" and other.slip == told.slip
                for other in self.told[self._checked :]
            )

    def i3_a_key_names_one_bet(self, told: Told) -> None:
        """I3: whoever comes with a used key gets its bet if they ask for the same, else 422."""
        keys = [bet.key for bet in self.bets.bets.values() if bet.key is not None]
        assert len(keys) == len(set(keys))
        old = None if told.slip.key is None else self.before.by_key.get(told.slip.key)
        if old is None or told.verdict in UNKNOWN:
            return
        if told.slip.same_as(old):
            assert (told.verdict, told.body["bet_id"]) == ("replayed", old.bet_id)
        else:
            assert told.verdict == "idempotency_key_reused"

    def i4_no_bet_looks_earlier_than_it_was(self, bet: Row, ear: Ear, at: int) -> None:
        """I4: `placed_at` is not before the true time, nor later than the fix's round trip."""
        assert bet.placed_at >= at, "a bet counts as placed before it was"
        assert bet.placed_at == ear.placed_at(at)
        assert ear.fix is not None
        assert bet.fix_at == ear.fix.received_at

    def i4_no_late_bet_counts(self) -> None:
        """I4: no bet that was asked for at the closing or later, by true time, wins or loses."""
        for bet in self.bets.bets.values():
            event = self.bets.events[bet.event_id]
            said = {"closed_at": event.closed_at, "status": event.status}
            if fate(bet, said)[0] not in {"WON", "LOST"}:
                continue
            assert self.made_at[bet.bet_id] < event.closed_at
            decided = self.line_checks.decided[bet.event_id]
            assert self.made_at[bet.bet_id] < decided.event["updated_at"]

    def i5_it_was_taken_on_an_open_event(self, bet: Row) -> None:
        """I5: the replica showed the event open, at the version and price that the bet names."""
        event = self.before.events[bet.event_id]
        assert (event.status, event.frozen, event.epoch) == ("NEW", 0, self.before.epoch)
        assert bet.placed_at < event.closed_at
        assert (bet.event_version, bet.coefficient) == (event.version, event.coefficient)
        assert (bet.feed_seq, bet.snapshot) == (self.before.seq, self.before.snapshot)
        if bet.accept == "exact":
            assert bet.coefficient == bet.asked_coefficient
        if bet.accept == "better":
            assert bet.coefficient >= bet.asked_coefficient

    def i15_the_line_had_just_been_heard(self, ear: Ear, at: int) -> None:
        """I15: no bet is taken on a fix that is older than 5 s."""
        assert ear.fresh(at)

    def i6_i8_bets_stand_as_the_events_say(self, listed: Sequence[dict[str, Any]]) -> None:
        """I6, I8: `GET /bets` lists every bet once, newest first, as its event says it stands."""
        bets = [self.bets.bets[bet_id] for bet_id in sorted(self.bets.bets, reverse=True)]
        assert [body["bet_id"] for body in listed] == [bet.bet_id for bet in bets]
        paid: dict[str, int] = {}
        for body, bet in zip(listed, bets, strict=True):
            event = self.bets.events[bet.event_id]
            said = fate(bet, {"closed_at": event.closed_at, "status": event.status})
            assert bet_units(body) == shown_as(bet)
            assert (body["status"], body["payout"]) == said
            paid[body["status"]] = paid.get(body["status"], 0) + body["amount"]
        assert sum(paid.values()) == sum(bet.amount for bet in bets), "money was lost or made"

    def i6_i10_all_is_settled(self) -> None:
        """I6, I10: at rest the replica is the line, and each bet stands as line-provider says."""
        assert (self.bets.epoch, self.bets.seq) == (self.line.epoch, self.line.seq)
        assert self.bets.events.keys() == self.line.events.keys()
        for bet in self.bets.bets.values():
            event = self.bets.events[bet.event_id]
            said = {"closed_at": event.closed_at, "status": event.status}
            assert fate(bet, said) == fate(bet, self.line_checks.last[bet.event_id].event)


def bet_units(body: dict[str, Any]) -> tuple[Any, ...]:
    """What never changes of a bet's body, in the database's units."""
    names = ("bet_id", "event_id", "amount", "coefficient", "placed_at", "event_version")
    return tuple(instant(body[name]) if name == "placed_at" else body[name] for name in names)


def shown_as(bet: Row) -> tuple[Any, ...]:
    """The same of a row."""
    return (
        *(bet.bet_id, bet.event_id, bet.amount, bet.coefficient, bet.placed_at),
        bet.event_version,
    )
