"""Kill -9 under load: the users and the operator try again, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import (
    all_bets,
    check_acknowledged,
    check_feed,
    check_keys,
    check_outcomes,
    check_prices,
    same_line,
)
from tests.system.crowd import Crowd, Operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
USERS = 6
BETWEEN_KILLS_S = (0.5, 0.83)


@dataclass(frozen=True, slots=True)
class Both:
    """The two processes."""

    line: Service
    bets: Service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """The two processes, for all tests here: each has events of its own."""
    folder = tmp_path_factory.mktemp("kills")
    line = line_provider(folder)
    bets = bet_maker(folder, line.url)
    async with running(line, bets):
        yield Both(line, bets)


@pytest.mark.parametrize("victims", [["bets"], ["line"], ["line", "bets"]], ids="-".join)
async def test_kill_9_loses_and_doubles_nothing(both: Both, victims: list[str]) -> None:
    """What was acknowledged is there once, what was refused is not, and every result arrives."""
    operator = Operator(both.line, "-".join(victims))
    crowd = Crowd(operator, [both.bets])
    async with crowd.at_work(USERS):
        for wait_s in BETWEEN_KILLS_S:
            await asyncio.sleep(wait_s)
            killed: list[Service] = [getattr(both, victim) for victim in victims]
            await asyncio.gather(*(service.kill() for service in killed))
            await asyncio.gather(*(service.restart() for service in killed))
        await asyncio.sleep(0.3)

    events = await same_line(both.line, both.bets, operator.results)
    bets = await all_bets(both.bets.client, operator.results)
    assert {event_id: event["status"] for event_id, event in events.items()} == operator.results
    assert len(bets) > 50
    assert crowd.retries > 0 or "bets" not in victims
    check_acknowledged(bets, crowd.asked)
    check_outcomes(bets, events)
    await check_prices(both.line.client, bets)
    check_keys(both.bets.database)
    check_feed(both.line.database)
