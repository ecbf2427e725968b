"""A bad wire between a replay's clients and the services."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import httpx2

_KINDS = {
    "": 70,
    "requests doubled": 10,
    "answers lost": 10,
    "requests lost": 5,
    "clients hung up": 5,
}
_LONGEST_S = 0.01


class BadWire(httpx2.AsyncBaseTransport):
    """Loses requests, loses answers after the service gave them, sends requests twice, hangs up.

    What befalls a request is drawn by the seed, the request, and how often it was made before.

    Args:
        inner: what sends requests.
        seed: what is drawn by.
        happened: counts what was done.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        seed: int,
        happened: Counter[str],
    ) -> None:
        self._inner = inner
        self._seed = seed
        self._happened = happened
        self._asked: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The service's answer, if it arrives."""
        chance = self._chance(request)
        (kind,) = chance.choices(list(_KINDS), list(_KINDS.values()))
        if kind == "clients hung up" and "Idempotency-Key" not in request.headers:
            # It may be carried out at any time after, and only a key makes that harmless.
            kind = "answers lost"
        if kind:
            self._happened[kind] += 1
        if kind == "requests lost":
            raise httpx2.ConnectError("lost on the way there", request=request)
        if kind == "requests doubled":
            # Both are waited for, whatever becomes of them: none may be carried out later.
            both = await asyncio.gather(
                self._send(request), self._send(request), return_exceptions=True
            )
            answer = both[chance.randrange(2)]
            if isinstance(answer, BaseException):
                raise answer
            return answer
        if kind == "clients hung up":
            try:
                async with asyncio.timeout(chance.uniform(0, _LONGEST_S)):
                    return await self._send(request)
            except TimeoutError:
                raise httpx2.ReadTimeout("nobody waited", request=request) from None
        answer = await self._send(request)
        if kind == "answers lost":
            raise httpx2.ReadError("lost on the way back", request=request)
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    def _chance(self, request: httpx2.Request) -> Random:
        key = request.headers.get("Idempotency-Key", "")
        what = f"{request.method} {request.url.raw_path!r} {key}"
        self._asked[what] += 1
        return Random(f"{self._seed} {what} {self._asked[what]}")  # noqa: S311 - a game
