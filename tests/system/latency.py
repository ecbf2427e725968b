"""How soon a result is seen in a bet's status, with several line-providers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.system.checker import ask, same_line

if TYPE_CHECKING:
    from tests.processes import Service

RESULTS = 100
ROUNDS = 6
LATEST_MS = 700
"""However slow the machine is: with neither looks nor doorbell it is a second."""


@dataclass(frozen=True, slots=True)
class Round:
    """Times in milliseconds, shortest first.

    Attributes:
        took: from sending each result to seeing its bet's status.
        idle: what the three processes took meanwhile to answer at all, one after the other.
    """

    took: list[float]
    idle: list[float]

    @property
    def p99(self) -> float:
        """How late the last but one of them all was seen."""
        return self.took[-2]

    def allowed_ms(self, within_ms: float) -> float:
        """How late that may be, where a quiet machine needs less than `within_ms`.

        On its way a result waits for a processor some ten times, and so as long as three times
        three processes that answer at all.
        """
        return min(within_ms + 3 * self.idle[-2], LATEST_MS)

    def __str__(self) -> str:
        took, idle = self.took, self.idle
        middle = len(took) // 2
        return (
            f"p50 {took[middle]:.0f} ms, p99 {self.p99:.0f} ms, worst {took[-1]:.0f} ms; "
            f"answering at all: p50 {idle[middle]:.0f} ms, p99 {idle[-2]:.0f} ms"
        )


async def best_round(
    line: Service, other: Service, bets: Service, *, within_ms: float, name: str
) -> Round:
    """The best round, of as many as it takes to get one that is below what it is allowed.

    The machine that runs the tests has other things to do, too: hence up to six of them, and what
    is allowed depends on how fast it was meanwhile.

    Args:
        line: gets the results.
        other: the line-provider that bet-maker asks.
        bets: the bet-maker.
        within_ms: what is low enough on a quiet machine.
        name: what is measured, for who reads the output.
    """
    rounds = []
    for number in range(ROUNDS):
        rounds.append(await _round((line, other, bets), f"round{number}"))
        if rounds[-1].p99 < rounds[-1].allowed_ms(within_ms):
            break
    best = min(rounds, key=lambda each: each.p99 - each.allowed_ms(within_ms))
    print(f"result to status, {name}, round {len(rounds)}: {best}")  # noqa: T201 - to read
    return best


async def _round(services: tuple[Service, Service, Service], name: str) -> Round:
    line, _, bets = services
    ids = [f"{name}-{n}" for n in range(RESULTS)]
    for event_id in ids:
        event = {"event_id": event_id, "coefficient": "1.95"}
        assert (await line.client.post("/events", json=event)).status_code == 201
    await same_line(line, bets, ids, within_s=60)
    placed = [await ask(bets.client, event_id, event_id, "1") for event_id in ids]
    took, idle = [], []
    for event_id, bet in zip(ids, placed, strict=True):
        began = time.perf_counter()
        for service in services:
            await service.client.get("/healthz")
        idle.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        await line.client.post(f"/events/{event_id}/result", json={"status": "WIN"})
        async with asyncio.timeout(10):
            while (await bets.client.get(f"/bets/{bet.bet_id}")).json()["status"] != "WON":
                await asyncio.sleep(0.002)
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.03)  # else each would find the last one's pull still under way
    return Round(sorted(took), sorted(idle))
