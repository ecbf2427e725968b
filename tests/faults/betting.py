"""The steps that tests of the defects share: an event, a bet, its result, what became of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from stakeline import clock
from tests.conftest import Both
from tests.serving import Served, bet_maker, line_provider, serving, until_known, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import httpx2


@asynccontextmanager
async def both_in(folder: Path) -> AsyncIterator[Both]:
    """A line-provider, and a bet-maker that has heard it, with their databases in `folder`."""
    async with (
        serving(line_provider(folder)) as line,
        serving(bet_maker(folder, line.url)) as bets,
    ):
        await until_ready(bets)
        yield Both(line, bets)


async def offered(both: Both, event_id: str, **terms: Any) -> None:  # noqa: ANN401 - JSON values
    """Put an event on the line; return once it can be bet on."""
    created = await both.line.post("/events", {"event_id": event_id, "coefficient": 1.95} | terms)
    assert created.status_code == 201
    await until_known(both.bets, event_id)


async def bet_on(bets: Served, event_id: str) -> str:
    """The id of a new bet, once its time has passed: a result from now on finds it standing."""
    placed = await bets.post("/bets", {"event_id": event_id, "amount": 10})
    assert placed.status_code == 201, placed.text
    await passed(placed.json()["placed_at"])
    bet_id: str = placed.json()["bet_id"]
    return bet_id


async def decide(line: Served, event_id: str, status: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event with its result."""
    answer = await line.post(f"/events/{event_id}/result", {"status": status} | more)
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()
    return event


async def status_of(bets: Served, bet_id: str) -> str:
    """What has become of a bet."""
    status: str = (await bets.get(f"/bets/{bet_id}")).json()["status"]
    return status


async def passed(placed_at: str) -> None:
    """Return once it is later than that: a result from now on finds the bet standing.

    A bet's time is an upper bound, and may be ahead of the clock by a round trip of the feed.
    """
    while clock.text(clock.now()) <= placed_at:
        await asyncio.sleep(0.01)


async def persist(ask: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """The answer, asked for again while it is 503, as late as that says.

    On a busy machine hundreds at once may wait, and if they came sooner, for ever.
    """
    while (answer := await ask()).status_code == 503:
        await asyncio.sleep(int(answer.headers["Retry-After"]))
    return answer
