"""Sharing look-ups: those who ask while one is under way are answered by the next one together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Shared(Generic[Item, Answer]):
    """One look-up after another, each for all who have asked since the one before began.

    No answer is stale: it comes of a look-up that began after its caller had asked. One lone caller
    never waits.

    Args:
        ask: looks up what a group has asked for, and what it gives or raises all of them get.
    """

    def __init__(self, ask: Callable[[set[Item]], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._items: set[Item] = set()
        self._next: asyncio.Task[Answer] | None = None
        self._last: asyncio.Task[Answer] | None = None

    async def get(self, item: Item) -> Answer:
        """What a look-up gives for a group of which `item` is one.

        Who stops waiting does not stop it: others wait for it, too.
        """
        self._items.add(item)
        task = self._next
        if task is None:
            task = self._next = self._last = asyncio.create_task(self._look_up(self._last))
            task.add_done_callback(_hear)
        await asyncio.wait([task])
        return task.result()

    async def _look_up(self, before: asyncio.Task[Answer] | None) -> Answer:
        if before is not None and not before.done():
            await asyncio.wait([before])
        items, self._items, self._next = self._items, set(), None
        return await self._ask(items)


def _hear(task: asyncio.Task[Any]) -> None:
    """Take note of how it ended: perhaps nobody waits any more who could."""
    if not task.cancelled():
        task.exception()
