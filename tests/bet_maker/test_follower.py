"""Following the line: when bets may be taken, and at which time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response

from stakeline import clock
from stakeline.bet_maker.follower import FRESH_US
from stakeline.contract import Cursor
from tests.bet_maker.scripted_line import lasting

if TYPE_CHECKING:
    from tests.bet_maker.pair import Pair


async def test_it_starts_with_a_snapshot_and_goes_on_with_the_feed(pair: Pair) -> None:
    """Nothing is fresh before; then every item comes, in pages of whatever size."""
    pair.line.page_size = 2
    for number in range(5):
        pair.line.add(lasting(f"event-{number}"))
    assert pair.follower.why_stale() == "the line has not been heard yet"
    assert not (await pair.follower.stamp()).fresh
    async with pair.running():
        await pair.until_ready()
        assert (await pair.follower.stamp()).fresh
        assert await pair.replica.cursor() == Cursor(
            "log", 5, clock.parse_instant(pair.line.items[4]["at"])
        )
        assert pair.count("stakeline_feed_items_total") == 5
        assert 0 <= pair.count("stakeline_feed_age_seconds") < 1
        pair.line.add(lasting("event-5"))
        await pair.until(lambda: pair.count("stakeline_feed_items_total") == 6)


async def test_it_waits_at_the_line_only_while_all_is_well(pair: Pair) -> None:
    """The first request and the one after a failure ask for an answer at once."""
    async with pair.running():
        await pair.until_asked(3)
        assert [query["wait"] for query in pair.line.asked[:3]] == ["0.0", "1.0", "1.0"]
        pair.line.answer = Response(status_code=500)
        await pair.until_asked(3)
        assert pair.line.asked[-1]["wait"] == "0.0"


async def test_part_of_the_line_is_no_fix(pair: Pair) -> None:
    """Bets wait until the head of an answer has been applied, however old the items are."""
    pair.line.page_size = 1
    for _ in range(3):
        pair.line.add()
    ready = []
    for _ in range(3):
        await pair.follower._step(0)
        ready.append(pair.follower.why_stale() is None)
    assert ready == [False, False, True]


@pytest.mark.parametrize("fast_us", [-3600 * 10**6, 0, 3600 * 10**6])
async def test_the_time_is_the_lines(pair: Pair, fast_us: int) -> None:
    """Whatever the clock here says, a bet's time is line-provider's, to one round trip."""
    pair.line.fast_us = fast_us
    local = await pair.follower.time()
    assert abs(local - clock.now()) < clock.US_PER_S
    await pair.follower._step(0)
    before = clock.now() + fast_us
    stamp = await pair.follower.stamp()
    assert 0 <= stamp.placed_at - before < clock.US_PER_S
    assert 0 <= stamp.placed_at - stamp.fix_at < clock.US_PER_S
    assert 0 <= await pair.follower.time() - before < clock.US_PER_S


async def test_a_fix_is_good_for_five_seconds(pair: Pair) -> None:
    """Counted from when its request was sent; then bets wait for the next one."""
    await pair.follower._step(0)
    for age_us, fresh in ((FRESH_US - 500_000, True), (FRESH_US + 1, False)):
        assert pair.follower._fix is not None
        pair.follower._fix = replace(pair.follower._fix, sent=clock.steady() - age_us)
        pair.follower._trouble = None
        assert (await pair.follower.stamp()).fresh == fresh
        assert (pair.follower.why_stale() is None) == fresh
    assert pair.follower.why_stale() == "the line has not been heard for more than 5 s"


@pytest.mark.parametrize("step_us", [-3_000_000, 3_000_000])
async def test_a_jump_of_the_lines_clock_is_an_alarm(pair: Pair, step_us: int) -> None:
    """A clock that jumps by more than a second is counted and logged, one that drifts is not."""
    async with pair.running():
        await pair.until_ready()
        for fast_us, steps in ((200_000, 0), (200_000 + step_us, 1), (400_000 + step_us, 1)):
            pair.line.fast_us = fast_us
            await pair.until_asked(3)
            assert pair.count("stakeline_line_clock_steps_total") == steps
        (line,) = [line for line in pair.logged if "jumped" in line["event"]]
        assert abs(line["step_s"] - step_us / clock.US_PER_S) < 0.5


async def test_of_two_that_start_together_one_takes_the_snapshot(pair: Pair) -> None:
    """The other goes on from where the first one is."""
    pair.line.add()
    await pair.follower._step(0)
    cursor = await pair.cursor()
    assert cursor.seq == 1
    assert await pair.follower._start() == cursor


async def test_a_ring_asks_at_once(pair: Pair) -> None:
    """The request that is held is given up for one without a wait; time is reckoned from that."""
    pair.line.hold_s = 1.5
    async with pair.running():
        await pair.until(lambda: [query["wait"] for query in pair.line.asked] == ["0.0", "1.0"])
        rung = clock.steady()
        pair.line.add()
        pair.follower.ring()
        await pair.until(lambda: pair.count("stakeline_feed_items_total") == 1)
        assert pair.line.asked[2]["wait"] == "0.0"
        await pair.until(lambda: len(pair.line.asked) == 4)  # and the next one is held again
        assert pair.line.asked[3]["wait"] == "1.0"
        assert pair.follower._fix is not None
        assert rung <= pair.follower._fix.sent <= clock.steady()


async def test_rings_meanwhile_are_one_ring(pair: Pair) -> None:
    """However often it rings while the line is asked, it is asked once more, and then held."""
    pair.line.hold_s = 1.5
    for _ in range(100):
        pair.follower.ring()
    async with pair.running():
        await pair.until(lambda: len(pair.line.asked) == 2)
        await asyncio.sleep(0.1)
        assert [query["wait"] for query in pair.line.asked] == ["0.0", "1.0"]


async def test_a_line_that_is_slow_to_answer_is_heard_in_a_storm_of_rings(pair: Pair) -> None:
    """A request without a wait is never given up for a ring: there would be no end of it."""
    answered_s = 0.2
    pair.line.slow_s = answered_s

    async def storm() -> None:
        while True:
            pair.follower.ring()
            await asyncio.sleep(0.001)

    storming = asyncio.create_task(storm())
    async with pair.running():
        await pair.until_ready()
        pair.line.add()
        await pair.until(lambda: pair.count("stakeline_feed_items_total") == 1)
        asked = len(pair.line.asked)
        await asyncio.sleep(5 * answered_s)
        assert len(pair.line.asked) - asked <= 7
    storming.cancel()
