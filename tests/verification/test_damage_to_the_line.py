"""Each kind of damage to line-provider's database is found, by name, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.verification.damage import Damage, check
from tests.verification.season import LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played


def said(item: str, field: str, value: str) -> str:
    """SQL that has an item say something else of its event; `value` is SQL."""
    change = f"json_set(event, '$.{field}', {value})"
    return f"UPDATE feed SET event = {change} WHERE 'seq ' || seq = '{{{item}}}'"  # noqa: S608


def line(does: str, *found: str) -> Damage:
    """Damage to line-provider's database."""
    return Damage(LINE, does, found)


def event(change: str, event_id: str) -> str:
    """SQL that changes an event's row."""
    return f"UPDATE events SET {change} WHERE event_id = '{event_id}'"  # noqa: S608


KINDS = {
    "the head is ahead": line("UPDATE head SET seq = seq + 1", "head-seq id 1"),
    "the head is behind": line("UPDATE head SET seq = seq - 1", "head-seq id 1"),
    "the head has another time": line("UPDATE head SET at = at + 1", "head-time id 1"),
    "two heads": line("INSERT INTO head SELECT 2, epoch, seq, at FROM head", "head-single id 1"),
    "no head": line("DELETE FROM head", "head-single id 1", "cursor-epoch id 1"),
    "another log": line("UPDATE head SET epoch = 'other'", "cursor-epoch id 1"),
    "a log without a name": line(
        "UPDATE head SET epoch = ''", "head-epoch id 1", "cursor-epoch id 1"
    ),
    "an item is gone from the middle": line(
        "DELETE FROM feed WHERE event_id = 'quiet' AND version = 2",
        "feed-gapless {quiet_3}",
        "version-gapless {quiet_3}",
    ),
    "the last item is gone": line(
        "DELETE FROM feed WHERE event_id = 'quiet' AND version = 3",
        "head-seq id 1",
        "head-time id 1",
        "event-as-logged quiet",
        "cursor-item id 1",
    ),
    "an event's only item is gone": line(
        "DELETE FROM feed WHERE event_id = 'plain'",
        "feed-gapless {quiet_1}",
        "event-logged plain",
        "replica-known plain",
    ),
    "an item is there twice": line(
        "INSERT INTO feed SELECT * FROM feed WHERE event_id = 'quiet' AND version = 2",
        "feed-gapless {quiet_2}",
        "feed-time {quiet_2}",
        "version-gapless {quiet_2}",
        "version-order {quiet_2}",
    ),
    "an item as old as the one before": line(
        "UPDATE feed SET at = (SELECT b.at FROM feed b WHERE b.seq = feed.seq - 1)"
        " WHERE event_id = 'quiet' AND version = 2",
        "feed-time {quiet_2}",
        "feed-instant {quiet_2}",
    ),
    "an item of 1970": line(
        "UPDATE feed SET at = 1 WHERE seq = 1", "feed-bounds {won_1}", "feed-instant {won_1}"
    ),
    "an item is cut off": line(
        "UPDATE feed SET event = substr(event, 1, 20) WHERE 'seq ' || seq = '{quiet_2}'",
        "feed-readable {quiet_2}",
    ),
    "an item by which bets were judged is cut off": line(
        "UPDATE feed SET event = substr(event, 1, 20) WHERE seq = 1", "feed-readable {won_1}"
    ),
    "the first item of an event is missing": line(
        "DELETE FROM feed WHERE event_id = 'off' AND version = 1",
        "feed-gapless {corrected_1}",
        "version-gapless {off_2}",
        "receipt-version {off}",
    ),
    "decided twice by auto-result": line(
        "UPDATE feed SET \"by\" = 'auto-result' WHERE event_id = 'corrected' AND version > 1",
        "auto-result {corrected_3}",
    ),
    "an item is a list": line(
        "UPDATE feed SET event = '[]' WHERE 'seq ' || seq = '{quiet_2}'",
        "feed-readable {quiet_2}",
    ),
    "an item lacks a field": line(
        "UPDATE feed SET event = json_remove(event, '$.deadline')"
        " WHERE 'seq ' || seq = '{quiet_2}'",
        "feed-readable {quiet_2}",
    ),
    "an item has a field twice": line(
        "UPDATE feed SET event = replace(event, '{{', '{{\"version\":2,')"
        " WHERE 'seq ' || seq = '{quiet_2}'",
        "feed-readable {quiet_2}",
    ),
    "a price of nothing": line(said("quiet_2", "coefficient", "0"), "feed-readable {quiet_2}"),
    "a price of tenths of cents": line(
        said("quiet_2", "coefficient", "2.005"), "feed-readable {quiet_2}"
    ),
    "a price in words": line(said("quiet_2", "coefficient", "'2.50'"), "feed-readable {quiet_2}"),
    "a status that is none": line(said("quiet_2", "status", "'DRAW'"), "feed-readable {quiet_2}"),
    "a name of two lines": line(said("quiet_2", "name", "'Quiet\n'"), "feed-readable {quiet_2}"),
    "an id that is none": line(said("quiet_2", "event_id", "'a b'"), "feed-readable {quiet_2}"),
    "an item tells of another event": line(
        said("quiet_2", "event_id", "'plain'"), "feed-columns {quiet_2}"
    ),
    "an event's last item tells of another one": line(
        said("quiet_3", "event_id", "'plain'"), "feed-columns {quiet_3}"
    ),
    "an item tells of another version": line(
        said("quiet_2", "version", "7"), "feed-columns {quiet_2}"
    ),
    "two versions have changed places": line(
        "UPDATE feed SET version = 5 - version WHERE event_id = 'quiet' AND version > 1",
        "version-order {quiet_2}",
        "feed-columns {quiet_2}",
        "feed-columns {quiet_3}",
        "event-as-logged quiet",
        "replica-ahead quiet",
    ),
    "a change at another instant": line(
        said("quiet_2", "updated_at", "'2026-01-01T00:00:00Z'"), "feed-instant {quiet_2}"
    ),
    "another birthday": line(
        said("quiet_2", "created_at", "'2026-01-01T00:00:00Z'"), "event-created {quiet_2}"
    ),
    "decided from the start": line(
        said("plain_1", "status", "'WIN'"),
        "event-begins {plain_1}",
        "closed-late {plain_1}",
        "event-as-logged plain",
        "event-decided plain",
        "replica-as-line plain",
    ),
    "closed after the first result": line(
        said("won_2", "closed_at", "'2089-01-01T00:00:00Z'"), "closed-late {won_2}"
    ),
    "closed after the deadline": line(
        said("won_2", "closed_at", "'2099-01-01T00:00:00Z'"), "closed-late {won_2}"
    ),
    "closed before the deadline, without a result": line(
        said("quiet_2", "closed_at", "'2026-01-01T00:00:00Z'"), "closed-at-deadline {quiet_2}"
    ),
    "another price after the result": line(
        said("won_3", "coefficient", "3.00"),
        "terms-fixed {won_3}",
        "event-as-logged won",
        "replica-as-line won",
    ),
    "another price with the result": line(
        said("won_2", "coefficient", "3.00"), "terms-fixed {won_2}", "terms-fixed {won_3}"
    ),
    "another deadline after the result": line(
        said("won_3", "deadline", "'2089-01-01T00:00:00Z'"),
        "terms-fixed {won_3}",
        "event-as-logged won",
        "replica-as-line won",
    ),
    "an event's row is gone": line(
        "DELETE FROM events WHERE event_id = 'quiet'", "event-kept quiet"
    ),
    "an event that nobody told of": line(
        "INSERT INTO events SELECT 'ghost', name, coefficient, deadline, status, decided_at,"
        " asked_closed_at, version, created_at, updated_at FROM events WHERE event_id = 'quiet'",
        "event-logged ghost",
    ),
    "an event is there twice": line(
        "INSERT INTO events SELECT * FROM events WHERE event_id = 'quiet'", "event-single quiet"
    ),
    "an event's other price": line(event("coefficient = 999", "quiet"), "event-as-logged quiet"),
    "an event's other name": line(event("name = 'Quiet'", "quiet"), "event-as-logged quiet"),
    "an event's other status": line(event("status = 'LOSE'", "won"), "event-as-logged won"),
    "an event's other version": line(event("version = 9", "won"), "event-as-logged won"),
    "an event of 1990": line(
        event("created_at = 631152000000000", "quiet"),
        "event-bounds quiet",
        "event-as-logged quiet",
    ),
    "decided at another instant": line(
        event("decided_at = decided_at - 1", "won"), "event-decided won", "event-closed won"
    ),
    "decided at no instant": line(
        event("decided_at = NULL", "undone"), "event-decided undone", "event-closed undone"
    ),
    "closed by an operator without a result": line(
        event("asked_closed_at = deadline", "quiet"), "event-decided quiet"
    ),
    "closed by an operator at another instant": line(
        event("asked_closed_at = asked_closed_at + 1", "late"), "event-closed late"
    ),
    "an id that cannot be": line(
        "UPDATE feed SET event_id = 'a b' WHERE event_id = 'plain';"
        "UPDATE events SET event_id = 'a b' WHERE event_id = 'plain'",
        "feed-columns {plain_1}",
        "event-id a b",
        "replica-complete a b",
        "replica-known plain",
    ),
}


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS.keys())
def test_damage_is_found(season_played: Played, damage: Damage, tmp_path: Path) -> None:
    """The very rows are named."""
    check(season_played.copied(tmp_path), damage)


@pytest.mark.parametrize("kind", ["the head is ahead", "a price of nothing", "no head"])
def test_the_line_is_verified_alone(season_played: Played, kind: str, tmp_path: Path) -> None:
    """Without bet-maker's database, what concerns the line is found all the same."""
    damage = KINDS[kind]
    alone = tuple(found for found in damage.found if not found.startswith("cursor-"))
    report = check(
        season_played.copied(tmp_path), line(damage.does, *alone), "--only", "line-provider"
    )
    assert report["verified"] == ["line-provider"]
    assert report["offences"][0]["database"] == "line-provider"
