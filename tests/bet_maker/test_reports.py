"""The operator's sums in SQL, and the same by the rule of a bet, one bet after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stakeline import clock, money
from stakeline.bet_maker import reports
from stakeline.bet_maker.bets import Bet, bet_status
from stakeline.bet_maker.reports import DAY_US, Entry, Exposure
from tests import databases
from tests.bet_maker.drawn import BETS, EVENTS, INSTANTS, stored
from tests.bet_maker.replica import NOW, event, item

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.bet_maker.reports import Place
    from tests.bet_maker.replica import Replica

HUGE = (0, NOW - 1, money.MAX_AMOUNT, money.MAX_COEFFICIENT)
EDGES = [(n, NOW + step, 1050, 195) for n in range(4) for step in (-1, 0, 1)]


async def every(replica: Replica, read: Callable[..., Awaitable[Any]], limit: int) -> list[Any]:
    """The rows of all pages, none of which is too long."""
    rows: list[Any] = []
    place: Place | None = None
    while True:
        async with replica.database.read() as conn:
            found, place = await read(conn, place, limit)
        assert len(found) <= limit
        rows += found
        if place is None:
            return rows


def bets_of(events: list[Any], placed: list[Any]) -> list[Bet]:
    """The bets as the Python rule has them."""
    bets = []
    for n, placed_at, amount, coefficient in placed:
        status, closed_at = events[n % len(events)]
        status = bet_status(placed_at, status, closed_at)
        event_id = f"{n % len(events)}"
        bets.append(Bet("", event_id, amount, coefficient, status, placed_at, 1))
    return bets


def exposure_of(event_id: str, bets: list[Bet]) -> Exposure:
    """These bets, which are pending."""
    payouts = [bet.potential_payout for bet in bets if bet.potential_payout is not None]
    staked = sum(bet.amount for bet in bets)
    return Exposure(event_id, None, None, len(bets), staked, sum(payouts) if payouts else None)


def entry_of(day: int, event_id: str, bets: list[Bet]) -> Entry:
    """These bets of a day."""
    pending = [bet.amount for bet in bets if bet.status == "PENDING"]
    known = any(bet.coefficient is not None for bet in bets)
    return Entry(
        day,
        event_id,
        None,
        len(bets),
        sum(bet.amount for bet in bets),
        len(pending),
        sum(pending),
        sum(bet.payout or 0 for bet in bets) if known else None,
    )


@given(EVENTS, BETS, st.booleans(), st.integers(1, 5))
@example([("NEW", NOW)], [HUGE] * 3 + EDGES, True, 1)
@settings(deadline=None, max_examples=60)
def test_exposures_are_those_of_the_pending_bets(
    lasting: tuple[asyncio.Runner, Replica],
    events: list[Any],
    placed: list[Any],
    priced: bool,  # noqa: FBT001 - drawn
    limit: int,
) -> None:
    """Each event with pending bets once, the largest exposure first; to the cent, in any pages."""
    runner, replica = lasting
    placed = [(*bet[:3], (bet[3] or 195) if priced else None) for bet in placed]
    runner.run(stored(replica, events, placed))
    pending: dict[str, list[Bet]] = {}
    for bet in bets_of(events, placed):
        if bet.status == "PENDING":
            pending.setdefault(bet.event_id, []).append(bet)
    expected = [exposure_of(event_id, bets) for event_id, bets in pending.items()]
    expected.sort(key=lambda one: (-(one.exposure if priced else one.staked), one.event_id))  # type: ignore[operator]
    assert runner.run(every(replica, reports.exposures, limit)) == expected
    assert all((one.exposure is None) != priced for one in expected)


@given(
    EVENTS,
    BETS,
    st.booleans(),
    st.tuples(st.none() | INSTANTS, st.none() | INSTANTS),
    st.tuples(st.integers(1, 5), st.integers(1, 8)),
)
@example([(one, NOW) for one in ("NEW", "WIN", "LOSE", "VOID")], EDGES, True, (None, NOW), (1, 1))
@settings(deadline=None, max_examples=60)
def test_a_report_is_the_sum_of_its_bets(
    lasting: tuple[asyncio.Runner, Replica],
    events: list[Any],
    placed: list[Any],
    priced: bool,  # noqa: FBT001 - drawn
    time: tuple[int | None, int | None],
    sizes: tuple[int, int],
) -> None:
    """By day and event, of the time asked for and no other, in pages and portions of any size."""
    runner, replica = lasting
    placed = [(*bet[:3], (bet[3] or 195) if priced else None) for bet in placed]
    runner.run(stored(replica, events, placed))
    chosen: dict[tuple[int, str], list[Bet]] = {}
    start, end = time[0] or 0, time[1] or clock.LATEST
    for bet in bets_of(events, placed):
        if start <= bet.placed_at < end:
            chosen.setdefault((-(bet.placed_at // DAY_US), bet.event_id), []).append(bet)
    expected = [entry_of(-day, event_id, chosen[day, event_id]) for day, event_id in sorted(chosen)]

    def read(conn: AsyncConnection, place: Place | None, limit: int) -> Awaitable[Any]:
        return reports.report(conn, *time, place, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "SCANNED", sizes[1])
        found = runner.run(every(replica, read, sizes[0]))
    assert found == expected
    for entry in found:
        kept = (entry.returned, entry.margin) if priced else (0, entry.staked)
        assert entry.staked == entry.pending_staked * priced + sum(kept)


async def test_sums_may_be_larger_than_64_bits(replica: Replica) -> None:
    """10,000 of the largest payouts are more than SQLite's own sum can hold."""
    events = [("NEW", clock.LATEST), ("WIN", clock.LATEST), ("NEW", clock.LATEST)]
    huge = [(n, NOW, money.MAX_AMOUNT, money.MAX_COEFFICIENT) for n in (0, 1)]
    await stored(replica, events, [*huge * 10_000, (2, NOW, 100, 200)])
    most, staked = 10_000 * 999_999_999_990_000, 10_000 * money.MAX_AMOUNT
    assert most > 2**63
    for limit in (1, 100):
        large, small = await every(replica, reports.exposures, limit)
        assert (large.potential_payout, large.exposure) == (most, most - staked)
        assert (small.event_id, small.exposure) == ("2", 100)
    async with replica.database.read() as conn:
        found, _ = await reports.report(conn, None, None, None, 100)
    assert [entry.returned for entry in found] == [0, most, 0]
    assert found[1].margin == staked - most


