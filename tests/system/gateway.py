"""A gateway between a client and a service that spoils what passes through it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable


@dataclass(slots=True)
class Gateway:
    """What passes from clients to the service at `url`, and back.

    Attributes:
        url: the service.
        change: what becomes of a client's bytes on their way; their number must stay.
        lose_every: one in so many answers is lost with its connection, after the service gave it.
        first: the answers to the first requests, which then never reach the service.
    """

    url: str
    change: Callable[[bytes], bytes] = bytes
    lose_every: int = 0
    first: list[bytes] = field(default_factory=list)
    _answers: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _writers: list[StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The URL to use in place of the service's."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.sleep(0)  # the sockets are closed at the loop's next turn

    def _accept(self, reader: StreamReader, client: StreamWriter) -> None:
        self._writers.append(client)
        self._tasks.append(asyncio.create_task(self._pass(reader, client)))

    async def _pass(self, reader: StreamReader, client: StreamWriter) -> None:
        target = urlsplit(self.url)
        from_service, service = await asyncio.open_connection(target.hostname, target.port)
        self._writers.append(service)
        both = {
            asyncio.create_task(self._forth(reader, service, client)),
            asyncio.create_task(self._back(from_service, client)),
        }
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            service.close()
            client.close()
            await asyncio.gather(*both, return_exceptions=True)

    async def _forth(
        self, reader: StreamReader, service: StreamWriter, client: StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            if self.first:
                client.write(self.first.pop(0))
            else:
                service.write(self.change(data))

    async def _back(self, reader: StreamReader, client: StreamWriter) -> None:
        while data := await reader.read(65536):
            self._answers += 1
            if self.lose_every and self._answers % self.lose_every == 0:
                return
            client.write(data)


def answer(status: str, body: str, *headers: str) -> bytes:
    """A whole HTTP answer, such as `answer("503 Away", "{}", "Retry-After: 1")`."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", body]).encode()
