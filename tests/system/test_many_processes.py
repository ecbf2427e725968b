"""Two bet-maker processes on one database and one line: the same as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import (
    all_bets,
    ask,
    ask_batch,
    check_acknowledged,
    check_feed,
    check_keys,
    check_outcomes,
    check_prices,
    event_at,
    same_line,
)
from tests.system.crowd import Crowd, Operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")
USERS = 6
KEYS = 60


@dataclass(frozen=True, slots=True)
class Three:
    """A line-provider, and two bet-makers on one database."""

    line: Service
    one: Service
    other: Service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Three]:
    """The three processes; the two bet-makers make their database at the same time."""
    folder = tmp_path_factory.mktemp("many")
    line = line_provider(folder)
    one, other = bet_maker(folder, line.url), bet_maker(folder, line.url)
    assert one.database == other.database
    async with running(line, one, other):
        yield Three(line, one, other)


async def test_the_same_key_through_both_at_once_makes_one_bet(three: Three) -> None:
    """Whichever process is quicker makes the bet; the other one answers with it."""
    await three.line.client.post("/events", json={"event_id": "rivals", "coefficient": "1.95"})
    await same_line(three.line, three.one, ["rivals"])
    await same_line(three.line, three.other, ["rivals"])
    keys = [f"rivals-{n}" for n in range(KEYS)]
    asked = await asyncio.gather(
        *(
            ask(maker.client, "rivals", key, "1")
            for key in keys
            for maker in (three.one, three.other)
        )
    )
    wanted = [("rivals", f"rivals-batch-{n}", "2") for n in range(KEYS)]
    batches = await asyncio.gather(
        ask_batch(three.one.client, wanted), ask_batch(three.other.client, wanted[::-1])
    )
    made: dict[str, set[str]] = {}
    for answer in [*asked, *batches[0], *batches[1]]:
        made.setdefault(answer.key, set()).add(answer.bet_id)
    assert len(made) == 2 * KEYS
    assert {len(bet_ids) for bet_ids in made.values()} == {1}
    bets = await all_bets(three.one.client, ["rivals"])
    assert bets.keys() == {bet_id for bet_ids in made.values() for bet_id in bet_ids}
    assert bets == await all_bets(three.other.client, ["rivals"])


async def test_one_of_two_may_die(three: Three) -> None:
    """One is killed under load, its users turn to the other: no loss, and both show the same."""
    operator = Operator(three.line, "two")
    crowd = Crowd(operator, [three.one, three.other])
    async with crowd.at_work(USERS):
        await asyncio.sleep(1.1)
        await three.other.kill()
        await asyncio.sleep(0.4)
        await three.other.restart()
        await asyncio.sleep(0.4)

    events = await same_line(three.line, three.one, operator.results)
    bets = await all_bets(three.one.client, events)
    assert len(bets) > 50
    assert crowd.retries > 0
    check_acknowledged(bets, crowd.asked)
    check_outcomes(bets, events)
    await check_prices(three.line.client, bets)
    check_keys(three.one.database)
    check_feed(three.line.database)
    assert bets == await all_bets(three.other.client, events)
    for event_id, event in events.items():
        assert await event_at(three.other.client, event_id) == event
