"""Bets by the thousand: batches beside plain inserts of 1000 rows a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import load, reference
from benchmarks.house import house
from benchmarks.table import Row, each
from tests import databases

if TYPE_CHECKING:
    from benchmarks.house import Ground, House

SIZE = 1000
CONNECTIONS = 2
"""So that one batch can be read while another is written."""
_STORED = "SELECT count(*) FROM bets WHERE key LIKE '___-%'"


def batch(ground: Ground) -> list[Row]:
    """`POST /bets/batch` of 1000, each with its key, in bets a second."""
    with house(ground, "batch") as ours:
        requests = [_request(ours, token) for token in ours.users.values()]
        outcomes = [load.drive(ours.bets, requests, 1, CONNECTIONS)]
        plain = []
        for _ in range(ground.rounds):
            plain.append(reference.thousands(ours, ground.seconds))
            outcomes.append(load.drive(ours.bets, requests, ground.seconds, CONNECTIONS))
        ((stored,),) = databases.execute(ours.database, _STORED)
    assert stored == sum(one.counts["200"] for one in outcomes) * SIZE, "a batch had bets refused"
    del outcomes[0]
    rates = [one.rate(200) * SIZE for one in outcomes]
    ratios = [own / one for own, one in zip(rates, plain, strict=True)]
    told = f"{each(rates)}; plain {each(plain)}"
    cpu = load.most_cpu(outcomes)
    what = "bets in batches of 1000, of plain inserts"
    return [Row(what, ground.engine, ratios, "x", 0.5, detail=told, cpu=cpu)]


def _request(house: House, token: str) -> str:
    bets = ",".join(
        f'{{"event_id":"{house.events[n % len(house.events)]}","amount":10.50,"coefficient":1.95,'
        f'"key":"{n:03}-{load.KEY}"}}'
        for n in range(SIZE)
    )
    return load.request("POST", f"{house.bets}/bets/batch", token, f'{{"bets":[{bets}]}}')
