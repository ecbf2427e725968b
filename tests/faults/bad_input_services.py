"""The services that get bad input, and how it is sent to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.bad_input_case import JSON, KNOWN, Body, Headers, Service
from tests.serving import Served, bet_maker, line_provider, serving, until_known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AsyncExitStack

    import httpx2
    import pytest

Services = dict[Service, Served]


async def started(stack: AsyncExitStack, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """A line-provider, a bet-maker that follows it and a standalone one: an event, bets on it."""
    folder, other = tmp_path_factory.mktemp("following"), tmp_path_factory.mktemp("standalone")
    line = await stack.enter_async_context(serving(line_provider(folder)))
    bets = await stack.enter_async_context(serving(bet_maker(folder, line.url)))
    standalone = await stack.enter_async_context(serving(bet_maker(other, None)))
    await line.post("/events", {"event_id": KNOWN, "coefficient": 1.5})
    await until_known(bets, KNOWN)
    for service in (bets, standalone):
        placed = await service.post("/bets", {"event_id": KNOWN, "amount": 1})
        assert placed.status_code == 201
    return {"line": line, "bets": bets, "standalone": standalone}


async def send(
    service: Served, method: str, path: str, body: Body, headers: Headers = (JSON,)
) -> httpx2.Response:
    """The answer to this request, its bytes as they are."""
    content = chunked(body) if isinstance(body, tuple) else body
    pairs = [(name.encode(), in_bytes(value)) for name, value in headers]
    return await service.client.request(method, path, content=content, headers=pairs)


def in_bytes(value: str | bytes) -> bytes:
    """A header's value as it travels."""
    return value if isinstance(value, bytes) else value.encode("latin-1")


async def chunked(chunks: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    """The chunks, one after another."""
    for chunk in chunks:
        yield chunk
