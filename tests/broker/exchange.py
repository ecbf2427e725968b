"""The exchange in the hands of a test: binding to it, forging, deleting."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import aio_pika

from stakeline.broker import EXCHANGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aio_pika.abc import (
        AbstractChannel,
        AbstractConnection,
        AbstractIncomingMessage,
        AbstractQueue,
    )


@dataclass(frozen=True, slots=True)
class Got:
    """A message as a third party gets it."""

    key: str
    message_id: str | None
    body: bytes

    @property
    def item(self) -> dict[str, Any]:
        """The feed item in it."""
        item: dict[str, Any] = json.loads(self.body)
        return item


class Queue:
    """A third party's queue; `got` is what was taken of it so far, in order."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self._channel, self._queue = channel, queue
        self._marks = count()
        self._come: list[Got] = []
        self._marked = asyncio.Event()
        self.got: list[Got] = []

    async def listen(self) -> None:
        """Have messages sent: to ask for each would take a slow broker minutes."""
        await self._queue.consume(self._keep, no_ack=True)

    async def _keep(self, message: AbstractIncomingMessage) -> None:
        self._come.append(Got(message.routing_key or "", message.message_id, message.body))
        if message.exchange == "":
            self._marked.set()

    async def take(self) -> list[Got]:
        """All that has come by now: what comes while it is taken may be more, and for ever so."""
        mark = aio_pika.Message(b"", message_id=f"mark {next(self._marks)}")
        self._marked.clear()
        await self._channel.default_exchange.publish(mark, self._queue.name)
        await self._marked.wait()
        (at,) = (n for n, got in enumerate(self._come) if got.message_id == mark.message_id)
        self.got += self._come[:at]
        del self._come[: at + 1]
        return self.got

    async def until_seqs(self, *seqs: int) -> list[Got]:
        """All that has come, once every item with one of these numbers has."""
        async with asyncio.timeout(90):
            while not set(seqs) <= {got.item["seq"] for got in await self.take()}:
                await asyncio.sleep(0.02)
        return self.got


class Exchange:
    """The exchange, over a connection of its own."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def declare(self) -> None:
        """Make it, unless it is there."""
        async with self._channel() as channel:
            await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)

    async def delete(self) -> None:
        """Remove it, and who is bound to it."""
        async with self._channel() as channel:
            await channel.exchange_delete(EXCHANGE)

    async def bind(self, key: str = "#") -> Queue:
        """A queue that gets what is published from now on; gone with the connection."""
        await self.declare()
        channel = await self._connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, key)
        bound = Queue(channel, queue)
        await bound.listen()
        return bound

    async def publish(self, body: bytes, key: str = "event.WIN") -> None:
        """Put anything on it, as whoever may publish can."""
        async with self._channel() as channel:
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            await exchange.publish(aio_pika.Message(body), key)

    async def storm(self, bodies: list[bytes]) -> None:
        """Put all these on it as fast as it takes them."""
        async with self._channel(confirms=False) as channel:
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            for body in bodies:
                await exchange.publish(aio_pika.Message(body), "event.WIN", mandatory=False)

    @asynccontextmanager
    async def _channel(self, *, confirms: bool = True) -> AsyncIterator[AbstractChannel]:
        channel = await self._connection.channel(publisher_confirms=confirms)
        yield channel
        await channel.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Exchange]:
    """The exchange, over a connection of its own."""
    connection = await aio_pika.connect(url, timeout=10)
    yield Exchange(connection)
    await connection.close()
