"""What stands between a connection and its transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Joining:
    """A transport that sends a head and its body as one: each system call costs as much as a route.

    What is written is sent with what is written next, or when the loop turns.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it soon."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def send(self, data: bytes) -> None:
        """Send it now."""
        if self._held:
            self._flush()
        if not self.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Send what is left, and no more."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held and not self.is_closing():
            self._transport.write(self._held)
            self._held = b""


class Ending:
    """The transport of a request that is the last one of its connection."""

    def __init__(self, transport: asyncio.Transport, hang_up: Callable[[], None]) -> None:
        self.write, self.is_closing = transport.write, transport.is_closing
        self.close = hang_up
