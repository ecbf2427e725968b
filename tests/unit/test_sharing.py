"""Look-ups that are shared: by whom, what nobody may see, and what happens to those who wait."""

from __future__ import annotations

import asyncio
import gc

import pytest

from stakeline.sharing import Shared


class Shelf:
    """Something to look up, which takes its time; it is what it was when the look-up began."""

    def __init__(self) -> None:
        self.stands = 0
        self.asked: list[set[str]] = []
        self.may_end = asyncio.Event()
        self.shared = Shared(self._look)

    async def _look(self, items: set[str]) -> int:
        self.asked.append(items)
        stands = self.stands
        await self.may_end.wait()
        if "broken" in items:
            raise LookupError("broken")
        return stands

    def ask(self, item: str) -> asyncio.Task[int]:
        """Ask for an item, without waiting for the answer."""
        return asyncio.create_task(self.shared.get(item))

    async def until_asked(self, times: int) -> None:
        """Return once so many look-ups have begun, and all who have asked wait."""
        async with asyncio.timeout(5):
            while len(self.asked) < times:
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_who_asks_meanwhile_shares_the_next_one() -> None:
    """One look-up for all of them, whatever each asks for; the one under way is not for them."""
    shelf = Shelf()
    first = shelf.ask("a")
    await shelf.until_asked(1)
    shelf.stands = 1
    others = [shelf.ask(item) for item in ("b", "c", "b")]
    await shelf.until_asked(1)
    shelf.may_end.set()
    assert await first == 0
    assert await asyncio.gather(*others) == [1, 1, 1]
    assert shelf.asked == [{"a"}, {"b", "c"}]


async def test_nobody_is_told_what_was_before_they_asked() -> None:
    """Also not by a look-up that began only just before."""
    shelf = Shelf()
    shelf.may_end.set()

    async def look_often() -> None:
        for _ in range(50):
            shelf.stands += 1
            stands = shelf.stands
            assert await shelf.shared.get("a") >= stands

    await asyncio.gather(*(look_often() for _ in range(20)))
    assert len(shelf.asked) < 1000


async def test_a_lone_caller_does_not_wait_for_others() -> None:
    """Each gets a look-up of their own, one after the other."""
    shelf = Shelf()
    shelf.may_end.set()
    for stands in (3, 4, 5):
        shelf.stands = stands
        assert await shelf.shared.get("a") == stands
    assert len(shelf.asked) == 3


async def test_what_fails_fails_for_its_own_group_only() -> None:
    """All who share a look-up hear of it; those after it get theirs."""
    shelf = Shelf()
    group = [shelf.ask("broken"), shelf.ask("a")]
    await shelf.until_asked(1)
    later = shelf.ask("b")
    await shelf.until_asked(1)
    shelf.may_end.set()
    for one in group:
        with pytest.raises(LookupError):
            await one
    assert await later == 0
    assert shelf.asked == [{"broken", "a"}, {"b"}]


async def test_who_goes_away_disturbs_nobody() -> None:
    """Neither the look-up under way nor the next one is given up."""
    shelf = Shelf()
    gone, stays = shelf.ask("a"), shelf.ask("a")
    await shelf.until_asked(1)
    gone_too, stays_too = shelf.ask("b"), shelf.ask("c")
    await shelf.until_asked(1)
    gone.cancel()
    gone_too.cancel()
    await asyncio.wait([gone, gone_too])
    shelf.may_end.set()
    assert (await stays, await stays_too) == (0, 0)
    assert shelf.asked == [{"a"}, {"b", "c"}]


async def test_an_error_that_nobody_waits_for_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """All who asked have gone: nothing is logged, and the next one is answered."""
    shelf = Shelf()
    gone = shelf.ask("broken")
    await shelf.until_asked(1)
    gone.cancel()
    await asyncio.wait([gone])
    shelf.may_end.set()
    assert await shelf.shared.get("a") == 0
    del gone
    gc.collect()
    assert caplog.records == []
