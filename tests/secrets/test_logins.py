"""How often one may try to log in: counted in the database, by account and by address."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stakeline import clock
from stakeline.bet_maker import logins
from stakeline.bet_maker.logins import MOST_OF_ACCOUNT, MOST_OF_ADDRESS, WINDOW_US
from stakeline.db import Database
from stakeline.errors import TooManyRequests, Unavailable
from tests import databases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = 1_800_000_000 * clock.US_PER_S
S = clock.US_PER_S


class Door:
    """Logins on a database, at any time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def begin(self, at: int, account: str = "alice", address: str = "::1") -> str:
        """Begin one at a time."""
        async with self.database.write() as conn:
            return await logins.begin(conn, at, account, address)

    async def fail(self, at: int, account: str = "alice", address: str = "::1") -> None:
        """Begin one that fails."""
        login_id = await self.begin(at, account, address)
        async with self.database.write() as conn:
            await logins.fail(conn, login_id)

    async def succeed(self, at: int, account: str = "alice", address: str = "::1") -> None:
        """Begin one that succeeds."""
        login_id = await self.begin(at, account, address)
        async with self.database.write() as conn:
            await logins.succeed(conn, login_id)

    async def refused(self, at: int, account: str = "alice", address: str = "::1") -> int:
        """After how many seconds the one that is refused may come again."""
        with pytest.raises(TooManyRequests) as refused:
            await self.begin(at, account, address)
        assert refused.value.retry_after_s is not None
        return refused.value.retry_after_s


@asynccontextmanager
async def doors(folder: Path, count: int = 1) -> AsyncIterator[list[Door]]:
    """As many processes would have."""
    url = databases.url_of(folder, "bet-maker")
    async with AsyncExitStack() as stack:
        opened = [Database(url) for _ in range(count)]
        for database in opened:
            stack.push_async_callback(database.close)
        yield [Door(database) for database in opened]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """One of them."""
    async with doors(tmp_path) as (one,):
        yield one


async def test_five_failures_close_an_account_until_the_first_is_15_minutes_old(door: Door) -> None:
    """`Retry-After` is true to the second: one earlier it is refused, then it may be tried."""
    for n in range(MOST_OF_ACCOUNT):
        await door.fail(NOW + n * 60 * S, address=f"10.0.0.{n}")
    at = NOW + 300 * S
    wait_s = await door.refused(at)
    assert wait_s == 600
    assert await door.refused(at + (wait_s - 1) * S) == 1
    await door.succeed(at + wait_s * S)
    await door.fail(at + wait_s * S)
    assert await door.refused(at + wait_s * S) == 60  # the second one is four minutes older


async def test_twenty_failures_close_an_address(door: Door) -> None:
    """Whatever names were tried; other addresses go on, and so do the names from there."""
    for n in range(MOST_OF_ADDRESS):
        await door.fail(NOW + n, f"user-{n}", "10.0.0.1")
    assert await door.refused(NOW + 60 * S, "somebody", "10.0.0.1") == 840
    await door.succeed(NOW + 60 * S, "somebody", "10.0.0.2")
    await door.succeed(NOW + 60 * S, "user-1", "10.0.0.2")


async def test_what_succeeds_does_not_count(door: Door) -> None:
    """And does not forgive what failed before."""
    for n in range(3 * MOST_OF_ADDRESS):
        await door.succeed(NOW + n)
    for n in range(MOST_OF_ACCOUNT - 1):
        await door.fail(NOW + n)
        await door.succeed(NOW + n)
    await door.fail(NOW)
    await door.refused(NOW)


async def test_a_login_that_never_ends_is_a_failure_and_no_more(door: Door) -> None:
    """As when its process is killed: it counts for its 15 minutes, and is forgotten then."""
    for n in range(MOST_OF_ACCOUNT):
        await door.begin(NOW + n)
    assert await door.refused(NOW + 5 * S) == 1  # they may end soon
    wait_s = await door.refused(NOW + 11 * S)
    assert wait_s == 15 * 60 - 11  # from the first
    await door.succeed(NOW + 11 * S + wait_s * S)
    await door.begin(NOW + 2 * WINDOW_US)
    async with door.database.read() as conn:
        rows = await conn.exec_driver_sql("SELECT count(*) FROM logins")
        assert rows.scalar_one() == 1


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_five_are_let_in_though_a_hundred_come_at_once(tmp_path: Path, count: int) -> None:
    """Through any number of processes: who is under way counts as if it had failed."""
    async with doors(tmp_path, count) as opened:
        tries = [opened[n % count].begin(NOW, address=f"10.0.0.{n}") for n in range(100)]
        ended = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, str) for one in ended) == MOST_OF_ACCOUNT
    refused = [one for one in ended if isinstance(one, TooManyRequests | Unavailable)]
    assert len(refused) == 100 - MOST_OF_ACCOUNT  # on a busy machine some wait for too long


async def test_names_that_are_not_words_of_sql(door: Door) -> None:
    """Whatever was given as a name or told as an address is only compared."""
    for name in ("' OR 1=1 --", "%", "_", "~", "", "\N{SNOWMAN}"):
        await door.fail(NOW, name, name)
    for n in range(1, MOST_OF_ACCOUNT):
        await door.fail(NOW, "%", f"10.0.0.{n}")
    await door.refused(NOW, "%", "10.0.0.9")
    await door.succeed(NOW, "alice", "10.1.1.1")
