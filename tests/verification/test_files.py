"""SQLite's files as `stakeline verify` finds them: missing, unsound, in use, or about to be."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stakeline.verification import proof
from stakeline.verification.source import Databases, Disturbed
from tests.databases import url_of
from tests.verification.damage import complaint, do, run, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verification.conftest import Played

pytestmark = pytest.mark.sqlite
BETS_FILE, LINE_FILE = f"{BETS}.sqlite3", f"{LINE}.sqlite3"


def test_verification_leaves_no_trace(season_played: Played, tmp_path: Path) -> None:
    """The files are as they were, to the byte, and there is no other."""
    played = season_played.copied(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    verify(played.folder)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_log_that_was_left_behind_is_read(season_played: Played, tmp_path: Path) -> None:
    """A service that was killed leaves its last writes beside the database: they count."""
    played = season_played.copied(tmp_path)
    with closing(sqlite3.connect(tmp_path / BETS_FILE)) as conn:
        conn.execute("UPDATE bets SET coefficient = 999 WHERE bet_id = ?", [played.labels["won"]])
        conn.commit()
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for path in tmp_path.glob("*.sqlite3*"):
            shutil.copy(path, crashed)
    _, report = verify(crashed)
    assert report["counts"] == {"receipt-price": 1}


async def test_a_service_that_starts_meanwhile(season_played: Played, tmp_path: Path) -> None:
    """What nobody had open is read as unchanging; if it was not, nothing is concluded."""
    season_played.copied(tmp_path)
    do(url_of(tmp_path, BETS), "DELETE FROM users")
    connections = []

    def start(_: int) -> None:
        connections.append(conn := sqlite3.connect(tmp_path / LINE_FILE))
        conn.execute("UPDATE head SET seq = 0")
        conn.commit()

    databases = Databases(url_of(tmp_path, LINE), url_of(tmp_path, BETS))
    with pytest.raises(Disturbed, match=r"line-provider: .*: a service opened it meanwhile"):
        await proof.verify(databases, proof.Watch(begin=start))
    connections[0].close()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """It is named, and not made."""
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"bet-maker: {tmp_path / BETS_FILE}: there is no such file"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(season_played: Played, tmp_path: Path) -> None:
    """It is named."""
    season_played.copied(tmp_path)
    (tmp_path / LINE_FILE).write_bytes(b"no database" * 1000)
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"line-provider: {tmp_path / LINE_FILE}: file is not a database"


def test_an_empty_file(season_played: Played, tmp_path: Path) -> None:
    """It is a database, but of nothing."""
    season_played.copied(tmp_path)
    (tmp_path / BETS_FILE).write_bytes(b"")
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"bet-maker: {tmp_path / BETS_FILE}: is not a database of bet-maker"


def test_a_folder_in_place_of_settings(season_played: Played) -> None:
    """`--data-dir` names the databases that `stakeline up` made there."""
    assert run("--data-dir", str(season_played.folder)).exit_code == 0


def test_what_the_database_finds_itself(season_played: Played, tmp_path: Path) -> None:
    """A row that refers to none: SQLite says so, and so does the check of the bets."""
    season_played.copied(tmp_path)
    do(url_of(tmp_path, BETS), "DELETE FROM users")
    _, report = verify(tmp_path)
    assert report["counts"] == {"foreign-key": 11, "bet-user": 11}
    keys = {
        check: {one["key"] for one in report["offences"] if one["check"] == check}
        for check in report["counts"]
    }
    assert keys["foreign-key"] == keys["bet-user"]
    assert report["offences"][0]["problem"] == "refers to a row of users that is not there"


def test_a_damaged_page_is_an_offence(season_played: Played, tmp_path: Path) -> None:
    """What can still be read is; then it is said that the rest cannot."""
    season_played.copied(tmp_path)
    with closing(sqlite3.connect(tmp_path / BETS_FILE)) as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'bets'").fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    with (tmp_path / BETS_FILE).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(os.urandom(size))
    _, report = verify(tmp_path)
    assert report["counts"]["integrity"] >= 1
    *_, last = report["offences"]
    assert (last["check"], last["database"]) == ("unreadable", "bet-maker")
    assert last["problem"].startswith(f"{tmp_path / BETS_FILE}: ")
    told = run("--data-dir", str(tmp_path)).stdout.splitlines()
    assert told[0].startswith(f"integrity: bet-maker: {tmp_path / BETS_FILE}: ")
