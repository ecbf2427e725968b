"""The bad wire of a replay with faults."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx2

from stakeline.cli.replay_wire import BadWire

REQUESTS = 400


class Remote:
    """A service that notes what reached it, and takes its time."""

    def __init__(self) -> None:
        self.began: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer in some 5 ms."""
        self.began[request.url.path] += 1
        await asyncio.sleep(0.005)
        self.ended[request.url.path] += 1
        return httpx2.Response(200, content=request.content)


async def sent(seed: int, headers: dict[str, str]) -> tuple[Remote, Counter[str], list[str]]:
    """What the service saw, what happened by the wire's own account, and what clients saw."""
    remote, happened = Remote(), Counter[str]()
    wire = BadWire(httpx2.MockTransport(remote.answer), seed, happened)

    async def ask(n: int) -> str:
        try:
            answer = await client.post(f"/{n}", content=b"hello", headers=headers)
        except httpx2.TransportError as error:
            return type(error).__name__
        assert answer.content == b"hello"
        return str(answer.status_code)

    async with httpx2.AsyncClient(base_url="http://remote", transport=wire) as client:
        seen = await asyncio.gather(*map(ask, range(REQUESTS)))
    return remote, happened, list(seen)


async def test_what_it_says_is_what_happened() -> None:
    """Doubled requests arrive twice, lost ones never; lost answers were given."""
    remote, happened, seen = await sent(1, {"Idempotency-Key": "k"})
    doubled = [path for path, times in remote.began.items() if times == 2]
    assert len(doubled) == happened["requests doubled"] > 20
    assert REQUESTS - len(remote.began) == happened["requests lost"] > 5
    assert seen.count("ConnectError") == happened["requests lost"]
    assert seen.count("ReadError") == happened["answers lost"] > 20
    assert seen.count("ReadTimeout") > 0
    unanswered = sum(remote.began.values()) - sum(remote.ended.values())
    assert unanswered == seen.count("ReadTimeout") <= happened["clients hung up"]


async def test_nobody_hangs_up_on_a_request_without_a_key() -> None:
    """It would be carried out whenever it likes, after what came later."""
    remote, happened, seen = await sent(1, {})
    assert remote.began == remote.ended
    assert happened["clients hung up"] == seen.count("ReadTimeout") == 0


async def test_a_seed_does_the_same_again() -> None:
    """To the same requests; another seed does otherwise."""
    first, again, other = [(await sent(seed, {}))[2] for seed in (1, 1, 2)]
    assert first == again != other
