"""Restored from a backup, or replaced: what was settled stays settled, and nothing reopens."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests import databases
from tests.faults.betting import passed
from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import (
    all_bets,
    ask,
    check_outcomes,
    event_at,
    instant,
    same_line,
)
from tests.system.suspension import bet_on, check_suspended, until_refused, until_taken
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.system.checker import Asked


@dataclass(frozen=True, slots=True)
class Both:
    """The two processes, and the wire over which bet-maker hears the line."""

    line: Service
    bets: Service
    wire: Wire


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    """The two processes with an empty line."""
    line = line_provider(tmp_path)
    async with Wire(line.url).up() as wire:
        bets = bet_maker(tmp_path, wire.url)
        async with running(line, bets):
            yield Both(line, bets, wire)


async def publish(line: Service, *event_ids: str) -> None:
    """Put events on the line, at 1.95."""
    for event_id in event_ids:
        event = {"event_id": event_id, "coefficient": "1.95"}
        assert (await line.client.post("/events", json=event)).status_code == 201


async def decide(line: Service, event_id: str, status: str, after: Asked | None = None) -> None:
    """Give the event its result, once the time has passed at which a bet counts as placed."""
    if after is not None:
        await passed(after.body["placed_at"])
    answer = await line.client.post(f"/events/{event_id}/result", json={"status": status})
    assert answer.status_code == 200


async def bet(bets: Service, event_id: str) -> Asked:
    """A bet that is taken."""
    asked = await bet_on(bets, event_id)
    assert asked.status == 201, asked.body
    return asked


async def status_of(bets: Service, made: Asked) -> Any:  # noqa: ANN401 - a word
    """How the bet now stands."""
    return (await all_bets(bets.client))[made.bet_id]["status"]


async def until_status(bets: Service, made: Asked, status: str) -> None:
    """Return once the bet stands so."""
    async with asyncio.timeout(5):
        while await status_of(bets, made) != status:
            await asyncio.sleep(0.02)


async def refusal(bets: Service, event_id: str) -> tuple[int, str]:
    """Why a bet on the event is refused."""
    asked = await bet_on(bets, event_id)
    return asked.status, str(asked.body.get("code"))


async def resync(bets: Service) -> None:
    """Run the command that follows the line from where it is."""
    status, output = await bets.command("bet-maker", "resync")
    assert status == 0, output
    assert output.startswith("following epoch ")


async def check_followed(line: Service, bets: Service, settled: Asked, missing: Asked) -> None:
    """After resync: the old results hold until the new log has its own; new events work.

    Args:
        line: the line that is now followed; `settled`'s event has no result there.
        bets: bet-maker.
        settled: a bet that is WON by the old line.
        missing: a bet on an event that the new line does not have.
    """
    closed_at = instant((await event_at(bets.client, settled.event_id))["closed_at"])
    assert await status_of(bets, settled) == "WON"
    assert await status_of(bets, missing) == "PENDING"
    for event_id in (settled.event_id, missing.event_id):
        assert await refusal(bets, event_id) == (409, "betting_closed")
    listed = {event["event_id"] for event in (await bets.client.get("/events")).json()}
    assert listed == {"open"}

    await publish(line, "later")
    await same_line(line, bets, ["later"])
    fresh = await bet(bets, "later")
    await decide(line, "later", "WIN", after=fresh)
    await decide(line, settled.event_id, "LOSE")
    await same_line(line, bets, ["later"])
    assert await status_of(bets, fresh) == "WON"
    await until_status(bets, settled, "LOST")
    assert instant((await event_at(bets.client, settled.event_id))["closed_at"]) == closed_at
    assert await refusal(bets, settled.event_id) == (409, "betting_closed")
    await publish(line, "missing")
    await decide(line, "missing", "WIN")
    await until_status(bets, missing, "WON")


async def test_a_restored_line_unsettles_nothing(both: Both, tmp_path: Path) -> None:
    """An older state of the line is not followed until resync, and takes back no result."""
    line, bets, backup = both.line, both.bets, databases.url_of(tmp_path, "backup")
    await publish(line, "open", "settled")
    await same_line(line, bets, ["open", "settled"])
    settled = await bet(bets, "settled")
    assert await line.stop() == 0
    databases.copy(line.database, backup)
    await until_refused(bets, "open", within_s=6)
    assert "cannot be reached" in await check_suspended(bets, settled)
    await line.restart()
    await until_taken(bets, "open")

    await publish(line, "missing")
    await decide(line, "settled", "WIN")
    await same_line(line, bets, ["missing", "settled"])
    missing = await bet(bets, "missing")
    bets.signal(signal.SIGSTOP)  # so that the restored log is longer than this one when it looks
    assert await line.stop() == 0
    databases.copy(backup, line.database)
    await line.restart()
    for deadline in range(2_000_000_000, 2_000_000_005):
        await line.client.patch("/events/open", json={"deadline": deadline})
    bets.signal(signal.SIGCONT)

    await until_refused(bets, "open", within_s=6)
    async with asyncio.timeout(10):  # the first thing it misses may be an answer
        while "`stakeline bet-maker resync`" not in await check_suspended(bets, missing):
            await asyncio.sleep(0.1)
    assert await status_of(bets, settled) == "WON"
    await resync(bets)
    await until_taken(bets, "open")
    await same_line(line, bets, ["open"])
    await check_followed(line, bets, settled, missing)


async def test_another_line_is_not_followed_until_told(both: Both, tmp_path: Path) -> None:
    """A line with another log, from an empty database, suspends bet-maker as soon as it answers."""
    line, bets, anew = both.line, both.bets, line_provider(tmp_path, "anew")
    await publish(line, "open", "settled", "missing")
    await same_line(line, bets, ["open", "settled", "missing"])
    settled, missing = await bet(bets, "settled"), await bet(bets, "missing")
    await decide(line, "settled", "WIN", after=settled)
    await until_status(bets, settled, "WON")
    async with running(anew):
        await publish(anew, "open", "settled")
        both.wire.lead_to(anew.url)
        await until_refused(bets, "open", within_s=2)
        assert "`stakeline bet-maker resync`" in await check_suspended(bets, settled)
        assert await status_of(bets, settled) == "WON"
        await resync(bets)
        await until_taken(bets, "open")
        await same_line(anew, bets, ["open"])
        await check_followed(anew, bets, settled, missing)


async def test_a_restored_bet_maker_catches_up(both: Both, tmp_path: Path) -> None:
    """From an older backup, bet-maker pulls what it misses and settles the bets it still has."""
    line, bets, backup = both.line, both.bets, databases.url_of(tmp_path, "backup")
    await publish(line, "early", "open")
    await same_line(line, bets, ["early", "open"])
    kept = await bet(bets, "early")
    assert await bets.stop() == 0
    databases.copy(bets.database, backup)
    await bets.restart()
    gone = await bet(bets, "open")
    await decide(line, "early", "WIN", after=kept)
    await publish(line, "late")
    await until_status(bets, kept, "WON")
    assert await bets.stop() == 0
    databases.copy(backup, bets.database)

    await bets.restart()
    events = await same_line(line, bets, ["early", "open", "late"])
    bets_left = await all_bets(bets.client)
    assert bets_left.keys() == {kept.bet_id}
    check_outcomes(bets_left, events)
    again = await ask(bets.client, gone.event_id, gone.key, str(gone.amount))
    assert again.bet_id != gone.bet_id
    assert await refusal(bets, "early") == (409, "betting_closed")
    assert (await bet(bets, "late")).status == 201
