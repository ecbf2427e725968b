"""Sharing look-ups: those who ask while one is under way are answered by the next one together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

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
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def get(self, item: Item) -> Answer:
        """What a look-up gives for a group of which `item` is one.

        Who stops waiting does not stop it: others wait for it, too.
        """
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answered))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
        return await answered

    async def _look_up(self) -> None:
        """Look up until nobody waits."""
        group: list[tuple[Item, asyncio.Future[Answer]]] = []
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    answer = await self._ask({item for item, _ in group})
                except Exception as error:  # noqa: BLE001 - it is theirs who asked
                    for _, answered in group:
                        if not answered.done():  # who asked may have gone
                            answered.set_exception(error)
                else:
                    for _, answered in group:
                        if not answered.done():
                            answered.set_result(answer)
        finally:
            self._looking = None
            for _, answered in (*group, *self._waiting):
                answered.cancel()  # where it was cancelled itself
