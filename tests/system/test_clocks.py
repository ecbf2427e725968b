"""bet-maker's own wall clock decides nothing, however wrong it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.processes import CLOCK_OFF, Service, bet_maker, line_provider, running
from tests.system.checker import (
    all_bets,
    ask,
    check_acknowledged,
    check_outcomes,
    check_times,
    instant,
    now_us,
    same_line,
    text,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.system.checker import Asked

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S = 3600
AHEAD_US = 700_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A line-provider for all tests here."""
    provider = line_provider(tmp_path_factory.mktemp("clocks"))
    async with running(provider):
        yield provider


@pytest.mark.parametrize(
    ("off_s", "how"), [(HOUR_S, "stays"), (-HOUR_S, "stays"), (HOUR_S, "jumps")]
)
async def test_a_wall_clock_an_hour_off_has_no_effect(
    line: Service, tmp_path: Path, off_s: int, how: str
) -> None:
    """Bets carry line-provider's time, and close, are listed and settled by it."""
    bets = bet_maker(tmp_path, line.url, launcher=("-c", CLOCK_OFF, str(off_s), how))
    async with running(bets):
        told = int(bets.log.read_text().splitlines()[0])
        assert abs(abs(told - now_us()) - HOUR_S * 1_000_000) < 60_000_000
        near, far = f"near{off_s}{how}", f"far{off_s}{how}"
        deadlines = {near: now_us() + AHEAD_US, far: now_us() + HOUR_S * 500_000}
        for event_id, deadline in deadlines.items():
            event = {"event_id": event_id, "coefficient": "1.95", "deadline": text(deadline)}
            assert (await line.client.post("/events", json=event)).status_code == 201
        await same_line(line, bets, deadlines)
        assert await listed(bets) == [near, far]
        asked: list[Asked] = []
        while now_us() < deadlines[near] + 100_000:
            for event_id in deadlines:
                asked.append(await ask(bets.client, event_id, f"{event_id}-{len(asked)}", "10.5"))
            await asyncio.sleep(0.005)
        assert await listed(bets) == [far]
        for event_id in deadlines:
            answer = await line.client.post(f"/events/{event_id}/result", json={"status": "WIN"})
            assert answer.status_code == 200

        events = await same_line(line, bets, deadlines)
        asked.append(await ask(bets.client, far, "late", "10.5"))
        made = await all_bets(bets.client)
        round_trip_us = 2 * max(one.received - one.sent for one in asked)
        check_acknowledged(made, asked)
        check_outcomes(made, events)
        check_times(made, events, asked, round_trip_us)
        assert {bet["event_id"] for bet in made.values() if bet["status"] == "WON"} == {near, far}
        refused = [one for one in asked if one.status != 201]
        assert {one.event_id for one in refused} == {near, far}
        for one in refused:
            assert one.body["code"] == "betting_closed"
            assert one.received + round_trip_us > instant(events[one.event_id]["closed_at"])


async def listed(bets: Service) -> list[str]:
    """The events that bet-maker takes bets on, in its order."""
    events = (await bets.client.get("/events")).json()
    return [event["event_id"] for event in events]
