"""Identifiers: what events' ids, keys and users' names may look like, and how a bet gets its id."""

from __future__ import annotations

import os
import random
import re
import secrets

_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,64}", re.ASCII)
_USERNAME = re.compile(r"[a-z0-9._@+-]{1,64}", re.ASCII)
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_BET_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SHORT_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread on the phone
MAX_INTEGER = 2**63 - 1
# Nobody gets at a bet by guessing its id, so ids need not be unguessable, only unlike all others:
# whoever seeds Python's own generator, or forks the process, must not make them repeat.
_bits = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_bits.seed)


def parse_event_id(text: str) -> str:
    """An event's id, as given.

    Raises:
        ValueError: not 1 to 64 of `A-Z a-z 0-9 . _ : -`, or `.` or `..`, which URLs swallow.
    """
    if not _EVENT_ID.fullmatch(text) or text in {".", ".."}:
        raise ValueError("must be 1 to 64 of A-Z a-z 0-9 . _ : - and neither . nor ..")
    return text


def parse_integer(text: str, least: int = 0, most: int = MAX_INTEGER) -> int:
    """A whole number from its decimal text; what is longer than an int64 is never converted.

    Raises:
        ValueError: not plain digits, or outside `least` to `most`.
    """
    if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def parse_key(text: str) -> str:
    """An idempotency key, as given.

    Raises:
        ValueError: not 1 to 64 visible ASCII characters.
    """
    if not _KEY.fullmatch(text):
        raise ValueError("must be 1 to 64 visible ASCII characters")
    return text


def parse_username(text: str) -> str:
    """A user's name; upper case is taken as lower case, so that no two differ in that alone.

    Raises:
        ValueError: not 1 to 64 of `a-z 0-9 . _ @ + -`.
    """
    username = text.lower()
    if not _USERNAME.fullmatch(username):
        raise ValueError("must be 1 to 64 of a-z 0-9 . _ @ + -")
    return username


def parse_bet_id(text: str) -> str:
    """A bet's id in its canonical lower-case form.

    Raises:
        ValueError: not the text of a UUID.
    """
    bet_id = text.lower()
    if not _BET_ID.fullmatch(bet_id):
        raise ValueError("must be a UUID")
    return bet_id


def new_event_id() -> str:
    """A short random id (8 characters, 39 bits) for an event that came without one."""
    return "".join(secrets.choice(_SHORT_ALPHABET) for _ in range(8))


def new_bet_id(placed_at: int) -> str:
    """A UUIDv7 (RFC 9562) whose time is `placed_at`, so that bets sort by when they were placed.

    The 12 bits after the millisecond hold its fraction (RFC 9562 section 6.2, method 3), the last
    62 are random.

    Args:
        placed_at: microseconds since 1970 in UTC.
    """
    return _uuid7(placed_at, _bits.getrandbits(62))


def first_bet_id(placed_at: int) -> str:
    """The smallest id that a bet placed at `placed_at` (microseconds) can have."""
    return _uuid7(placed_at, 0)


def placed_ms(bet_id: str) -> int:
    """The millisecond (since 1970) in which the bet with this id was placed."""
    return int(bet_id[:8] + bet_id[9:13], 16)


def _uuid7(at: int, last_bits: int) -> str:
    ms, us = divmod(at, 1000)
    random_16, random_48 = divmod(last_bits, 1 << 48)
    return (
        f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{us * 4096 // 1000:03x}"
        f"-{0b10 << 14 | random_16:04x}-{random_48:012x}"
    )
