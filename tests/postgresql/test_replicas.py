"""Three bet-makers and two line-providers on one PostgreSQL, killed at random: the same as one."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stakeline.verification import proof
from stakeline.verification.source import Databases
from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import (
    all_bets,
    check_acknowledged,
    check_feed,
    check_keys,
    check_outcomes,
    check_prices,
    check_times,
    same_line,
)
from tests.system.crowd import Crowd, Operator

if TYPE_CHECKING:
    from pathlib import Path

LASTS_S = float(os.environ.get("STAKELINE_KILLS_S", "12"))
"""How long there are kills; `make replicas` asks for more."""
LEAST = 6
"""Kills, however slow the machine is."""
USERS = 6
AWAY_US = 15_000_000
"""How late a bet may count at the most where processes are killed: a whole restart, and more."""


@dataclass(frozen=True, slots=True)
class Five:
    """The processes: every bet-maker asks one of the line-providers."""

    lines: list[Service]
    makers: list[Service]


def five(folder: Path) -> Five:
    """Five processes on two databases, not started yet."""
    lines = [line_provider(folder) for _ in range(2)]
    makers = [bet_maker(folder, lines[n % 2].url) for n in range(3)]
    assert len({service.database for service in lines + makers}) == 2
    return Five(lines, makers)


@pytest.mark.timeout(400 + 3 * LASTS_S)  # some 40 s, but each restart takes long under load
async def test_processes_killed_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there once; every replica shows the same, and it is the line's."""
    house = five(tmp_path)
    services = house.lines + house.makers
    seed = int(os.environ.get("STAKELINE_SEED", random.randrange(10**6)))  # noqa: S311
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance, kills = random.Random(seed), 0  # noqa: S311 - no secret
    async with running(*services):
        operator = Operator(house.lines[0], "five", house.lines[1])
        crowd = Crowd(operator, house.makers)
        async with crowd.at_work(USERS):
            end = asyncio.get_running_loop().time() + LASTS_S
            while kills < LEAST or asyncio.get_running_loop().time() < end:
                await asyncio.sleep(chance.uniform(0, 0.5))
                victims = chance.sample(services, chance.choice((1, 1, 1, 2, 3)))
                await asyncio.gather(*(victim.kill() for victim in victims))
                await asyncio.sleep(chance.uniform(0, 0.5))
                await asyncio.gather(*(victim.restart() for victim in victims))
                kills += len(victims)
            await asyncio.sleep(0.5)

        first, *others = house.makers
        events = await same_line(house.lines[0], first, operator.results)
        decided = {event_id: event["status"] for event_id, event in events.items()}
        assert decided == operator.results
        bets = await all_bets(first.client, operator.results)
        print(f"{kills} kills, {len(bets)} bets, {crowd.retries} retries")  # noqa: T201
        assert len(bets) > 100
        assert crowd.retries > 0
        check_acknowledged(bets, crowd.asked)
        check_outcomes(bets, events)
        check_times(bets, events, crowd.asked, AWAY_US)
        await check_prices(house.lines[1].client, bets)
        check_keys(first.database)
        check_feed(house.lines[0].database)
        for other in others:
            assert await same_line(house.lines[1], other, events) == events
            assert await all_bets(other.client, events) == bets
        report = await proof.verify(Databases(house.lines[0].database, first.database))
        assert report.clean, list(report.lines())
    # A result within a replica's round trip after a bet voids it; most bets must be well before.
    counted = sum(bet["status"] in {"WON", "LOST"} for bet in bets.values())
    assert counted > len(bets) / 4
