"""Instants as integer microseconds since 1970 in UTC, their text, and the two clocks of a host.

The wall clock tells instants and may step; the steady clock only measures how long something took,
and goes on while the machine sleeps where the system has such a clock.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

US_PER_S = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_FIRST = 946_684_800 * US_PER_S
_LAST = 4_102_444_800 * US_PER_S
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
LATEST = _LAST
"""2100-01-01T00:00:00Z, the end of the times that Stakeline takes."""


def now() -> int:
    """The host's wall clock, in microseconds."""
    return time.time_ns() // 1000


def steady() -> int:
    """Microseconds on a clock that never steps: CLOCK_BOOTTIME, else the monotonic one."""
    return time.clock_gettime_ns(_STEADY) // 1000


def parse_instant(text: str) -> int:
    """An RFC 3339 timestamp with its zone, in microseconds; finer digits are cut off.

    Raises:
        ValueError: not RFC 3339, without a zone, not on the calendar, or outside 2000 to 2100.
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError("must be a time like 2026-08-01T18:00:00Z, with its zone")
    try:
        moment = datetime.fromisoformat(text.upper())
        return _bounded((moment - _EPOCH) // _US)
    except (ValueError, OverflowError):
        raise ValueError("must be on the calendar, from 2000 to 2100") from None


def parse_unix(text: str) -> int:
    """Whole unix seconds, in microseconds.

    Raises:
        ValueError: not plain digits, or outside 2000 to 2100.
    """
    if not re.fullmatch(r"[1-9][0-9]{8,9}", text, re.ASCII):
        raise ValueError("must be whole unix seconds, from 2000 to 2100")
    return _bounded(int(text) * US_PER_S)


def _bounded(at: int) -> int:
    if not _FIRST <= at < _LAST:
        raise ValueError("must be from 2000 to 2100")
    return at


def text(at: int) -> str:
    """The instant in RFC 3339 with `Z`; microseconds only where there are any."""
    seconds, us = divmod(at, US_PER_S)
    return f"{_second(seconds)}.{us:06}Z" if us else f"{_second(seconds)}Z"


@lru_cache(maxsize=1000)  # instants that are told come close to one another
def _second(at_s: int) -> str:
    return (_EPOCH + timedelta(seconds=at_s)).isoformat()[:-6]
