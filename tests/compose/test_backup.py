"""Backups and restores in containers, by the commands of docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline import ids
from tests.compose.stack import until

if TYPE_CHECKING:
    from tests.compose.stack import Stack

RESTORE = ("pg_restore", "-U", "postgres", "--clean", "--if-exists", "--single-transaction", "-d")


def dump(stack: Stack, database: str) -> bytes:
    """A backup of the database, while it is used."""
    words = ("pg_dump", "-U", "postgres", "-Fc", database)
    return stack.pipe(b"", "exec", "-T", "postgres", *words)


def restore(stack: Stack, database: str, backup: bytes) -> None:
    """Put it back; the service's containers have been stopped."""
    stack.pipe(backup, "exec", "-T", "postgres", *RESTORE, database)


def until_taken(stack: Stack, event_id: str) -> None:
    """Return once a bet on the event is taken."""
    key = ids.new_event_id()
    until(lambda: stack.bet(event_id, key).is_success, "bets are not taken again")


def verify(stack: Stack) -> None:
    """Both databases are proved, and all containers well again."""
    assert "nothing is wrong" in stack.compose("run", "--rm", "migrate", "verify")
    stack.until_healthy()


def test_bet_maker_goes_on_from_its_backup(stack: Stack) -> None:
    """What came after the backup is gone; the line is heard from there on."""
    event_id, kept, lost = stack.publish(), ids.new_event_id(), ids.new_event_id()
    before = stack.bet(event_id, kept).json()
    backup = dump(stack, "bet_maker")
    gone = stack.bet(event_id, lost).json()
    later = stack.publish()
    stack.compose("stop", "bet-maker")
    restore(stack, "bet_maker", backup)
    stack.compose("start", "bet-maker")
    until_taken(stack, event_id)
    assert stack.bet(event_id, kept).json() == before
    assert stack.client.get(f"{stack.bet_maker}/bets/{gone['bet_id']}").status_code == 404
    until_taken(stack, later)
    again = stack.bet(event_id, lost)
    assert again.status_code == 201
    assert again.json()["bet_id"] != gone["bet_id"]
    verify(stack)


def test_a_restored_line_is_followed_after_resync(stack: Stack) -> None:
    """bet-maker takes no bets on a line that forgot what it said, until it is told to."""
    event_id = stack.publish()
    backup = dump(stack, "line_provider")
    forgotten = stack.publish()
    stack.compose("stop", "line-provider")
    restore(stack, "line_provider", backup)
    stack.compose("start", "line-provider")
    found, ready = f"{stack.line_provider}/events/", f"{stack.bet_maker}/readyz"
    until(lambda: stack.client.get(found + event_id).is_success, "the line does not come back")
    assert stack.client.get(found + forgotten).status_code == 404
    until(lambda: "resync" in stack.client.get(ready).text, "bet-maker notices nothing")
    refused = stack.bet(event_id, ids.new_event_id())
    assert (refused.status_code, refused.json()["code"]) == (503, "feed_stale")
    told = stack.compose("run", "--rm", "--no-deps", "bet-maker", "bet-maker", "resync")
    assert told.startswith("following epoch ")
    until_taken(stack, event_id)
    verify(stack)
