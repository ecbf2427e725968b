"""An operator and a crowd of users who do not give up: what fails they repeat, bets by key."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count, cycle
from typing import TYPE_CHECKING

import httpx2

from tests.processes import insist
from tests.system.checker import ask, now_us

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.processes import Service
    from tests.system.checker import Asked

RESULTS = ("WIN", "LOSE", "WIN", "VOID")
COEFFICIENTS = ("1.95", "2.00", "3.35", "0.50")
AMOUNTS = ("10.50", "0.01", "3.33", "100", "7.77")
OPEN = 8
EVERY_S = 0.1


class Operator:
    """Runs the line: a new event every 0.1 s, and the result of the eighth before it.

    Args:
        line: a line-provider.
        name: what its events' ids begin with.
        others: line-providers of the same line; requests go to one after another.

    Attributes:
        open: the events that have no result yet, oldest first.
        results: what line-provider has acknowledged, by event.
    """

    def __init__(self, line: Service, name: str, *others: Service) -> None:
        self.open: list[str] = []
        self.results: dict[str, str] = {}
        self._lines = cycle([line, *others])
        self._name = name
        self._leaves = False

    def leave(self) -> None:
        """Publish no more; `run` ends once every event has its result."""
        self._leaves = True

    async def run(self) -> None:
        """Run the line until told to leave."""
        for n in count():
            if not self._leaves:
                self.open.append(await self._publish(n))
            elif not self.open:
                return
            if self._leaves or len(self.open) > OPEN:
                await self._decide(self.open[0], len(self.results))
                del self.open[0]
            await asyncio.sleep(EVERY_S if not self._leaves else 0)

    async def _publish(self, n: int) -> str:
        event = {"event_id": f"{self._name}-{n}", "coefficient": COEFFICIENTS[n % 4]}
        answer = await insist(lambda: next(self._lines).client.post("/events", json=event))
        assert answer.status_code in {200, 201}, answer.text
        return event["event_id"]

    async def _decide(self, event_id: str, n: int) -> None:
        path, status = f"/events/{event_id}/result", RESULTS[n % 4]
        answer = await insist(lambda: next(self._lines).client.post(path, json={"status": status}))
        assert answer.status_code == 200, answer.text
        if n % 3 == 0:
            status = "LOSE" if status == "WIN" else "WIN"
            correction = {"status": status, "correction": True}
            answer = await insist(lambda: next(self._lines).client.post(path, json=correction))
            assert answer.status_code == 200, answer.text
        self.results[event_id] = status


class Crowd:
    """Users who bet on the operator's open events, one bet after another, each with its own key.

    Attributes:
        asked: what became of every bet; `sent` is when it was first tried.
        retries: how often a bet had to be tried again.
    """

    def __init__(self, operator: Operator, services: Sequence[Service]) -> None:
        self.asked: list[Asked] = []
        self.retries = 0
        self._operator = operator
        self._clients = [service.client for service in services]
        self._leaves = False

    @asynccontextmanager
    async def at_work(self, users: int) -> AsyncIterator[None]:
        """So many users bet and the operator runs the line, until the block ends.

        Then every bet that was begun is seen through, and every event gets its result.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._operator.run())
            for user in range(users):
                group.create_task(self._bet(user))
            yield
            self._leaves = True
            self._operator.leave()

    async def _bet(self, user: int) -> None:
        for n in count():
            while not self._operator.open and not self._leaves:
                await asyncio.sleep(0.01)
            if self._leaves:
                return
            events = self._operator.open
            event_id = events[(user + n) % len(events)]
            self.asked.append(await self._insist(event_id, user, n))

    async def _insist(self, event_id: str, user: int, n: int) -> Asked:
        first_sent = now_us()
        key, amount = f"{event_id}-{user}-{n}", AMOUNTS[n % len(AMOUNTS)]
        for client in cycle(self._clients[user % len(self._clients) :] + self._clients):
            with suppress(httpx2.TransportError):
                asked = await ask(client, event_id, key, amount)
                if asked.status != httpx2.codes.SERVICE_UNAVAILABLE:
                    return replace(asked, sent=first_sent)
            self.retries += 1
            await asyncio.sleep(0.1)
        raise AssertionError("a cycle does not end")
