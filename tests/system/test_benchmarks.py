"""`make bench` measures what it says; the figures themselves are for a quiet machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmarks import bets, load
from benchmarks.house import Ground
from benchmarks.table import Row, lines

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.load import Outcome

SLOW_S = 0.05


@pytest.mark.sqlite
@pytest.mark.timeout(300)
def test_bets_are_measured_beside_a_constant_answer(tmp_path: Path) -> None:
    """One short round: every bet is taken, and the table shows how many a second."""
    ground = Ground(tmp_path, None, rounds=1, seconds=1, connections=4, users=1)
    (row,) = bets.bets(ground)
    assert row.engine == "SQLite"
    assert row.figures[0] > 0
    assert row.cpu
    assert "503" not in row.detail
    assert any("a constant 201" in line and "≥ 0.50 x" in line for line in lines([row]))


@pytest.mark.sqlite
async def test_waiting_for_a_connection_counts_in_an_open_loop() -> None:
    """Twice as much as is answered: the last request has waited for half of the time."""
    closed = await _against_slow_server(rate=0)
    assert 1000 * SLOW_S <= closed.ms(200, "p50") < 200
    behind = await _against_slow_server(rate=2 / SLOW_S)
    assert behind.ms(200, "max") > 300
    assert 30 < behind.counts["200"] + behind.unsent <= 2 / SLOW_S + 1


@pytest.mark.sqlite
async def test_what_finds_no_connection_can_be_left_unsent() -> None:
    """Then only those that were sent count, from when they were."""
    left = await _against_slow_server(rate=10 / SLOW_S, only_free=True)
    assert left.ms(200, "p50") < 250
    assert left.unsent > 100


@pytest.mark.sqlite
async def test_an_answer_that_does_not_come_is_lost_not_forgotten() -> None:
    """A server that hangs up has answered nothing."""
    outcome = await _against_slow_server(rate=0, answer=b"")
    assert set(outcome.counts) == {"lost"}


@pytest.mark.sqlite
def test_a_target_is_held_against_the_median() -> None:
    """At least as much of a rate, at most as much of a time; without a target nothing is judged."""
    assert Row("rate", "SQLite", [0.1, 0.6, 0.7], "x", 0.5).met is True
    assert Row("rate", "SQLite", [0.1, 0.4, 0.7], "x", 0.5).met is False
    assert Row("time", "SQLite", [1.0, 2.0, 9.0], "ms", 3.0, at_least=False).met is True
    assert Row("time", "SQLite", [1.0, 4.0, 9.0], "ms", 3.0, at_least=False).met is False
    assert Row("rate", "SQLite", [1.0], "x").met is None


async def _against_slow_server(
    rate: float, *, only_free: bool = False, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n"
) -> Outcome:
    """One connection for one second to a server that takes 50 ms for each answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(SLOW_S)
            writer.write(answer)
            if not answer:
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        requests = [load.request("GET", f"{url}/", "token")]
        return await asyncio.to_thread(
            load.drive, url, requests, 1, 1, rate=rate, only_free=only_free
        )
