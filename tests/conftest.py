"""The fixtures of all tests: the services, fresh for each test."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests import databases
from tests.cluster import Cluster, forget
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator
    from pathlib import Path

# Not structlog's own default: its tracebacks show every local, which takes seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL, where the tests run on it: one for all processes of the run."""
    if databases.ENGINE == "postgresql" and databases.SERVER not in os.environ:
        server = Cluster()
        os.environ[databases.SERVER] = server.url
        config.add_cleanup(server.close)
        databases.make_templates(server.url)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other engine: `make test` runs all of them, on either.

    The others, where they are coroutines, are cancelled shortly before their time is over: the
    exception that pytest-timeout raises is lost where it falls into a callback of the loop.
    """
    (other,) = {"sqlite", "postgresql"} - {databases.ENGINE}
    others = [item for item in items if other in item.keywords]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            within_s = float(marker.args[0] if marker else config.getini("timeout"))
            if within_s:
                item.obj = _bounded(item.obj, within_s * 0.9)


def _bounded(
    test: Callable[..., Coroutine[Any, Any, None]], within_s: float
) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(test)
    async def bounded(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever it takes
        async with asyncio.timeout(within_s):
            await test(*args, **given)

    return bounded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Drop a test's databases once all that used them is gone: together they would fill memory."""
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    yield
    if folder is not None and databases.SERVER in os.environ:
        forget(os.environ[databases.SERVER], folder)


@dataclass(frozen=True, slots=True)
class Both:
    """A line-provider, and a bet-maker that follows it."""

    line: Served
    bets: Served


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Served]:
    """A line-provider with an empty line."""
    async with serving(line_provider(tmp_path)) as served:
        yield served


@pytest.fixture
async def standalone(tmp_path: Path) -> AsyncIterator[Served]:
    """A standalone bet-maker without bets."""
    async with serving(bet_maker(tmp_path, None)) as served:
        yield served


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    """A line-provider with an empty line, and a bet-maker that has heard it."""
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(serving(line_provider(tmp_path)))
        bets = await stack.enter_async_context(serving(bet_maker(tmp_path, line.url)))
        await until_ready(bets)
        yield Both(line, bets)
