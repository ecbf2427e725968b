"""What the databases do by themselves with the same table: what our figures are held against."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing
from statistics import mean
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.cluster import binaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.house import House

COLUMNS = (
    "bet_id, user_id, key, event_id, amount, coefficient, asked_coefficient, accept, placed_at,"
    " event_version, feed_seq, snapshot, fix_at"
)
# An id in the order of time and a random key, as a bet has them; every parameter is bound.
_SINGLE = """\
\\set user random({least}, {most})
\\set event random(0, {events} - 1)
\\set a random(0, 281474976710655)
\\set b random(0, 281474976710655)
INSERT INTO bets ({columns})
SELECT lpad(to_hex(at / 1000), 12, '0') || '-7-' || lpad(to_hex(:a::bigint), 22, '0'), :user,
       lpad(to_hex(:b::bigint), 16, '0') || '-' || lpad(to_hex(:a::bigint), 16, '0'),
       'event-' || :event::text, 1050, 195, 195, 'exact', at, 1, 1, 1, at
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at) AS now
"""
_UNNEST = f"""
INSERT INTO bets ({COLUMNS})
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
  $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
  $13::bigint[])
"""  # noqa: S608 - a constant
_MANY = f"INSERT INTO bets ({COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608
SHOWN = """
SELECT bet_id, event_id, amount, coefficient, potential_payout, status,
       CASE status WHEN 'WON' THEN potential_payout WHEN 'VOID' THEN amount
                   WHEN 'LOST' THEN 0 END, placed_at, event_version, user_id
FROM (SELECT bets.*, (amount * bets.coefficient + 50) / 100 AS potential_payout,
             CASE WHEN placed_at >= closed_at THEN 'VOID' WHEN status = 'NEW' THEN 'PENDING'
                  WHEN status = 'WIN' THEN 'WON' WHEN status = 'LOSE' THEN 'LOST'
                  ELSE 'VOID' END AS status
      FROM bets JOIN events USING (event_id)) AS shown
ORDER BY bet_id DESC
"""
"""What an export shows of every bet, by the table definitions alone."""


def single_rows(house: House, folder: Path, seconds: float, clients: int = 64) -> float:
    """Bets a second that pgbench inserts one by one, each durable on its own.

    The first second does not count: the server's new processes are slower then.
    """
    script = folder / "single.sql"
    least, most = min(house.users), max(house.users)
    text = _SINGLE.format(least=least, most=most, events=len(house.events), columns=COLUMNS)
    # pgbench ends a statement at its line's end only where there is a semicolon.
    script.write_text(text.rstrip() + ";\n", encoding="ascii")
    command = [str(binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"]
    command += ["-T", str(max(3, 1 + round(seconds))), "-P", "1", "-f", str(script), house.database]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rates = re.findall(r"^progress: .* ([\d.]+) tps", done.stderr, re.MULTILINE)
    assert len(rates) > 1, done.stderr
    return mean(map(float, rates[1:]))


def thousands(house: House, seconds: float) -> float:
    """Bets a second, inserted by 1000 a transaction in plain SQL; making them up is not counted."""
    if house.database.startswith("sqlite"):
        return _thousands_sqlite(house, seconds)
    return asyncio.run(_thousands_postgresql(house, seconds))


async def _thousands_postgresql(house: House, seconds: float) -> float:
    rows = _rows(house)
    connection = await asyncpg.connect(house.database)
    try:
        statement = await connection.prepare(_UNNEST)
        took: list[float] = []
        while sum(took) < seconds:
            columns = list(zip(*next(rows), strict=True))
            began = time.perf_counter()
            await statement.fetch(*columns)
            took.append(time.perf_counter() - began)
        return len(took) * 1000 / sum(took)
    finally:
        await connection.close()


def _thousands_sqlite(house: House, seconds: float) -> float:
    rows = _rows(house)
    with closing(sqlite3.connect(house.database.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        took: list[float] = []
        while sum(took) < seconds:
            next_rows = next(rows)
            began = time.perf_counter()
            with connection:
                connection.executemany(_MANY, next_rows)
            took.append(time.perf_counter() - began)
        return len(took) * 1000 / sum(took)


def _rows(house: House) -> Iterator[list[tuple[Any, ...]]]:
    """Thousands of bets of one user, with new ids and keys."""
    user = min(house.users)
    while True:
        at = time.time_ns() // 1000
        yield [
            (
                *(f"{at:012x}-7-{n:04x}-{uuid.uuid4().hex[:16]}", user, uuid.uuid4().hex),
                *(house.events[n % len(house.events)], 1050, 195, 195, "exact", at, 1, 1, 1, at),
            )
            for n in range(1000)
        ]


def copied(database: str) -> float:
    """Bets a second that PostgreSQL copies out, with their statuses."""
    return asyncio.run(_copied(database))


async def _copied(database: str) -> float:
    lines = 0

    async def take(data: bytes) -> None:
        nonlocal lines
        lines += data.count(b"\n")

    connection = await asyncpg.connect(database)
    try:
        began = time.perf_counter()
        await connection.copy_from_query(SHOWN, output=take)
        return lines / (time.perf_counter() - began)
    finally:
        await connection.close()
