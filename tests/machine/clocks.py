"""Time that passes only when a test says so, and what each host makes of it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stakeline import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

S = clock.US_PER_S
START = clock.parse_instant("2026-08-01T18:00:00Z")


class Time:
    """The true time, which is line-provider's: microseconds since 1970 in UTC."""

    def __init__(self) -> None:
        self.now = START

    def passes(self, us: int) -> None:
        """Be so much later."""
        self.now += us


@dataclass
class Host:
    """One host's clocks: its wall clock may be wrong and step, its steady one started any time.

    Attributes:
        time: the true time.
        wall_off_us: how far its wall clock is ahead.
        booted_us: what its steady clock is behind the true time.
    """

    time: Time
    wall_off_us: int = 0
    booted_us: int = START

    @contextmanager
    def here(self) -> Iterator[None]:
        """What runs in the block, and the tasks it starts, runs on this host."""
        token = _HERE.set(self)
        try:
            yield
        finally:
            _HERE.reset(token)


_HERE: ContextVar[Host] = ContextVar("_HERE")


def _now() -> int:
    host = _HERE.get()
    return host.time.now + host.wall_off_us


def _steady() -> int:
    host = _HERE.get()
    return host.time.now - host.booted_us


@contextmanager
def virtual_time() -> Iterator[None]:
    """In the block the services read the clocks of the host they run on, not this machine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", _now)
        patch.setattr(clock, "steady", _steady)
        yield
