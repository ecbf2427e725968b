"""Taking another log's line: what was closed stays closed, and nothing is un-settled by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.contract import Cursor
from tests.bet_maker.replica import HOUR, NOW, event, item

if TYPE_CHECKING:
    from stakeline.contract import Event
    from tests.bet_maker.replica import Replica

EARLY, LATE = NOW - 2 * HOUR, NOW + 2 * HOUR


@dataclass(frozen=True)
class Case:
    """An event as it was known, as the new log has it, and as it must be known then.

    `closed_at`, `status` and `version` are what must be known; `open` whether it takes bets.
    """

    was: Event
    new: Event | str | None
    status: str
    closed_at: int
    version: int
    open: bool = False


def won(closed_at: int, **fields: Any) -> Event:  # noqa: ANN401 - any field
    """An event that was won and closed then."""
    return event(status="WIN", closed_at=closed_at, **fields)


CASES = {
    "open, and open there": Case(
        event(version=9), event(version=2, coefficient=300), "NEW", NOW + HOUR, 2, open=True
    ),
    "open, and its deadline is later there": Case(
        event(), event(deadline=LATE), "NEW", LATE, 1, open=True
    ),
    "open, and its deadline is earlier there": Case(
        event(), event(deadline=NOW + 1), "NEW", NOW + 1, 1, open=True
    ),
    "open, and past there": Case(event(), event(deadline=EARLY), "NEW", EARLY, 1),
    "open, and decided there": Case(event(version=9), won(NOW - HOUR), "WIN", NOW - HOUR, 1),
    "open, and missing there": Case(event(version=3), None, "NEW", NOW + HOUR, 3),
    "open, and unreadable there": Case(event(version=3), "derby", "NEW", NOW + HOUR, 3),
    "past, and open there": Case(
        event(deadline=EARLY, version=4), event(deadline=LATE, version=9), "NEW", EARLY, 4
    ),
    "past, and past there": Case(event(deadline=EARLY), event(deadline=EARLY), "NEW", EARLY, 1),
    "past just now, and open there": Case(
        event(deadline=NOW), event(deadline=LATE, version=9), "NEW", NOW, 1
    ),
    "past, and decided there": Case(
        event(deadline=EARLY, version=4), won(EARLY, version=2), "WIN", EARLY, 2
    ),
    "past, and closed later there": Case(
        event(deadline=EARLY), won(NOW - HOUR, version=2), "WIN", EARLY, 2
    ),
    "past, and closed earlier there": Case(
        event(deadline=NOW - HOUR), won(EARLY, version=2), "WIN", EARLY, 2
    ),
    "won, and open there": Case(
        won(NOW - HOUR, version=4), event(deadline=LATE, version=9), "WIN", NOW - HOUR, 4
    ),
    "won, and missing there": Case(won(EARLY, version=4), None, "WIN", EARLY, 4),
    "won, and won there": Case(won(EARLY, version=4), won(EARLY), "WIN", EARLY, 1),
    "won, and won later there": Case(won(EARLY), won(NOW - HOUR), "WIN", EARLY, 1),
    "won, and won earlier there": Case(won(NOW - HOUR), won(EARLY), "WIN", EARLY, 1),
    "won, and lost there": Case(
        won(EARLY), event(status="LOSE", closed_at=NOW - HOUR), "LOSE", EARLY, 1
    ),
    "won, and void there": Case(
        won(NOW - HOUR), event(status="VOID", closed_at=EARLY), "VOID", EARLY, 1
    ),
    "void in the future, and open there": Case(
        event(status="VOID", closed_at=NOW + 1), event(deadline=LATE), "VOID", NOW + 1, 1
    ),
}


@pytest.mark.parametrize("epoch", ["log", "other"], ids=["same name", "other name"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_an_event_of_another_log(replica: Replica, case: Case, epoch: str) -> None:
    """A restored log bears the old one's name, another log another: the rules are the same."""
    await replica.apply(item(1, of=case.was))
    known = [] if case.new is None else [case.new]
    await replica.resync(*known, epoch=epoch, seq=7)
    row = await replica.event()
    assert (row.status, row.closed_at, row.version) == (case.status, case.closed_at, case.version)
    assert await replica.cursor() == Cursor(epoch, 7, NOW)
    if case.open:
        await replica.place_one()
    else:
        assert await replica.refusal() == "betting_closed"


async def test_bets_stand_as_the_old_closing_had_them(replica: Replica) -> None:
    """A new log that closed the event later makes no void bet stand."""
    await replica.apply(item(1, of=event()))
    early = await replica.place_one(placed_at=NOW)
    late = await replica.place_one(placed_at=NOW + 2)
    await replica.apply(item(2, of=won(NOW + 1, version=2)))
    assert [(await replica.bet(bet)).status for bet in (early, late)] == ["WON", "VOID"]
    await replica.resync(event(status="LOSE", closed_at=NOW + HOUR), epoch="other", now=NOW + HOUR)
    assert [(await replica.bet(bet)).status for bet in (early, late)] == ["LOST", "VOID"]


