"""The tests' own stopwatch: what a limit is held against must not leave out what it is for."""

from __future__ import annotations

import asyncio
import time

from tests.stopwatch import timed

HELD_UP_S = 0.5


async def hold_up() -> str:
    """What a service must not do to its loop."""
    time.sleep(HELD_UP_S)  # noqa: ASYNC251 - just that
    return "done"


async def test_who_holds_up_the_loop_is_timed() -> None:
    """Whether it is what is timed itself, or anything beside it."""
    done, took_s = await timed(hold_up())
    assert done == "done"
    assert took_s > HELD_UP_S * 0.9
    beside = asyncio.create_task(hold_up())
    _, took_s = await timed(asyncio.sleep(0.01))
    assert took_s > HELD_UP_S * 0.9
    await beside
