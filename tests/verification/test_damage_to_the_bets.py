"""Each kind of damage to bet-maker's database is found, by name, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.verification.damage import Damage, check
from tests.verification.season import BETS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played


def bets(does: str, *found: str) -> Damage:
    """Damage to bet-maker's database."""
    return Damage(BETS, does, found)


def bet(label: str, change: str) -> str:
    """SQL that changes a bet."""
    return f"UPDATE bets SET {change} WHERE bet_id = '{{{label}}}'"  # noqa: S608


def event(event_id: str, change: str) -> str:
    """SQL that changes an event's row in the replica."""
    return f"UPDATE events SET {change} WHERE event_id = '{event_id}'"  # noqa: S608


OTHER_ID = "00000000-0000-4000-8000-000000000000"

KINDS = {
    "a bet of nothing": bets(bet("lost", "amount = 0"), "bet-bounds {lost}"),
    "a bet of too much": bets(bet("lost", "amount = 100000000000"), "bet-bounds {lost}"),
    "another price": bets(bet("won", "coefficient = 999"), "receipt-price {won}"),
    "a price that was not asked for": bets(
        bet("half", "asked_coefficient = 200"), "bet-price {half}"
    ),
    "a price worse than asked for": bets(
        bet("better", "asked_coefficient = 300"), "bet-price {better}"
    ),
    "a price that cannot be": bets(
        bet("lost", "coefficient = 1000001"), "bet-bounds {lost}", "receipt-price {lost}"
    ),
    "no price": bets(
        bet("lost", "coefficient = NULL"), "bet-priced {lost}", "receipt-price {lost}"
    ),
    "exactly what nobody asked for": bets(bet("won", "accept = 'exact'"), "bet-accept {won}"),
    "a way to accept that is none": bets(bet("won", "accept = 'none'"), "bet-accept {won}"),
    "placed at another instant": bets(
        bet("won", "placed_at = placed_at - 1000, fix_at = fix_at - 1000"), "bet-id {won}"
    ),
    "placed long after the line was heard": bets(
        bet("early", "placed_at = placed_at + 6000000"), "bet-id {early}", "bet-fresh {early}"
    ),
    "placed after closing": bets(
        bet("won", "placed_at = 3900000000000000, fix_at = 3900000000000000"),
        "bet-id {won}",
        "receipt-open {won}",
    ),
    "placed in 1970": bets(
        bet("won", "placed_at = 1, fix_at = 1"), "bet-id {won}", "bet-bounds {won}"
    ),
    "heard after it was placed": bets(bet("won", "fix_at = placed_at + 1"), "bet-fresh {won}"),
    "heard 5 s and more before": bets(
        bet("won", "fix_at = placed_at - 5000001"), "bet-fresh {won}"
    ),
    "another kind of id": bets(bet("lost", f"bet_id = '{OTHER_ID}'"), f"bet-id {OTHER_ID}"),
    "an id in capitals": bets(bet("lost", "bet_id = upper(bet_id)"), "bet-id {LOST}"),
    "a version that is still to come": bets(
        bet("won", "event_version = 99"), "bet-version {won}", "receipt-version {won}"
    ),
    "no version": bets(
        bet("won", "event_version = 0"), "bet-version {won}", "receipt-version {won}"
    ),
    "an older version, with its price": bets(
        bet("exact", "event_version = 1"), "receipt-seq {exact}", "receipt-price {exact}"
    ),
    "a version with the result": bets(
        bet("won", "event_version = 2"), "receipt-seq {won}", "receipt-open {won}"
    ),
    "a version that closed before": bets(
        bet("moved", "event_version = 2, feed_seq = (SELECT seq FROM cursor)"),
        "receipt-open {moved}",
    ),
    "a seq before its version": bets(bet("won", "feed_seq = 0"), "receipt-seq {won}"),
    "a seq after its version": bets(
        bet("won", "feed_seq = (SELECT seq FROM cursor)"), "receipt-seq {won}"
    ),
    "a seq that was not reached": bets(bet("exact", "feed_seq = 999"), "bet-seq {exact}"),
    "a snapshot that was not taken": bets(bet("won", "snapshot = 2"), "bet-snapshot {won}"),
    "no snapshot": bets(bet("won", "snapshot = 0"), "bet-snapshot {won}"),
    "a key used twice": bets(bet("half", "key = 'k1'"), "key-unique {won}"),
    "a key that cannot be": bets(bet("won", "key = 'k 1'"), "key-formed {won}"),
    "a bet twice": bets(
        "INSERT INTO bets SELECT * FROM bets WHERE bet_id = '{lost}'", "bet-unique {lost}"
    ),
    "nobody's bet": bets(bet("won", "user_id = 7"), "bet-user {won}"),
    "a bet on nothing": bets(
        bet("won", "event_id = 'ghost'"), "bet-event {won}", "receipt-version {won}"
    ),
    "a bet on another event": bets(bet("won", "event_id = 'lost'"), "receipt-price {won}"),
    "another result": bets(
        event("lost", "status = 'WIN'"),
        "replica-as-line lost",
        "bet-status {lost}",
        "bet-payout {lost}",
    ),
    "a result that is none": bets(
        event("lost", "status = 'DRAW'"),
        "replica-status lost",
        "replica-as-line lost",
        "bet-status {lost}",
        "bet-payout {lost}",
    ),
    "a correction that did not arrive": bets(
        event("corrected", "status = 'LOSE', version = 2"),
        "replica-as-line corrected",
        "bet-status {corrected}",
        "bet-payout {corrected}",
    ),
    "closed later, so that a late bet wins": bets(
        event("late", "closed_at = closed_at + 1"),
        "replica-as-line late",
        "bet-status {late}",
        "bet-payout {late}",
    ),
    "closed earlier, so that a bet is void": bets(
        event("won", "closed_at = 946684800000000"),
        "replica-as-line won",
        "bet-status {won}",
        "bet-payout {won}",
        "bet-status {half}",
        "bet-payout {half}",
    ),
    "closed after the deadline": bets(
        event("quiet", "closed_at = deadline + 1"), "replica-as-line quiet", "replica-closed quiet"
    ),
    "closed in 1970": bets(
        event("quiet", "closed_at = 1"), "replica-as-line quiet", "replica-bounds quiet"
    ),
    "the replica's other price": bets(event("quiet", "coefficient = 999"), "replica-as-line quiet"),
    "the replica's impossible price": bets(
        event("quiet", "coefficient = 0"), "replica-as-line quiet", "replica-bounds quiet"
    ),
    "the replica's other name": bets(event("quiet", "name = 'Q'"), "replica-as-line quiet"),
    "a version newer than the cursor": bets(event("quiet", "version = 4"), "replica-ahead quiet"),
    "a version of nothing": bets(
        event("quiet", "version = 0"), "replica-as-line quiet", "replica-bounds quiet"
    ),
    "an event is missing": bets(
        "DELETE FROM events WHERE event_id = 'quiet'", "replica-complete quiet"
    ),
    "an event that the line does not have": bets(
        event("quiet", "event_id = 'ghost'"), "replica-complete quiet", "replica-known ghost"
    ),
    "an event with an impossible id": bets(
        event("quiet", "event_id = 'a b'"),
        "replica-complete quiet",
        "replica-known a b",
        "replica-id a b",
    ),
    "an event twice": bets(
        "INSERT INTO events SELECT * FROM events WHERE event_id = 'quiet'", "replica-single quiet"
    ),
    "a row that no log vouches for": bets(event("quiet", "epoch = ''"), "replica-epoch quiet"),
    "a row of another log": bets(event("quiet", "epoch = 'other'"), "replica-epoch quiet"),
    "a row that an earlier log closed": bets(
        event("quiet", "closed_cap = 946684800000000"),
        "replica-epoch quiet",
        "replica-closed quiet",
        "replica-as-line quiet",
    ),
    "a frozen row that is not as it was": bets(
        event("quiet", "frozen = 1, version = 2"), "replica-as-line quiet"
    ),
    "the cursor is behind its rows": bets(
        "UPDATE cursor SET seq = seq - 1, at = {at_quiet_2}", "replica-ahead quiet"
    ),
    "the cursor is at another item": bets("UPDATE cursor SET at = at + 1", "cursor-item id 1"),
    "the cursor is ahead of the line": bets("UPDATE cursor SET seq = 999", "cursor-item id 1"),
    "no cursor": bets("DELETE FROM cursor", "cursor-single id 1"),
    "two cursors": bets("INSERT INTO cursor SELECT * FROM cursor", "cursor-single id 1"),
    "a mode that is none": bets("UPDATE cursor SET mode = 'leading'", "cursor-mode id 1"),
    "a cursor without a snapshot": bets(
        "UPDATE cursor SET snapshot = 0; UPDATE bets SET snapshot = 0; DELETE FROM bets"
        " WHERE bet_id <> '{won}'",
        "cursor-sound id 1",
        "bet-snapshot {won}",
    ),
    "a time that is no whole number": bets(
        bet("won", "placed_at = placed_at + 0.5"), "column-kind "
    ),
    "a number that is none": bets(bet("won", "amount = 'ten'"), "column-kind "),
}

