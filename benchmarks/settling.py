"""From an operator's result to the status that a bettor sees."""

from __future__ import annotations

import time
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.house import house
from benchmarks.stored import MILLION, fill
from benchmarks.table import Row
from tests import databases

if TYPE_CHECKING:
    from benchmarks.house import Ground, House

RESULTS = 100
"""How many in a round."""


def settling(ground: Ground) -> list[Row]:
    """Results of an event with one bet and of one with a million, in turn, each a correction."""
    alone: list[list[float]] = []
    crowd: list[list[float]] = []
    disks = []
    with house(ground, "settling", users=1) as ours:
        small, large = ours.events[:2]
        fill(ours, MILLION, [large])
        one = {"event_id": small, "amount": 10, "accept": "any"}
        single = ours.call("POST", f"{ours.bets}/bets", one, Authorization=_user(ours)).json()
        # Half of all bets were placed before this one.
        query = f"SELECT bet_id FROM bets ORDER BY bet_id LIMIT 1 OFFSET {MILLION // 2}"  # noqa: S608
        ((among,),) = databases.execute(ours.database, query)
        results = cycle(("WIN", "LOSE"))
        for _ in range(ground.rounds):
            disks.append(machine.sync_times_ms(ground.folder)["p99"])
            alone.append([])
            crowd.append([])
            for _ in range(RESULTS):
                result = next(results)
                alone[-1].append(_seen_after_ms(ours, small, single["bet_id"], result))
                crowd[-1].append(_seen_after_ms(ours, large, among, result))
    told = f"p50 of 1 bet {_at(alone, 0.5):.1f} ms, of 1 M {_at(crowd, 0.5):.1f} ms"
    ratios = [median(many) / median(few) for few, many in zip(alone, crowd, strict=True)]
    p99s = [sorted(took)[int(len(took) * 0.99)] for took in crowd]
    disk = median(disks)
    return [
        Row("result to status, 1 M bets, of 1 bet", ground.engine, ratios, "x", 1.2, False, told),
        Row(
            "result to status of 1 M bets, p99",
            *(ground.engine, p99s, "ms", 50.0, False, told),
            sync_p99_ms=disk,
        ),
    ]


def _seen_after_ms(house: House, event_id: str, bet_id: str, result: str) -> float:
    """How long after the operator's 200 the bet stands as the result says."""
    body = {"status": result, "correction": True}
    house.call("POST", f"{house.line}/events/{event_id}/result", body)
    began = time.perf_counter()
    wanted = "WON" if result == "WIN" else "LOST"
    while house.call("GET", f"{house.bets}/bets/{bet_id}").json()["status"] != wanted:
        assert time.perf_counter() - began < 10, "a result was not followed"
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


def _at(rounds: list[list[float]], quantile: float) -> float:
    took = sorted(one for each in rounds for one in each)
    return took[int(len(took) * quantile)]


def _user(house: House) -> str:
    return f"Bearer {next(iter(house.users.values()))}"
