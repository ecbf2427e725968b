"""Fixtures of bet-maker's tests: services shared by the tests of a module, and bare replicas."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from stakeline.bet_maker import follower
from stakeline.bet_maker.line import Line
from tests.bet_maker.pair import Pair
from tests.bet_maker.replica import Replica, open_replica
from tests.bet_maker.scripted_line import scripted_line
from tests.conftest import Both
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """A line-provider and a bet-maker that follows it; every test uses event ids of its own."""
    data_dir = tmp_path_factory.mktemp("both")
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(serving(line_provider(data_dir)))
        bets = await stack.enter_async_context(serving(bet_maker(data_dir, line.url)))
        await until_ready(bets)
        yield Both(line, bets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standalone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A standalone bet-maker; every test uses event ids of its own."""
    async with serving(bet_maker(tmp_path_factory.mktemp("standalone"), None)) as served:
        yield served


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Replica]:
    """bet-maker's database without a service around it, following the log `log` from seq 0."""
    async with open_replica(tmp_path) as opened:
        yield opened


@pytest.fixture
async def pair(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """A scripted line and a follower of it that has heard nothing and dawdles after no failure."""
    monkeypatch.setattr(follower, "PAUSE_S", 0.01)
    async with replica.database.write() as conn:
        await conn.exec_driver_sql("UPDATE cursor SET epoch = NULL")
    async with scripted_line() as line:
        client = Line(line.url)
        yield Pair(replica, line, client)
        await client.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Replica]]:
    """A replica for all examples of a property, and the event loop it lives on."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        data_dir = tmp_path_factory.mktemp("lasting")
        opened = runner.run(stack.enter_async_context(open_replica(data_dir)))
        yield runner, opened
        runner.run(stack.aclose())
