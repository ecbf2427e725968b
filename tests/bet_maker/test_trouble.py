"""Following a line in trouble: gaps, what cannot be read, another log, nobody there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response

from stakeline.bet_maker import follower as following
from stakeline.bet_maker import tables
from stakeline.bet_maker.line import FeedUnreachable, Line
from tests.bet_maker.scripted_line import lasting, nothing

if TYPE_CHECKING:
    from tests.bet_maker.pair import Pair


async def test_a_gap_is_asked_for_again(pair: Pair) -> None:
    """While an item is missing nothing after it is applied and no bet is taken."""
    for _ in range(3):
        pair.line.add()
    missing = pair.line.items.pop(1)
    async with pair.running():
        await pair.until_asked(3)
        assert pair.follower.why_stale() is not None
        assert (await pair.cursor()).seq == 0
        pair.line.items.insert(1, missing)
        await pair.until_ready()
        assert (await pair.cursor()).seq == 3


async def test_a_gap_that_stays_is_not_asked_for_without_a_pause(pair: Pair) -> None:
    """A line that keeps answering with a gap is not flooded with requests."""
    pair.line.add()
    pair.line.add()
    del pair.line.items[0]
    async with pair.running():
        await pair.until_asked(1)
        before = len(pair.line.asked)
        await asyncio.sleep(0.2)
        assert len(pair.line.asked) - before < 25


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"v": 2}, "of version 2"),
        ({"epoch": "other"}, "another epoch than its page"),
        ({"event": {"event_id": "a b"}}, "without a readable id"),
        ({"seq": "two"}, "unreadable feed"),
    ],
)
async def test_what_must_not_be_skipped_stops_the_line(
    pair: Pair, spoil: dict[str, object], told: str
) -> None:
    """Not ready, with the reason; nothing of that page is applied, until it can be read."""
    pair.line.add(lasting("one"))
    pair.line.add(lasting("two"), **spoil)
    pair.line.add(lasting("three"))
    async with pair.running():
        await pair.until(lambda: told in (pair.follower.why_stale() or ""))
        await pair.until_asked(2)
        assert (await pair.cursor()).seq == 0
        assert not (await pair.follower.stamp()).fresh
        pair.line.items.clear()
        for name in ("one", "two", "three"):
            pair.line.add(lasting(name))
        await pair.until_ready()
        assert (await pair.cursor()).seq == 3


async def test_an_unreadable_event_stops_itself_only(pair: Pair) -> None:
    """The line goes on, the event takes no bets, and it is logged; a readable item heals it."""
    pair.line.add(lasting("one"))
    pair.line.add(lasting("two"))
    pair.line.add(lasting("one"), event={"status": "POSTPONED", "version": 2})
    async with pair.running():
        await pair.until_ready()
        assert await pair.replica.refusal("one") == "betting_closed"
        await pair.replica.place_one("two")
        (line,) = [line for line in pair.logged if "unreadable" in line["event"]]
        assert (line["event_id"], line["seq"], line["log_level"]) == ("one", 3, "error")
        pair.line.add(lasting("one", version=3))
        await pair.until(lambda: pair.count("stakeline_feed_items_total") == 4)
        await pair.replica.place_one("one")


async def test_another_log_asks_for_a_resync(pair: Pair) -> None:
    """Not ready at once, saying what to do, until somebody takes the new line; then it goes on."""
    pair.line.add(lasting("old"))
    async with pair.running():
        await pair.until_ready()
        pair.line.answer = Response(status_code=409)
        await pair.until(lambda: "stakeline bet-maker resync" in (pair.follower.why_stale() or ""))
        assert not (await pair.follower.stamp()).fresh
        pair.line.answer, pair.line.epoch = None, "new"
        pair.line.items.clear()
        await following.resync(pair.replica.database, pair.client)
        await pair.until_ready()
        assert (await pair.cursor()).epoch == "new"
        assert await pair.replica.refusal("old") == "betting_closed"


async def test_another_log_behind_the_same_address_is_no_fix(pair: Pair) -> None:
    """An answer of another epoch, whatever its status, says nothing of this line."""
    async with pair.running():
        await pair.until_ready()
        pair.line.epoch = "other"
        await pair.until_asked(2)
        pair.forget_fix()
        await pair.until_asked(3)
        assert pair.follower.why_stale() is not None


async def test_trouble_is_logged_once_and_told_until_it_is_over(pair: Pair) -> None:
    """A line that stays away fills no log."""
    pair.line.answer = Response(status_code=502)
    async with pair.running():
        await pair.until_asked(4)
        assert pair.follower.why_stale() == "line-provider answers 502."
        troubles = [line for line in pair.logged if "cannot be followed" in line["event"]]
        assert [line["why"] for line in troubles] == ["line-provider answers 502."]
        pair.line.answer = None
        await pair.until_ready()


async def test_it_outlives_what_nobody_thought_of(pair: Pair) -> None:
    """A defect stops following for a moment, is logged, and tried again."""
    async with pair.running():
        await pair.until_ready()
        cursor = await pair.cursor()
        async with pair.replica.database.write() as conn:
            await conn.exec_driver_sql("DELETE FROM cursor")
        await pair.until(lambda: any("failed" in line["event"] for line in pair.logged))
        pair.forget_fix()
        assert pair.follower.why_stale() is not None
        async with pair.replica.database.write() as conn:
            await conn.execute(
                tables.cursor.insert().values(
                    id=1, mode="following", epoch="log", seq=0, at=cursor.at, snapshot=1
                )
            )
        await pair.until_ready()


async def test_a_resync_without_a_line_changes_nothing(pair: Pair) -> None:
    """Cursor and events stay as they are."""
    pair.line.add()
    await pair.follower._step(0)
    cursor, nobody = await pair.cursor(), Line("http://127.0.0.1:9")
    with pytest.raises(FeedUnreachable):
        await following.resync(pair.replica.database, nobody)
    await nobody.close()
    assert await pair.cursor() == cursor
    await pair.replica.place_one()


async def test_a_resync_beside_a_running_bet_maker_takes_nothing_back(pair: Pair) -> None:
    """What it has applied while the snapshot was fetched stays; no bet is taken at an old price."""
    pair.line.add(lasting(coefficient=200))
    await pair.follower._step(0)

    async def go_on() -> None:
        pair.line.add(lasting(version=2, coefficient=300))
        await pair.follower._step(0)

    pair.line.meanwhile = go_on
    assert (await following.resync(pair.replica.database, pair.client)).seq == 2
    assert (await pair.cursor()).seq == 2
    assert (await pair.replica.place_one()).coefficient == 300
    pair.line.add(lasting(version=3, coefficient=400))
    await pair.follower._step(0)
    assert (await pair.replica.place_one()).coefficient == 400


@pytest.mark.parametrize("applied", [1, 3])
async def test_a_resync_goes_back_with_a_log_that_was_restored(pair: Pair, applied: int) -> None:
    """It bears the same name and lacks the last items: what it has is what counts."""
    for version in range(1, 4):
        pair.line.add(lasting(version=version, coefficient=version * 100))
    pair.line.page_size = applied
    await pair.follower._step(0)
    assert (await pair.cursor()).seq == applied
    del pair.line.items[2:]
    pair.line.meanwhile = nothing
    assert (await following.resync(pair.replica.database, pair.client)).seq == 2
    assert (await pair.cursor()).seq == 2
    assert (await pair.replica.place_one()).coefficient == 200
