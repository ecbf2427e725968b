"""`make env`: passwords and tokens that nobody else has, written once."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.compose.stack import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAKE_ENV = ("make", "-s", "-f", str(ROOT / "Makefile"), "env")


def make_env(folder: Path, *words: str) -> str:
    """What `make env` says on standard error when it is asked for a `.env` in this folder."""
    told = subprocess.run(
        [*MAKE_ENV, "-C", folder, *words], capture_output=True, text=True, check=False
    )
    return told.stderr


def values(folder: Path) -> dict[str, str]:
    """What `.env` has."""
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


def test_passwords_are_made_up_and_kept(tmp_path: Path) -> None:
    """Only their owner can read them; what is there is never overwritten."""
    assert make_env(tmp_path) == ""
    file = tmp_path / ".env"
    written = file.read_text()
    made_up = re.findall(r"=(?:operator=)?([0-9a-f]{32,})$", written, re.MULTILINE)
    assert len(set(made_up)) == 8
    assert len(values(tmp_path)) == 9
    assert values(tmp_path)["BET_MAKER_FIRST_USER_USERNAME"] == "operator"
    assert file.stat().st_mode & 0o777 == 0o600
    assert make_env(tmp_path) == ""
    assert file.read_text() == written
    assert [one.name for one in tmp_path.iterdir()] == [".env"]


def test_what_is_missing_is_added(tmp_path: Path) -> None:
    """To a file of before there were users, which keeps what it has."""
    file = tmp_path / ".env"
    before = "STAKELINE_POSTGRES_PASSWORD=kept\nSTAKELINE_HTTP_PORT=8080"
    file.write_text(before)
    assert make_env(tmp_path) == ""
    assert file.read_text().startswith(f"{before}\n")
    assert len(values(tmp_path)) == 10
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_first_user_who_was_taken_out_is_not_made_again(tmp_path: Path) -> None:
    """The database keeps the one that it was given: another password would be nobody's."""
    make_env(tmp_path)
    kept = [line for line in (tmp_path / ".env").read_text().splitlines() if "FIRST" not in line]
    (tmp_path / ".env").write_text("\n".join(kept))
    make_env(tmp_path)
    assert (tmp_path / ".env").read_text().splitlines() == kept
    assert len(kept) == 7


def test_a_stack_is_not_opened_or_closed_by_the_way(tmp_path: Path) -> None:
    """A file says which it is; one line says what to do for the other."""
    make_env(tmp_path)
    closed = values(tmp_path)
    assert "an open one begins without .env" in make_env(tmp_path, "OPEN=1")
    assert values(tmp_path) == closed
    (tmp_path / ".env").unlink()
    assert make_env(tmp_path, "OPEN=1") == ""
    opened = values(tmp_path)
    assert (opened["STAKELINE_OPEN"], opened["BET_MAKER_JWT_SECRET"]) == ("1", "")
    assert len(opened) == 6
    assert "remove STAKELINE_OPEN and BET_MAKER_JWT_SECRET" in make_env(tmp_path)
    assert values(tmp_path) == opened


@pytest.mark.parametrize("keep", [0, 4])
def test_compose_asks_for_what_is_missing(tmp_path: Path, keep: int) -> None:
    """Without passwords, or with those of before there were users, nothing starts; it says why."""
    make_env(tmp_path)
    file = tmp_path / ".env"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:keep]))
    done = subprocess.run(
        ["docker", "compose", "--env-file", str(file), "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'run "make env" first' in done.stderr.splitlines()[-1]
