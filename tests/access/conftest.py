"""Fixtures of the tests of who may do what: houses that are shared by the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.access.house import House, closed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Both services, closed."""
    async with closed(tmp_path_factory.mktemp("closed")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A standalone bet-maker, closed."""
    async with closed(tmp_path_factory.mktemp("lone"), standalone=True) as opened:
        yield opened
