"""Fixtures of line-provider's tests: one service for all tests of a module, to be thrifty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.serving import Served, line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A line-provider; every test uses event ids of its own."""
    async with serving(line_provider(tmp_path_factory.mktemp("line"))) as served:
        yield served
