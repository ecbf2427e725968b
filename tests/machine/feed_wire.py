"""The connection on which a bet-maker asks for the feed, and all that can go wrong on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from tests.machine.clocks import Time

    Message = MutableMapping[str, Any]
    App = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[None],
    ]

Fault = Literal["none", "request lost", "answer lost", "cut", "doubled"]
Hold = Literal["nowhere", "request", "midway", "answer"]


@dataclass(frozen=True)
class Fate:
    """What becomes of the next feed request.

    Attributes:
        fault: `doubled` gives an earlier answer once more, in place of its own.
        hold: where it waits until it is let go on; `midway` is a snapshot between its first line
            and the rows.
        there_us: how long the request takes.
        back_us: how long the answer takes.
        earlier: which earlier answer is doubled, counted from the newest.
    """

    fault: Fault = "none"
    hold: Hold = "nowhere"
    there_us: int = 0
    back_us: int = 0
    earlier: int = 0


@dataclass
class Exchange:
    """One feed request and its answer; times are true ones.

    Attributes:
        path: `/feed` or `/feed/snapshot`.
        sent: when bet-maker asked.
        received: when line-provider got it.
        status: of line-provider's answer.
        headers: its headers.
        body: its body.
        given: the exchange whose answer bet-maker was given whole; None if none was.
    """

    path: str
    sent: int
    received: int = 0
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    given: Exchange | None = None


class FeedWire(httpx2.AsyncBaseTransport):
    """Carries feed requests to whatever application is line-provider now.

    Attributes:
        fate: of the next request; it is used up by it.
        settled: set while the follower waits for the machine, here or between two steps.
        exchanges: every request of this wire, in order.
    """

    def __init__(self, time: Time, line: Callable[[], App], answers: list[Exchange]) -> None:
        self.fate = Fate()
        self.settled = asyncio.Event()
        self.exchanges: list[Exchange] = []
        self._time, self._line, self._answers = time, line, answers
        self._let_go = asyncio.Event()
        self.holding = False

    async def go_on(self) -> None:
        """Let what is held go on, until the follower waits again."""
        self.settled.clear()
        self._let_go.set()
        await self.settled.wait()

    async def _hold(self) -> None:
        self._let_go.clear()
        self.holding = True
        self.settled.set()
        try:
            await self._let_go.wait()
        finally:
            self.holding = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Line-provider's answer, unless something happens to it."""
        fate, self.fate = self.fate, Fate()
        exchange = Exchange(request.url.path, self._time.now)
        snapshot = exchange.path.endswith("snapshot")
        self.exchanges.append(exchange)
        self._time.passes(fate.there_us)
        if fate.fault == "request lost":
            raise httpx2.ConnectError("lost, for a test")
        if fate.hold == "request":
            await self._hold()
        exchange.received = self._time.now
        answer = await self._ask(request, hold=fate.hold == "midway" and snapshot)
        exchange.status, exchange.headers = answer.status_code, answer.headers.raw
        exchange.body = await answer.aread()
        earlier = [old for old in self._answers if old.path == exchange.path]
        self._answers.append(exchange)
        self._time.passes(fate.back_us)
        if fate.hold == "answer" or (fate.hold == "midway" and not snapshot):
            await self._hold()
        return self._deliver(exchange, fate, earlier)

    async def _ask(self, request: httpx2.Request, *, hold: bool) -> httpx2.Response:
        line = self._line()

        async def app(
            scope: Message,
            receive: Callable[[], Awaitable[Message]],
            send: Callable[[Message], Awaitable[None]],
        ) -> None:
            first = hold

            async def send_and_wait(message: Message) -> None:
                nonlocal first
                await send(message)
                if first and message.get("body"):
                    first = False
                    await self._hold()

            await line(scope, receive, send_and_wait)

        return await httpx2.ASGITransport(app).handle_async_request(request)

    def _deliver(self, own: Exchange, fate: Fate, earlier: list[Exchange]) -> httpx2.Response:
        doubled = fate.fault == "doubled" and earlier
        if fate.fault == "answer lost":
            raise httpx2.ReadError("lost, for a test")
        if fate.fault == "cut":
            half = own.body[: len(own.body) // 2]
            if own.path.endswith("snapshot"):  # its end is told by HTTP alone
                return httpx2.Response(own.status, headers=own.headers, stream=_Cut(half))
            return httpx2.Response(own.status, headers=own.headers, content=half)
        own.given = given = earlier[-1 - fate.earlier % len(earlier)] if doubled else own
        return httpx2.Response(given.status, headers=given.headers, content=given.body)


class _Cut(httpx2.AsyncByteStream):
    """A body whose connection breaks."""

    def __init__(self, part: bytes) -> None:
        self._part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        raise httpx2.ReadError("cut, for a test")
