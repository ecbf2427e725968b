"""Each kind of damage to the bets is found, by name, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases import ENGINE, url_of
from tests.verification.damage import Damage, bet, bets, check, do, event, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played

OTHER_ID = "00000000-0000-4000-8000-000000000000"


def of_kind(column: str, kind: str) -> str:
    """SQL after which a column of the bets takes values of this kind; SQLite's take any."""
    if ENGINE == "sqlite":
        return ""
    return f"ALTER TABLE bets ALTER {column} TYPE {kind};"


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
        "receipt-behind {won}",
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
    "a seq before its version": bets(
        bet("won", "feed_seq = 0"), "receipt-seq {won}", "receipt-behind {won}"
    ),
    "heard long after its seq": bets(
        bet("exact", "placed_at = {at_won_2} + 1, fix_at = {at_won_2} + 1"),
        "bet-id {exact}",
        "receipt-behind {exact}",
    ),
    "heard when the next item but one was begun": bets(
        bet("exact", "placed_at = {at_won_2}, fix_at = {at_won_2}"), "bet-id {exact}"
    ),
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
    "a time that is no whole number": bets(
        of_kind("placed_at", "numeric") + bet("won", "placed_at = placed_at + 0.5"),
        "column-kind ",
    ),
    "a number that is none": bets(
        of_kind("amount", "text") + bet("won", "amount = 'ten'"), "column-kind "
    ),
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


@pytest.mark.parametrize(("heard_at", "behind"), [("{at_moved_2} + 3", 0), ("{at_off_2} + 1", 1)])
def test_items_of_one_transaction(
    season_played: Played, heard_at: str, behind: int, tmp_path: Path
) -> None:
    """Items 12 to 14, a microsecond apart, may be committed much later; item 15 tells they were."""
    labels = season_played.copied(tmp_path).labels
    apart = "UPDATE feed SET at = {at_moved_2} + seq - 12 WHERE seq IN (13, 14)"
    do(url_of(tmp_path, LINE), apart.format(**labels))
    heard = bet("exact", f"placed_at = {heard_at}, fix_at = {heard_at}")
    do(url_of(tmp_path, BETS), heard.format(**labels))
    _, report = verify(tmp_path)
    assert report["counts"].get("receipt-behind", 0) == behind
