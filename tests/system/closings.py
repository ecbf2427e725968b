"""The ways in which betting on an event closes, and when it must have closed by true time.

Each way returns the latest instant at which betting can have closed; it cannot have closed before
the planned one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.system.checker import now_us, text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import httpx2

LATE_S = 0.15


@dataclass(frozen=True, slots=True)
class Closing:
    """An event, the instant at which betting on it is to close, and the way it does."""

    event_id: str
    number: int
    at: int
    close: Callable[[httpx2.AsyncClient, Closing], Coroutine[Any, Any, int]]

    @property
    def outcome(self) -> str:
        """The result it gets in the end."""
        return "LOSE" if self.number // len(WAYS) % 2 else "WIN"


async def tell(client: httpx2.AsyncClient, event_id: str, status: str, **more: object) -> int:
    """Give the event a result; the instant at which that was certainly known."""
    answer = await client.post(f"/events/{event_id}/result", json={"status": status, **more})
    assert answer.status_code == 200, answer.text
    return now_us()


async def until(at: int) -> None:
    """Return at that instant."""
    await asyncio.sleep(max(0, at - now_us()) / 1_000_000)


async def by_deadline(_: httpx2.AsyncClient, closing: Closing) -> int:
    """Nobody does anything: the deadline passes."""
    await until(closing.at)
    return closing.at


async def by_result(client: httpx2.AsyncClient, closing: Closing) -> int:
    """The price moves a last time, and the result comes."""
    await until(closing.at - 150_000)
    await client.patch(f"/events/{closing.event_id}", json={"coefficient": "2.22"})
    await until(closing.at)
    return await tell(client, closing.event_id, closing.outcome)


async def by_closed_at(client: httpx2.AsyncClient, closing: Closing) -> int:
    """The result comes late, and the operator says from when on it was known."""
    await until(closing.at)
    await asyncio.sleep(LATE_S)
    await tell(client, closing.event_id, closing.outcome, closed_at=text(closing.at))
    return closing.at


async def by_earlier_deadline(client: httpx2.AsyncClient, closing: Closing) -> int:
    """The deadline is moved, late, to where the match began."""
    await until(closing.at)
    await asyncio.sleep(LATE_S)
    answer = await client.patch(
        f"/events/{closing.event_id}", json={"deadline": text(closing.at), "coefficient": "9.99"}
    )
    assert answer.status_code == 200
    return closing.at


async def by_mistake(client: httpx2.AsyncClient, closing: Closing) -> int:
    """A result comes and is taken back; betting does not open again."""
    await until(closing.at)
    known = await tell(client, closing.event_id, "LOSE")
    await asyncio.sleep(LATE_S)
    await tell(client, closing.event_id, "NEW", correction=True)
    return known


async def by_calling_off(client: httpx2.AsyncClient, closing: Closing) -> int:
    """The event is called off; on every second one that is corrected in the end."""
    await until(closing.at)
    return await tell(client, closing.event_id, "VOID")


WAYS = (by_deadline, by_result, by_closed_at, by_earlier_deadline, by_mistake, by_calling_off)
