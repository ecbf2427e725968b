"""A wire between two services that a test can cut, hold, slow down or lead elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable


class Wire:
    """A TCP connection to a service that a test can cut, hold or slow down.

    Attributes:
        url: the address at this end of it.
        delay_s: how long every piece of data takes each way.
        drips: whether answers come one byte at a time, ten a second.
    """

    def __init__(self, to_url: str) -> None:
        self.url = ""
        self.delay_s = 0.0
        self.drips = False
        self._to = urlsplit(to_url)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._cut_at: tuple[bytes, bool] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Wire]:
        """The wire, until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        host = self._to.netloc.rpartition("@")[0] + "@" * ("@" in self._to.netloc) + "127.0.0.1"
        self.url = f"{self._to.scheme}://{host}:{port}{self._to.path}"
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Let nothing through: connections stand, and are still taken, but no byte arrives."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let all through again, also what was held."""
        self._flowing.set()
        self._is_cut = False

    def cut(self) -> None:
        """Break every connection, now and until `flow`."""
        self._is_cut = True
        for task in self._tasks:
            task.cancel()

    def cut_at(self, piece: bytes, *, arrives: bool) -> None:
        """Break every connection when this is sent by a client, before or after it arrives."""
        self._cut_at = piece, arrives

    def lead_to(self, url: str) -> None:
        """Break every connection, and lead the next ones to another service."""
        self.cut()
        self._to = urlsplit(url)
        self._is_cut = False

    def _accept(self, near: StreamReader, back: StreamWriter) -> None:
        task = asyncio.create_task(self._carry(near, back))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: back.transport.abort())  # also if it never began

    async def _carry(self, near: StreamReader, back: StreamWriter) -> None:
        ends = [back]
        try:
            if not self._is_cut:
                far, forth = await asyncio.open_connection(self._to.hostname, self._to.port)
                ends.append(forth)
                async with asyncio.TaskGroup() as both_ways:
                    both_ways.create_task(self._pump(near, forth, drips=lambda: False, ours=True))
                    both_ways.create_task(self._pump(far, back, drips=lambda: self.drips))
        except OSError:
            pass  # the service is away
        finally:
            for end in ends:
                end.transport.abort()

    async def _pump(
        self,
        source: StreamReader,
        target: StreamWriter,
        drips: Callable[[], bool],
        *,
        ours: bool = False,
    ) -> None:
        with suppress(OSError):  # either end may go away
            while data := await source.read(65536):
                await asyncio.sleep(self.delay_s)
                if ours and self._cut_at is not None and self._cut_at[0] in data:
                    if self._cut_at[1]:
                        self.hold()  # the answer stays on its way
                        target.write(data)
                        await target.drain()
                        await asyncio.sleep(0.05)
                    self._cut_at = None
                    self.cut()
                for piece in [data[i : i + 1] for i in range(len(data))] if drips() else [data]:
                    await self._flowing.wait()
                    target.write(piece)
                    await target.drain()
                    await asyncio.sleep(0.1 if drips() else 0)
            target.write_eof()
