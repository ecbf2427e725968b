"""Each kind of damage to the replica or the cursor is found, by name, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.verification.damage import Damage, bet, bets, check, event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played

KINDS = {
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
    "frozen, though the line can be read": bets(event("won", "frozen = 1"), "replica-frozen won"),
    "frozen as it was before": bets(
        event("quiet", "frozen = 1, version = 2"), "replica-frozen quiet", "replica-as-line quiet"
    ),
    "frozen before its result": bets(
        event(
            "won",
            "frozen = 1, status = 'NEW', version = 1, closed_at = deadline,"
            " updated_at = created_at",
        ),
        "replica-frozen won",
        "replica-as-line won",
        "bet-status {won}",
        "bet-payout {won}",
        "bet-status {half}",
        "bet-payout {half}",
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


@pytest.mark.parametrize("damage", RESYNC.values(), ids=RESYNC.keys())
def test_damage_after_a_resync(resync_played: Played, damage: Damage, tmp_path: Path) -> None:
    """What an earlier log left is told apart, and verified as far as it can be."""
    check(resync_played.copied(tmp_path), damage)
