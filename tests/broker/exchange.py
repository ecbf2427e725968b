"""The exchange in the hands of a test: binding to it, forging, deleting."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aio_pika
from aio_pika.exceptions import QueueEmpty

from stakeline.broker import EXCHANGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue


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
    """A third party's queue; `got` is what has come so far, in order."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self._channel, self._queue = channel, queue
        self.got: list[Got] = []

    async def take(self) -> list[Got]:
        """All that has come by now: what comes while it is taken may be more, and for ever so."""
        seen = await self._channel.declare_queue(self._queue.name, passive=True)
        with suppress(QueueEmpty):
            for _ in range(seen.declaration_result.message_count or 0):
                message = await self._queue.get(no_ack=True)
                assert message is not None
                self.got.append(Got(message.routing_key or "", message.message_id, message.body))
        return self.got

    async def until_seqs(self, *seqs: int) -> list[Got]:
        """All that has come, once every item with one of these numbers has."""
        async with asyncio.timeout(30):
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
        return Queue(channel, queue)

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
