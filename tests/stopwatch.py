"""How long something takes in the test's process, on a machine that is busy with others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")
_LOOK_S = 0.05


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """What comes of it, and after how many seconds of waiting.

    What counts is the time in which the loop had nothing to do, or did it at once: not that in
    which it waited for a processor, or for its turn among much else.
    """
    doing = asyncio.ensure_future(work)
    took_s = 0.0
    try:
        while not doing.done():
            began = time.monotonic()
            await asyncio.wait([doing], timeout=_LOOK_S)
            took_s += min(time.monotonic() - began, _LOOK_S)
    finally:
        doing.cancel()  # nothing, once it is done
    return await doing, took_s
