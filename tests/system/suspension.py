"""A bet-maker that does not hear its line: it takes no bets, says why, and shows what it knows."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING

from tests.system.checker import Asked, ask, body_of

if TYPE_CHECKING:
    from tests.processes import Service

_keys = count()


async def bet_on(bets: Service, event_id: str) -> Asked:
    """Ask for a bet of 10.00 with a key of its own."""
    return await ask(bets.client, event_id, f"{event_id}-new-{next(_keys)}", "10.00")


async def until_refused(bets: Service, event_id: str, within_s: float) -> None:
    """Return once bets are refused for want of news, and nothing else was ever the reason."""
    began = time.monotonic()
    while (asked := await bet_on(bets, event_id)).status == 201:
        assert time.monotonic() - began < within_s, f"bets are taken after {within_s} s"
        await asyncio.sleep(0.05)
    assert (asked.status, asked.body["code"]) == (503, "feed_stale")


async def until_taken(bets: Service, event_id: str, within_s: float = 2) -> Asked:
    """The first bet that is taken again; until then the line was all that was missing."""
    began = time.monotonic()
    while (asked := await bet_on(bets, event_id)).status != 201:
        assert asked.body["code"] == "feed_stale"
        assert time.monotonic() - began < within_s, f"no bets are taken after {within_s} s"
        await asyncio.sleep(0.05)
    assert (await bets.client.get("/readyz")).status_code == 200
    return asked


async def check_suspended(bets: Service, made: Asked) -> str:
    """Suspended means: no new bets, but old ones by their key, and all reading; the reason why."""
    answer = await bets.client.post(
        "/bets",
        json={"event_id": made.event_id, "amount": "10.00"},
        headers={"Idempotency-Key": f"suspended-{next(_keys)}"},
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/problem+json"

    again = await ask(bets.client, made.event_id, made.key, str(made.amount))
    assert (again.status, again.bet_id) == (201, made.bet_id)
    for path in (
        "/healthz",
        "/events",
        f"/events/{made.event_id}",
        "/bets",
        f"/bets/{made.bet_id}",
    ):
        assert (await bets.client.get(path)).status_code == 200, path

    ready = await bets.client.get("/readyz")
    assert ready.status_code == 503
    return str(body_of(ready)["reason"])
