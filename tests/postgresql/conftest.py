"""Tests of what only PostgreSQL can do, and of what can only happen to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import databases
from tests.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave them out on SQLite, and keep them in one of the workers that `make test` runs."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.postgresql)
            item.add_marker(pytest.mark.xdist_group("processes"))


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A server of these tests' own, which they may stop, freeze and spoil."""
    server = Cluster()
    databases.make_templates(server.url)
    yield server
    server.close()
