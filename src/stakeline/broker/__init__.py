"""RabbitMQ: publishing items and hearing the doorbell, nothing else.

The broker may be away, slow, stuck, wiped or lie: nothing here waits for it without a limit, and
nothing but latency depends on it. What was told of it in the log is told once: when it goes, and
when it works again.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aio_pika
import structlog
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from prometheus_client import CollectorRegistry, Gauge

from stakeline.broker.connecting import BrokerAway, connection_to, in_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

__all__ = ["EXCHANGE", "Broker", "BrokerAway", "Message", "Publisher"]

log = structlog.get_logger(__name__)

EXCHANGE = "stakeline.line"
CONFIRM_S = 1.0
"""How long it may take to confirm what is published: a transaction may be waiting for it."""
CHECK_S = 5.0
"""How often the doorbell is looked after: nobody tells its owner that it was unbound."""
REST_S = 0.02
"""How soon the doorbell rings again at the earliest; what comes meanwhile is one ring."""
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""How long to wait after one failure, two of them, and so on; the last one from then on."""
STEADY_S = 5.0
"""A connection that held so long has made up for the failures before it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published: JSON, kept by durable queues over the broker's restarts."""

    routing_key: str
    message_id: str
    body: bytes


class Publisher:
    """A connection to the broker, in the hands of who publishes."""

    def __init__(self, exchange: AbstractExchange) -> None:
        self._exchange = exchange

    async def publish(self, messages: Sequence[Message]) -> int:
        """Publish in this order; how many of them found no queue, which is as good.

        Raises:
            BrokerAway: not all were confirmed within a second; any of them may have been published.
        """
        try:
            async with asyncio.timeout(CONFIRM_S):
                answers = await asyncio.gather(*(self._publish(message) for message in messages))
        except TimeoutError:
            raise BrokerAway("it does not confirm what is published") from None
        return sum(answers)

    async def _publish(self, message: Message) -> bool:
        sent = aio_pika.Message(
            message.body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message.message_id,
        )
        answer = await self._exchange.publish(sent, message.routing_key, mandatory=True)
        return hasattr(answer, "body")  # it came back


class Broker:
    """A broker that comes and goes: connected to for ever, with pauses that grow up to 2 s.

    Args:
        url: `amqp://user:password@host:port/vhost`, or `amqps://`.
        name: how the broker lists the connection.
        registry: where its gauge goes.
    """

    def __init__(self, url: str, name: str, registry: CollectorRegistry) -> None:
        self._url = url
        self._name = name
        self._works = False
        self._complained = False
        Gauge(
            "stakeline_broker_connected",
            "Whether the broker is connected and does what it is asked.",
            registry=registry,
        ).set_function(lambda: self._works)

    async def publish_for_ever(self, step: Callable[[Publisher], Awaitable[None]]) -> None:
        """Run `step` again and again while there is a broker; has no end.

        Args:
            step: publishes what there is, and waits when there is nothing. It is cancelled when the
                connection is lost, and what the publisher raises ends the connection.
        """

        async def session(_: AbstractChannel, exchange: AbstractExchange) -> None:
            publisher = Publisher(exchange)
            while True:
                await step(publisher)
                self._praise()

        await self._for_ever(session)

    async def hear_for_ever(self, ring: Callable[[], None]) -> None:
        """Call `ring` soon after anything was published, at most every 20 ms; has no end.

        What was published is not looked at.
        """

        async def hear(message: AbstractIncomingMessage) -> None:
            ring()
            # The broker keeps one message for this queue and sends none before the last one was
            # acknowledged: however many there are, no more than fifty a second get here.
            await asyncio.sleep(REST_S)
            await message.ack()

        async def session(channel: AbstractChannel, exchange: AbstractExchange) -> None:
            async with in_time():
                await channel.set_qos(prefetch_count=1)
                queue = await channel.declare_queue(
                    exclusive=True, auto_delete=True, arguments={"x-max-length": 1}
                )
                await queue.bind(exchange, "#")
                await queue.consume(hear)
            while True:
                ring()  # for what was published before there was a queue
                self._praise()
                await asyncio.sleep(CHECK_S)
                # The exchange may have been deleted, and with it who is bound; then this binds the
                # queue to a new one. A queue that was deleted is an error, and so is no answer.
                async with in_time():
                    await exchange.declare()
                    await queue.bind(exchange, "#")

        await self._for_ever(session)

    async def _for_ever(
        self, session: Callable[[AbstractChannel, AbstractExchange], Awaitable[None]]
    ) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            # A task of its own: when a connection is lost, the library may cancel who waits for it.
            task = asyncio.create_task(self._connect(session))
            try:
                await asyncio.wait([task])
            finally:
                self._works = False
                task.cancel()
                await asyncio.wait([task])
            self._complain(None if task.cancelled() else task.exception())
            failures = 0 if loop.time() - began > STEADY_S else failures + 1
            longest_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
            await asyncio.sleep(longest_s * random.uniform(0.5, 1))  # noqa: S311 - not a secret

    async def _connect(
        self, session: Callable[[AbstractChannel, AbstractExchange], Awaitable[None]]
    ) -> None:
        async with connection_to(self._url, self._name) as connection:
            async with in_time():
                channel = await connection.channel()
                exchange = await channel.declare_exchange(
                    EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True
                )
            working = asyncio.ensure_future(session(channel, exchange))
            channel.close_callbacks.add(lambda *_: working.cancel())
            try:
                await asyncio.wait([working])
            finally:
                working.cancel()
                await asyncio.wait([working])
            if not working.cancelled():
                working.result()

    def _praise(self) -> None:
        self._works = True
        if self._complained:
            log.info("the broker works again")
        self._complained = False

    def _complain(self, error: BaseException | None) -> None:
        if self._complained:
            return
        self._complained = True
        known = error is None or isinstance(error, (BrokerAway, *CONNECTION_EXCEPTIONS))
        why = "the connection was lost" if error is None else f"{type(error).__name__}: {error}"
        log.warning("the broker cannot be used", why=why, exc_info=None if known else error)