STANDALONE = {
    "a price": bets(bet("won", "coefficient = 200"), "bet-priced {won}"),
    "heard from somebody": bets(bet("won", "fix_at = fix_at - 1"), "bet-standalone {won}"),
    "taken after the result": bets(bet("won", "event_version = 1"), "bet-standalone {won}"),
    "a seq": bets(bet("won", "feed_seq = 1"), "bet-standalone {won}"),
    "an event with a deadline": bets(
        event("open", "deadline = 3900000000000000"), "event-standalone open"
    ),
    "an event closed without a result": bets(
        event("open", "closed_at = 3900000000000000"), "event-standalone open"
    ),
    "an event decided without a version": bets(
        event("open", "status = 'WIN'"), "event-standalone open"
    ),
    "an event closed at another instant": bets(
        event("won", "closed_at = closed_at - 1"), "event-standalone won"
    ),
    "a bet twice with one key": bets(
        "UPDATE bets SET key = 'k' WHERE bet_id IN ('{won}', '{lost}')", "key-unique {won}"
    ),
    "a cursor that follows": bets("UPDATE cursor SET seq = 4", "cursor-sound id 1"),
}

RESYNC = {
    "a capped row opens again": bets(
        event("again", "closed_at = deadline"),
        "replica-as-line again",
        "replica-closed again",
    ),
    "placed after an earlier log closed it, which makes it void": bets(
        "UPDATE bets SET placed_at = closed_cap, fix_at = closed_cap FROM events"
        " WHERE bet_id = '{again}' AND events.event_id = 'again'",
        "bet-id {again}",
    ),
    "a row's cap is gone": bets(event("again", "closed_cap = NULL"), "replica-as-line again"),
    "a bet of now counted as one of before": bets(
        bet("after", "snapshot = 3"), "bet-snapshot {after}"
    ),
    "a new bet's other price": bets(bet("after", "coefficient = 999"), "receipt-price {after}"),
    "an old bet's other time": bets(
        bet("settled", "fix_at = placed_at + 1"), "bet-fresh {settled}"
    ),
    "an old row's late closing": bets(
        event("settled", "closed_at = deadline + 1"), "replica-closed settled"
    ),
}


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS.keys())
def test_damage_is_found(season_played: Played, damage: Damage, tmp_path: Path) -> None:
    """The very rows are named."""
    check(season_played.copied(tmp_path), damage)


@pytest.mark.parametrize("damage", STANDALONE.values(), ids=STANDALONE.keys())
def test_damage_to_a_standalone_bet_maker(
    standalone_played: Played, damage: Damage, tmp_path: Path
) -> None:
    """There is no line to hold it against, but it has rules of its own."""
    check(standalone_played.copied(tmp_path), damage, "--only", "bet-maker")


@pytest.mark.parametrize("damage", RESYNC.values(), ids=RESYNC.keys())
def test_damage_after_a_resync(resync_played: Played, damage: Damage, tmp_path: Path) -> None:
    """What an earlier log left is told apart, and verified as far as it can be."""
    check(resync_played.copied(tmp_path), damage)