async def test_an_event_missing_there_keeps_its_bets_as_they_are(replica: Replica) -> None:
    """Frozen means: no more bets, and no other fate for those there are."""
    await replica.apply(item(1, of=event("lost")), item(2, of=event("won")))
    pending, won_bet = await replica.place_one("lost"), await replica.place_one("won")
    await replica.apply(item(3, of=event("won", version=2, status="WIN", closed_at=NOW + 1)))
    await replica.resync(event("new"), epoch="other")
    assert (await replica.bet(pending)).status == "PENDING"
    assert (await replica.bet(won_bet)).status == "WON"
    assert await replica.refusal("lost") == "betting_closed"
    await replica.place_one("new")


async def test_a_closed_event_is_decided_by_the_new_log_later(replica: Replica) -> None:
    """Through the feed, too: what was closed waits for the new log's result."""
    await replica.apply(item(1, of=event()))
    early, late = await replica.place_one(), await replica.place_one(placed_at=NOW + 2)
    await replica.apply(item(2, of=event(version=2, deadline=NOW + 1)))
    await replica.resync(event(version=5, deadline=LATE), epoch="other", now=NOW + 3)
    assert await replica.refusal(placed_at=NOW + 3) == "betting_closed"
    repriced = event(version=6, deadline=LATE, coefficient=900)
    await replica.apply(item(1, of=repriced), epoch="other", now=NOW + 4)
    assert await replica.refusal(placed_at=NOW + 4) == "betting_closed"
    decided = event(version=7, deadline=LATE, status="WIN", closed_at=NOW + HOUR)
    await replica.apply(item(2, of=decided), epoch="other", now=NOW + HOUR)
    assert [(await replica.bet(bet)).status for bet in (early, late)] == ["WON", "VOID"]
    assert (await replica.event()).closed_at == NOW + 1


@pytest.mark.parametrize("then", ["NEW", "LOSE", "WIN"])
async def test_a_cap_outlives_corrections_and_further_logs(replica: Replica, then: str) -> None:
    """What an earlier log closed never opens again, through corrections, renames and resyncs."""
    await replica.apply(item(1, of=won(NOW - HOUR)))
    await replica.resync(won(NOW - 1), epoch="second")
    assert (await replica.event()).closed_at == NOW - HOUR
    corrected = event(version=2, status=then, closed_at=NOW - 1)
    await replica.apply(item(1, of=corrected), epoch="second")
    row = await replica.event()
    assert (row.status, row.closed_at) == (then, NOW - HOUR)
    for epoch in ("third", "third"):
        await replica.resync(event(version=9, status="WIN", closed_at=NOW - 1), epoch=epoch)
        assert (await replica.event()).closed_at == NOW - HOUR
    assert await replica.refusal(placed_at=EARLY) == "betting_closed"


async def test_a_cap_outlives_a_clock_set_back(replica: Replica) -> None:
    """A line-provider restored on a host whose clock is behind opens nothing that was closed."""
    await replica.apply(item(1, of=won(NOW - HOUR)))
    await replica.resync(won(NOW - HOUR), epoch="second")
    undone = event(version=2, status="NEW", closed_at=NOW - HOUR)
    await replica.apply(item(1, of=undone), epoch="second")
    await replica.resync(event(deadline=LATE), epoch="third", now=NOW - 2 * HOUR)
    assert (await replica.event()).closed_at == NOW - HOUR
    assert await replica.refusal(placed_at=NOW - 2 * HOUR) == "betting_closed"


async def test_an_open_event_goes_on_from_log_to_log(replica: Replica) -> None:
    """What was never closed takes bets from each log that has it, at its price."""
    await replica.apply(item(1, of=event(coefficient=200)))
    for epoch, coefficient in (("second", 300), ("log", 400), ("log", 500)):
        await replica.resync(event(coefficient=coefficient), epoch=epoch)
        assert (await replica.place_one()).coefficient == coefficient
    await replica.apply(item(1, of=event(version=2, deadline=LATE)))
    row = await replica.event()
    assert (row.closed_at, row.closed_cap) == (LATE, None)


async def test_a_bet_in_the_time_of_another_log_is_not_taken(replica: Replica) -> None:
    """A process that has not heard the new line yet places no bets on it, but knows its keys."""
    await replica.apply(item(1, of=event()))
    bet = await replica.place_one(key="k")
    await replica.resync(event(), epoch="other")
    assert await replica.refusal(epoch="log") == "feed_stale"
    again = await replica.place_one(key="k", epoch="log")
    assert (again.bet_id, again.replayed) == (bet.bet_id, True)


async def test_a_snapshot_of_many_portions_is_one_change(replica: Replica) -> None:
    """A snapshot that breaks off in its middle leaves everything as it was."""
    await replica.apply(item(1, of=event("old")))

    async def fail() -> None:
        from stakeline.bet_maker import events  # noqa: PLC0415 - only here

        def portions() -> Any:  # noqa: ANN401 - a generator of portions
            yield [("derby", event())]
            raise KeyError

        async with replica.database.write() as conn:
            await events.apply_snapshot(conn, Cursor("other", 9, NOW), NOW, portions())

    with pytest.raises(KeyError):
        await fail()
    assert await replica.cursor() == Cursor("log", 1, NOW + 1)
    assert await replica.refusal() == "event_not_found"
    await replica.place_one("old")
