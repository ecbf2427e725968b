"""`make env`: passwords that nobody else has, written once."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.compose.stack import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAKE_ENV = ("make", "-s", "-f", str(ROOT / "Makefile"), "env")


def test_passwords_are_made_up_and_kept(tmp_path: Path) -> None:
    """Only their owner can read them; what is there is never overwritten."""
    subprocess.run([*MAKE_ENV, "-C", tmp_path], check=True)
    file = tmp_path / ".env"
    written = file.read_text()
    passwords = re.findall(r"^STAKELINE_[A-Z_]+_PASSWORD=([0-9a-f]{48})$", written, re.MULTILINE)
    assert len(set(passwords)) == len(written.splitlines()) == 4
    assert file.stat().st_mode & 0o777 == 0o600
    subprocess.run([*MAKE_ENV, "-C", tmp_path], check=True)
    assert file.read_text() == written
    assert [one.name for one in tmp_path.iterdir()] == [".env"]


def test_compose_asks_for_passwords(tmp_path: Path) -> None:
    """Without them nothing starts, and the message says what to do."""
    empty = tmp_path / ".env"
    empty.touch()
    done = subprocess.run(
        ["docker", "compose", "--env-file", str(empty), "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'run "make env" first' in done.stderr