async def test_an_event_that_is_corrected_is_exposed_again(replica: Replica) -> None:
    """A result ends the exposure; a void, a correction, an earlier deadline: all from the row."""
    await replica.apply(item(1, of=event(name="Home v Away")))
    await replica.place_one(placed_at=NOW + 10)
    await replica.place_one(placed_at=NOW + 20, amount=500)

    async def read() -> tuple[list[int | None], list[int | None]]:
        (entry,) = await every(replica, lambda *at: reports.report(at[0], None, None, *at[1:]), 9)
        assert (entry.day, entry.event_id, entry.name) == (NOW // DAY_US, "derby", "Home v Away")
        assert (entry.bets, entry.staked) == (2, 1500)
        exposures = await every(replica, reports.exposures, 9)
        return [one.exposure for one in exposures], [
            entry.pending_staked,
            entry.returned,
            entry.margin,
        ]

    async def become(seq: int, **fields: Any) -> None:  # noqa: ANN401 - any field
        await replica.apply(item(seq, of=event(name="Home v Away", version=seq, **fields)))

    assert await read() == ([1500], [1500, 0, 0])
    await become(2, status="WIN")
    assert await read() == ([], [0, 3000, -1500])
    await become(3, status="LOSE")
    assert await read() == ([], [0, 0, 1500])
    await become(4, status="WIN", closed_at=NOW + 20)
    assert await read() == ([], [0, 2500, -1000])
    await become(5, closed_at=NOW + 20)
    assert await read() == ([1000], [1000, 500, 0])
    await become(6, status="VOID")
    assert await read() == ([], [0, 1500, 0])
    await become(7, deadline=NOW + 5)
    assert await read() == ([], [0, 1500, 0])


MANY = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999),
     at(i, us) AS (SELECT i, {now} + i * CAST(864000000 AS BIGINT) FROM n)
INSERT INTO bets (bet_id, user_id, event_id, amount, coefficient, accept, placed_at, event_version,
                  feed_seq, snapshot, fix_at)
SELECT {bet_id}, 1, 'e' || (i % 400), 1000, 195, 'any', us, 1, 0, 1, us FROM at
"""
BET_ID = {
    "sqlite": "printf('%08x-%04x-7000-8000-%012x', us/65536000, us/1000%65536, i)",
    "postgresql": "lpad(to_hex(us/65536000), 8, '0') || '-' || lpad(to_hex(us/1000%65536), 4, '0')"
    " || '-7000-8000-' || lpad(to_hex(i), 12, '0')",
}[databases.ENGINE]
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[databases.ENGINE]
SCANS = ("SCAN bets", "Seq Scan on bets", "SCAN events USING INDEX sqlite_autoindex")


@pytest.fixture
async def many(replica: Replica) -> Replica:
    """20,000 bets of 200 days, 100 a day, on 400 events, of which two are not decided."""
    await replica.resync(*(event(f"e{n}", status="NEW" if n < 2 else "LOSE") for n in range(400)))
    async with replica.database.write(within_s=None) as conn:
        await conn.exec_driver_sql(f"UPDATE events SET closed_at = {clock.LATEST}")  # noqa: S608
        await conn.exec_driver_sql(MANY.format(now=NOW, bet_id=BET_ID))
        if databases.ENGINE == "postgresql":  # as it does by itself in time, and SQLite does not
            await conn.exec_driver_sql("ANALYZE")
    return replica


async def test_both_reads_lead_over_indexes(many: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many bets only those are read that are in the sum: pending ones, or those of some days."""
    monkeypatch.setattr(reports, "SCANNED", 100)
    asked: list[tuple[str, Any]] = []
    noted = lambda _, __, statement, parameters, *___: asked.append((statement, parameters))  # noqa: E731
    sa.event.listen(many.database.engine.sync_engine, "before_cursor_execute", noted)
    midnight = (NOW // DAY_US + 150) * DAY_US
    async with many.database.read() as conn:
        found, _ = await reports.exposures(conn, None, 10)
        entries, place = await reports.report(conn, None, midnight, None, 1000)
        plans = [
            "\n".join(
                row[-1] for row in await conn.exec_driver_sql(f"{EXPLAIN} {statement}", parameters)
            )
            for statement, parameters in asked[:]
            if statement != "BEGIN"
        ]
    assert [one.bets for one in found] == [50, 50]
    assert (len(entries), place) == (100, (entries[0].day - 1, ""))
    assert len(plans) == 3
    assert not [plan for plan in plans if any(scan in plan for scan in SCANS)]
