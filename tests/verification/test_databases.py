"""The databases that `stakeline verify` reads: where they are, and what state they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stakeline.settings import WrongSetting
from tests import databases
from tests.databases import url_of
from tests.verification.damage import at, complaint, do, run, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played


@pytest.mark.parametrize("only", ["line-provider", "bet-maker"])
def test_one_database_alone(season_played: Played, only: str, tmp_path: Path) -> None:
    """The other one need not be there."""
    databases.copy(url_of(season_played.folder, only), url_of(tmp_path, only))
    code, report = verify(tmp_path, "--only", only)
    assert (code, report["verified"], report["offences"]) == (0, [only], [])


def test_a_database_of_the_other_service(season_played: Played, tmp_path: Path) -> None:
    """It is named, with where it is."""
    season_played.copied(tmp_path)
    databases.copy(url_of(tmp_path, LINE), url_of(tmp_path, BETS))
    told = complaint(**at(tmp_path))
    assert told.startswith("bet-maker: ")
    assert told.endswith(": is not a database of bet-maker")


def test_nobody_s_bets(season_played: Played, tmp_path: Path) -> None:
    """Rows that refer to none, as they come to be where the engine was told not to look."""
    season_played.copied(tmp_path)
    do(url_of(tmp_path, BETS), "DELETE FROM users")
    _, report = verify(tmp_path)
    assert report["counts"]["bet-user"] == 11


def test_databases_are_where_the_settings_say(season_played: Played) -> None:
    """As the services have them; a wrong setting is one line."""
    environment = at(season_played.folder)
    assert run(**environment).exit_code == 0
    wrong = run(**environment | {"BET_MAKER_DATABASE_URL": "mysql://there"}).exception
    assert isinstance(wrong, WrongSetting)
    assert str(wrong).startswith("BET_MAKER_DATABASE_URL: must be ")


def test_a_line_that_was_lost(season_played: Played, resync_played: Played, tmp_path: Path) -> None:
    """Another line is one offence; nothing is held against it."""
    season_played.copied(tmp_path)
    databases.copy(url_of(resync_played.folder, LINE), url_of(tmp_path, LINE))
    code, report = verify(tmp_path)
    assert (code, report["counts"]) == (1, {"cursor-epoch": 1})
