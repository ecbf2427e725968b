"""Fixtures of the broker's tests: a real RabbitMQ, and its exchange."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.broker import rabbit as rabbits
from tests.broker.exchange import Exchange, connected
from tests.broker.rabbit import Rabbit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HERE = Path(__file__).parent
GIVEN = "STAKELINE_TESTS_BROKER"
"""The environment variable that names a broker to use where none can be started."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one of the workers that `make test` runs: they share one broker."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("broker"))


@pytest.fixture(scope="session")
def rabbit() -> Iterator[Rabbit]:
    """A broker that a test may stop; it runs again when the next test begins."""
    if rabbits.server() is None:
        _without("no RabbitMQ here that tests could start and stop (Debian: rabbitmq-server)")
    started = Rabbit()
    yield started
    started.close()


@pytest.fixture(scope="session")
def broker_url(request: pytest.FixtureRequest) -> str:
    """The URL of a broker that answers; not every test has to stop it."""
    if rabbits.server() is None and GIVEN in os.environ:
        return os.environ[GIVEN]
    url: str = request.getfixturevalue("rabbit").url
    return url


@pytest.fixture
async def exchange(broker_url: str) -> AsyncIterator[Exchange]:
    """The exchange as a third party has it, not there yet when the test begins."""
    async with connected(broker_url) as opened:
        await opened.delete()
        yield opened
        await opened.delete()


def _without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
