"""Following the line: catching up with 100,000 changes, and keeping up with 1000 a second."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import asyncpg

from benchmarks import load
from benchmarks.house import house
from benchmarks.table import Row
from tests import cluster, databases

if TYPE_CHECKING:
    from benchmarks.house import Ground, House

ITEMS = 100_000
RATE = 1000
_WARM_S = 1.0
_COLUMNS = 'seq, at, event_id, version, event, "by"'
_NEWEST = "SELECT feed.event FROM feed JOIN events USING (event_id, version)"
_RAISE_EVENTS = """
UPDATE events SET version = (SELECT max(version) FROM feed WHERE feed.event_id = events.event_id)
"""


def catching_up(ground: Ground) -> list[Row]:
    """A bet-maker that was stopped at the log's beginning, until it has all of the changes.

    The time begins with its process.
    """
    took = []
    with house(ground, "catching-up", users=1) as ours:
        seq = _applied(ours)
        for _ in range(ground.rounds):
            ours.stop("bet-maker")
            _append(ours, ITEMS)
            began = time.perf_counter()
            ours.start("bet-maker")
            seq += ITEMS
            while _applied(ours) < seq:  # each look costs it some of the processor
                assert time.perf_counter() - began < 300, "it does not catch up"
                time.sleep(0.2)
            took.append(time.perf_counter() - began)
    return [Row("100 k items caught up with", ground.engine, took, "s", 10.0, False)]


def keeping_up(ground: Ground) -> list[Row]:
    """How late a price is seen while 1000 are changed a second."""
    p99s, outcomes = [], []
    with house(ground, "keeping-up", users=1) as ours:
        probe, *others = ours.events
        for _ in range(ground.rounds):
            seconds = ground.seconds + _WARM_S
            running = load.started(ours.line, _changing(ours, others), seconds, rate=RATE)
            time.sleep(_WARM_S)
            late = sorted(_lags_ms(ours, probe, ground.seconds))
            outcomes.append(running.outcome())
            p99s.append(late[int(len(late) * 0.99)])
    # Those that were due, whenever their answers came: of the last ones, after the end. But not
    # where some were left over: it fell behind, and answered those under way only then.
    rates = [
        one.rate(200) if one.unsent else one.counts.get("200", 0) / one.took_s for one in outcomes
    ]
    cpu = load.most_cpu(outcomes)
    told = f"{min(rates):,.0f}/s were changed, at the least"
    last_ms = max(one.drained_s for one in outcomes) * 1000
    answered = max(one.ms(200, "p99") for one in outcomes)
    how = f"answered within {answered:.0f} ms at p99, the last one {last_ms:.0f} ms after the end"
    what = "1000 prices a second, how late they are seen, p99"
    slow = "price changes a second that line-provider takes, of 1000 asked for"
    return [
        Row(what, ground.engine, p99s, "ms", 200.0, False, told, cpu),
        Row(slow, ground.engine, rates, "/s", 0.99 * RATE, detail=how, cpu=cpu),
    ]


def _changing(house: House, events: list[str]) -> list[str]:
    """Requests that change prices, no two in a row of an event to the same."""
    return [
        load.request(
            "PATCH",
            f"{house.line}/events/{event_id}",
            house.operator,
            f'{{"coefficient":{price}.{hundredths:02}}}',
        )
        for price in (1, 2, 3)
        for hundredths, event_id in enumerate(events, 1)
    ]


def _append(house: House, count: int) -> None:
    """Put so many changes of prices at the log's end, as line-provider writes them."""
    database = house.environment["LINE_PROVIDER_DATABASE_URL"]
    ((seq, at),) = databases.execute(database, "SELECT seq, at FROM head")
    bodies = [json.loads(event) for (event,) in databases.execute(database, _NEWEST)]
    rows = []
    for n in range(1, count + 1):
        body = bodies[n % len(bodies)]
        body |= {"version": body["version"] + 1, "coefficient": (100 + n % 1000) / 100}
        event = json.dumps(body, separators=(",", ":"))
        rows.append((seq + n, at + n, body["event_id"], body["version"], event, "operator"))
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as conn, conn:
            conn.executemany(f"INSERT INTO feed ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
    else:
        cluster.run(_copy(database, rows))
    databases.execute(database, _RAISE_EVENTS)
    databases.execute(database, f"UPDATE head SET seq = {seq + count}, at = {at + count}")  # noqa: S608


async def _copy(database: str, rows: list[tuple[Any, ...]]) -> None:
    connection = await asyncpg.connect(database)
    try:
        columns = [name.strip('"') for name in _COLUMNS.split(", ")]
        await connection.copy_records_to_table("feed", records=rows, columns=columns)
    finally:
        await connection.close()


def _lags_ms(house: House, event_id: str, seconds: float) -> list[float]:
    """How long after its answer each of some changes is seen at bet-maker."""
    lags: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        price = {"coefficient": (500 + len(lags) % 1000) / 100}
        changed = house.call("PATCH", f"{house.line}/events/{event_id}", price).json()
        began = time.perf_counter()
        while _seen(house, event_id)["version"] < changed["version"]:
            assert time.perf_counter() - began < 30, "a price was not followed"
            time.sleep(0.001)
        lags.append((time.perf_counter() - began) * 1000)
    return lags


def _seen(house: House, event_id: str) -> dict[str, Any]:
    seen: dict[str, Any] = house.call("GET", f"{house.bets}/events/{event_id}").json()
    return seen


def _applied(house: House) -> int:
    return int(databases.execute(house.database, "SELECT seq FROM cursor")[0][0])
