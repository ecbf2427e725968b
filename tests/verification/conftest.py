"""Seasons that were played once, and copies of them for tests that do damage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests import databases
from tests.verification import season

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.season import Labels


@dataclass(frozen=True, slots=True)
class Played:
    """A season's databases, and what its rows are called."""

    folder: Path
    labels: Labels
    names: tuple[str, ...] = (season.LINE, season.BETS)

    def copied(self, to: Path) -> Played:
        """The same, for a test of its own."""
        for name in self.names:
            databases.copy(databases.url_of(self.folder, name), databases.url_of(to, name))
        return Played(to, self.labels, self.names)


@pytest.fixture(scope="session")
def season_played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A line with bets of every fate; not to be changed."""
    folder = tmp_path_factory.mktemp("season")
    return Played(folder, asyncio.run(season.play(folder)))


@pytest.fixture(scope="session")
def resync_played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A line restored from a backup, and a bet-maker that follows it since; not to be changed."""
    folder = tmp_path_factory.mktemp("resync")
    return Played(folder, asyncio.run(season.play_on(folder)))


@pytest.fixture(scope="session")
def standalone_played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A standalone bet-maker's bets; not to be changed."""
    folder = tmp_path_factory.mktemp("standalone")
    return Played(folder, asyncio.run(season.play_standalone(folder)), (season.BETS,))
