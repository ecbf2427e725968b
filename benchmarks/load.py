"""Load on a service: what is sent, by the load generator, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.generator import DRAIN_S, FRESH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

KEY = FRESH.decode()
"""Where a request has this it has 16 hexadecimal digits, others each time it is sent."""
CONNECTIONS = 64
SLICE_S = 0.5
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the load generator is to do.

    Attributes:
        host: of the service.
        port: of the service.
        requests: whole ones, sent in turn.
        seconds: for how long.
        connections: how many at once.
        rate: so many a second, whether they are answered or not; 0: as many as are answered.
        only_free: what finds no connection free is not sent, instead of waiting for one.
    """

    host: str
    port: int
    requests: Sequence[str]
    seconds: float
    connections: int
    rate: float
    only_free: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        took_s: how long it was.
        drained_s: how long after that the last answer came.
        cpu: the load generator's share of one core.
        answered: how many answers there were in that time, by status.
        unsent: how many requests found no connection.
        counts: all answers by status, those that came before and afterwards included.
        times_ms: `p50`, `p99` and `max` by status: in a closed loop from sending, in an open one
            from when the request was due.
    """

    took_s: float
    drained_s: float
    cpu: float
    answered: dict[str, int]
    unsent: int
    counts: dict[str, int]
    times_ms: dict[str, dict[str, float]]

    def rate(self, status: int) -> float:
        """Answers of this status, a second."""
        return self.answered.get(str(status), 0) / self.took_s

    def ms(self, status: int, name: str) -> float:
        """The time of answers of this status; infinite without any."""
        return self.times_ms.get(str(status), {}).get(name, float("inf"))


def request(method: str, url: str, token: str, body: str = "", *headers: str) -> str:
    """A whole request; `KEY` in it is another one each time."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", body])


def drive(
    url: str,
    requests: Sequence[str],
    seconds: float,
    connections: int = CONNECTIONS,
    *,
    rate: float = 0,
    only_free: bool = False,
) -> Outcome:
    """Put load on what listens at `url`; see `Plan`."""
    return started(url, requests, seconds, connections, rate=rate, only_free=only_free).outcome()


def most_cpu(outcomes: Iterable[Outcome]) -> float:
    """The load generator's share of a core, the most of these."""
    return max(one.cpu for one in outcomes)


def by_turns(seconds: float, *sides: Callable[[float], Outcome]) -> list[list[Outcome]]:
    """What came of each side, so many seconds in all, by turns of half a second.

    What else the machine does falls on all of them alike: the ratio of two sides varies half as
    much from one round to the next as where each has its whole time at once.

    Args:
        seconds: for each.
        sides: what is measured, given for how long.
    """
    count = 2 * max(1, round(seconds / SLICE_S / 2))
    parts: list[list[Outcome]] = [[] for _ in sides]
    turns = list(zip(sides, parts, strict=True))
    for _ in range(count):
        for side, its in turns:
            its.append(side(seconds / count))
        turns.reverse()  # else one would always come after the other
    return parts


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """What came of several runs together; their times are left out."""
    took_s = sum(one.took_s for one in outcomes)
    answered, counts = Counter[str](), Counter[str]()
    for one in outcomes:
        answered.update(one.answered)
        counts.update(one.counts)
    return Outcome(
        took_s=took_s,
        drained_s=max(one.drained_s for one in outcomes),
        cpu=sum(one.cpu * one.took_s for one in outcomes) / took_s,
        answered=answered,
        unsent=sum(one.unsent for one in outcomes),
        counts=counts,
        times_ms={},
    )


class Running:
    """A load generator at work."""

    def __init__(self, plan: Plan) -> None:
        self._seconds = plan.seconds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdin is not None
        json.dump(asdict(plan), self._process.stdin)
        self._process.stdin.close()
        self._process.stdin = None

    def outcome(self) -> Outcome:
        """What came of it, when it is over."""
        try:
            output, _ = self._process.communicate(timeout=self._seconds + 2 * DRAIN_S + 60)
        finally:
            self._process.kill()
        assert self._process.returncode == 0, "the load generator failed"
        return Outcome(**json.loads(output))


def started(
    url: str,
    requests: Sequence[str],
    seconds: float,
    connections: int = CONNECTIONS,
    *,
    rate: float = 0,
    only_free: bool = False,
) -> Running:
    """As `drive`, but it goes on beside the caller."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Running(
        Plan(parts.hostname, parts.port, requests, seconds, connections, rate, only_free)
    )
