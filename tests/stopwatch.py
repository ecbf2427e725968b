"""How long something takes in the test's process, on a machine that is busy with others."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")
_LOOK_S = 0.05


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """What comes of it, and after how many seconds of waiting.

    What does not count is the time in which this process, with whatever it serves, waited for a
    processor, as far as Linux tells. What holds up its loop does: a service here could do that.
    """
    doing = asyncio.ensure_future(work)
    took_s = 0.0
    try:
        while not doing.done():
            began, stood_s = time.monotonic(), _stood_s()
            await asyncio.wait([doing], timeout=_LOOK_S)
            passed_s = time.monotonic() - began
            late_s = max(passed_s - _LOOK_S, 0)
            took_s += passed_s - min(late_s, max(_stood_s() - stood_s, 0))
    finally:
        doing.cancel()  # nothing, once it is done
    return await doing, took_s


def _stood_s() -> float:
    """How long threads of this process that are there now had work, but no processor."""
    stood_ns = 0
    for told in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that has ended since
            stood_ns += int(told.read_text().split()[1])
    return stood_ns / 1e9
