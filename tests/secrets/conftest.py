"""Fixtures of the tests of tokens, passwords and start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.secrets.closed import Closed, closed_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Closed]:
    """Both services, closed, shared by the tests of a module."""
    async with closed_house(tmp_path_factory.mktemp("closed")) as house:
        yield house
