"""Four times as many bets as can be taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import bets, load
from benchmarks.house import house
from benchmarks.table import Row, each

if TYPE_CHECKING:
    from benchmarks.house import Ground, House

TIMES = 4
CONNECTIONS = 2048
"""What is due when all of them wait for answers is not sent."""
SOON_S = 0.05
EXPECTED = {"201", "409", "503"}


def overload(ground: Ground) -> list[Row]:
    """What is taken, how soon, what the others are told, and how long it is felt afterwards."""
    ceilings, outcomes, recoveries = [], [], []
    seconds = 6 * ground.seconds
    with house(ground, "overload") as ours:
        bets.place(ours, bets.WARM_S)
        for _ in range(ground.rounds):
            ceilings.append(bets.place(ours, ground.seconds).rate(201))
            rate = TIMES * ceilings[-1]
            outcome = load.drive(
                ours.bets, ours.placing(), seconds, CONNECTIONS, rate=rate, only_free=True
            )
            outcomes.append(outcome)
            recoveries.append(outcome.drained_s + _recovered_after_s(ours))
    rates = [one.rate(201) for one in outcomes]
    counts = {status: sum(one.counts.get(status, 0) for one in outcomes) for status in EXPECTED}
    others = [
        float(sum(n for status, n in one.counts.items() if status not in EXPECTED))
        for one in outcomes
    ]
    told = ", ".join(f"{status}: {n:,}" for status, n in sorted(counts.items()))
    unsent = sum(one.unsent for one in outcomes)
    told += f", unsent: {unsent:,}, on {CONNECTIONS} connections"
    ratios = [own / ceiling for own, ceiling in zip(rates, ceilings, strict=True)]
    engine, cpu = ground.engine, load.most_cpu(outcomes)
    p99s = [one.ms(201, "p99") for one in outcomes]
    taken = f"{each(rates)}; ceiling {each(ceilings)}"
    return [
        Row("overload: bets taken, of the ceiling", engine, ratios, "x", 0.8, True, taken, cpu),
        Row("overload: p99 of those taken", engine, p99s, "ms", 1000.0, False, told, cpu),
        Row("overload: answers but 201, 409, 503 with Retry-After", engine, others, "", 0.0, False),
        Row("overload: recovered after", engine, recoveries, "s", 1.0, False),
    ]


def _recovered_after_s(house: House) -> float:
    """How long it takes until a bet is taken within 50 ms."""
    began = time.perf_counter()
    headers = {"Authorization": f"Bearer {next(iter(house.users.values()))}"}
    body = {"event_id": house.events[0], "amount": 10.5, "accept": "any"}
    while True:
        asked = time.perf_counter()
        answer = house.client.post(f"{house.bets}/bets", json=body, headers=headers)
        if answer.is_success and time.perf_counter() - asked < SOON_S:
            return asked - began
