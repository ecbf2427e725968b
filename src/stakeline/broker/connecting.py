"""A connection to the broker, which waits for it no longer than it may, also when it is dropped."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aio_pika

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

ANSWER_S = 2.0
"""How long it may take for what it is asked, but confirming."""
CLOSE_S = 0.5
HEARTBEAT_S = 5


class BrokerAway(Exception):
    """The broker cannot be reached, or does not do in time what it is asked."""


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """A limit of two seconds for what the broker is asked in the block.

    Raises:
        BrokerAway: it took longer.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            yield
    except TimeoutError:
        raise BrokerAway("it does not answer in time") from None


class _Transports:
    """How the library connects, so that a connection can be dropped that does not end by itself."""

    def __init__(self) -> None:
        self._open: list[asyncio.WriteTransport] = []

    async def create(
        self,
        url: Any,  # noqa: ANN401 - yarl's
        ssl_context_provider: Any,  # noqa: ANN401 - the library's
        **_: object,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the URL's host."""
        ssl = await ssl_context_provider.get_context() if url.scheme == "amqps" else None
        reader, writer = await asyncio.open_connection(url.host, url.port, ssl=ssl)
        self._open.append(writer.transport)
        return reader, writer

    def abort(self) -> None:
        """Drop the connections; what was to be sent is forgotten."""
        for transport in self._open:
            transport.abort()


class _Connection(aio_pika.Connection):
    def __init__(self, *args: Any, transport_factory: _Transports, **more: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*args, **more)
        self.kwargs["transport_factory"] = transport_factory


@asynccontextmanager
async def connection_to(url: str, name: str) -> AsyncIterator[aio_pika.Connection]:
    """A connection, gone at the end of the block within a second, whatever the broker does.

    Args:
        url: `amqp://user:password@host:port/vhost`, or `amqps://`.
        name: how the broker lists it.

    Raises:
        BrokerAway: it does not answer within two seconds.
        OSError, AMQPError: it cannot be connected to.
    """
    transports = _Transports()
    connection = _Connection(
        aio_pika.connection.make_url(url, heartbeat=HEARTBEAT_S),
        client_properties={"connection_name": name},
        transport_factory=transports,
    )
    connecting = _quietly(connection.connect())
    try:
        await asyncio.wait([connecting], timeout=ANSWER_S)
        if not connecting.done():
            raise BrokerAway("it does not answer in time")
        connecting.result()
        try:
            yield connection
        finally:
            await asyncio.wait([_quietly(connection.close())], timeout=CLOSE_S)
    finally:
        transports.abort()  # first: what is cancelled would wait for the broker to agree
        connecting.cancel()


def _quietly(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """The work as a task, whose failure nobody has to look at."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
