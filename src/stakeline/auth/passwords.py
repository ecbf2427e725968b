"""Passwords: which will do, and their hashes (argon2id), made and compared off the event loop."""

from __future__ import annotations

import asyncio
import unicodedata
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from stakeline.errors import Overloaded
from stakeline.samples import is_known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr

LEAST, MOST = 12, 128
MOST_BYTES = 1024
AT_ONCE = 2
"""How many hashes are computed at once: each takes a core, and 19 MiB."""
MOST_WAITING = 100

# OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
_ARGON2ID = PasswordHash([Argon2Hasher(time_cost=2, memory_cost=19456, parallelism=1)])


def normal(text: str) -> str:
    """The password as it is hashed: NFKC, so that keyboards that compose otherwise agree.

    Raises:
        ValueError: longer than 1 KiB, or no text at all.
    """
    try:
        size = len(text.encode())
    except UnicodeError:  # whose own message would show a part of it
        raise ValueError("must be text in UTF-8") from None
    if size > MOST_BYTES:
        raise ValueError(f"must be at most {MOST} characters long")
    return unicodedata.normalize("NFKC", text)


def parse(text: str) -> str:
    """A new password, as it is hashed.

    Raises:
        ValueError: not 12 to 128 characters, or one that everybody tries first.
    """
    password = normal(text)
    if not LEAST <= len(password) <= MOST:
        raise ValueError(f"must be {LEAST} to {MOST} characters long")
    if is_known(password):
        raise ValueError("must not be one that is easily guessed")
    return password


def check(given: SecretStr) -> SecretStr:
    """The setting, if it is a password that `parse` takes.

    Raises:
        ValueError: as `parse`.
    """
    parse(given.get_secret_value())
    return given


def hash_now(password: str) -> str:
    """The hash of a password that `parse` gave, made at once: some 20 ms."""
    return _ARGON2ID.hash(password)


class Passwords:
    """Hashes and compares, two at once, while requests that need no password go on."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._asked = 0
        self._nobodys = hash_now("")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of the two places; who comes waits for it.

        Raises:
            Overloaded: a hundred wait already.
        """
        if self._asked >= AT_ONCE + MOST_WAITING:
            raise Overloaded("Too many passwords wait to be checked already.")
        self._asked += 1
        try:
            async with self._room:
                yield
        finally:
            self._asked -= 1

    async def hash(self, password: str) -> str:
        """The hash of a password that `parse` gave; waits for its turn.

        Raises:
            Overloaded: too many wait already.
        """
        async with self.turn():
            return await asyncio.to_thread(hash_now, password)

    async def match(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Whether the password is the one that was hashed; and a hash to replace an outdated one.

        Takes as long for somebody who has none (`hashed` is None). To be asked in one's `turn`.
        """
        matches, better = await asyncio.to_thread(
            _ARGON2ID.verify_and_update, password, hashed or self._nobodys
        )
        return matches and hashed is not None, better
