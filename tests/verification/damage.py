"""Doing damage to a database, and asking what verification finds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from stakeline.cli import commands
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.verification.conftest import Played

TABLES = {LINE: ("head", "events", "feed"), BETS: ("cursor", "events", "users", "bets")}


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that must not be, and all that must be found for it.

    Attributes:
        file: the database.
        does: the SQL, with labels of the season in braces.
        found: `check key` of each offence, with labels.
    """

    file: str
    does: str
    found: tuple[str, ...]


def bets(does: str, *found: str) -> Damage:
    """Damage to bet-maker's database."""
    return Damage(BETS, does, found)


def bet(label: str, change: str) -> str:
    """SQL that changes a bet."""
    return f"UPDATE bets SET {change} WHERE bet_id = '{{{label}}}'"  # noqa: S608


def event(event_id: str, change: str) -> str:
    """SQL that changes an event's row in the replica."""
    return f"UPDATE events SET {change} WHERE event_id = '{event_id}'"  # noqa: S608


def run(*words: str, **environment: str) -> Result:
    """What comes of `stakeline verify` with these words."""
    return CliRunner().invoke(commands.stakeline, ["verify", *words], env=environment)


def verify(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `stakeline verify` on this folder's databases, and its JSON report."""
    ended = run("--data-dir", str(folder), "--json", *more)
    assert ended.exit_code in {0, 1}, ended.output
    report: dict[str, Any] = json.loads(ended.stdout)
    assert report["clean"] == (ended.exit_code == 0)
    return ended.exit_code, report


def loosen(file: Path, *tables: str) -> None:
    """Take every constraint and index from the tables, so that they hold whatever they are told."""
    with closing(sqlite3.connect(file)) as conn:
        for table in tables:
            conn.executescript(
                f"CREATE TABLE loose AS SELECT * FROM {table};"  # noqa: S608 - constants
                f"DROP TABLE {table}; ALTER TABLE loose RENAME TO {table};"
            )


def do(file: Path, script: str) -> None:
    """Run a script that nothing in the database keeps from its work."""
    with closing(sqlite3.connect(file)) as conn:
        conn.execute("PRAGMA foreign_keys = OFF")
        conn.execute("PRAGMA ignore_check_constraints = ON")
        conn.executescript(script)


def check(played: Played, damage: Damage, *more: str) -> dict[str, Any]:
    """Do the damage to the databases, which are the test's own: it is found, and nothing else."""
    loosen(played.folder / damage.file, *TABLES[damage.file])
    do(played.folder / damage.file, damage.does.format(**played.labels))
    _, report = verify(played.folder, *more)
    named = {f"{offence['check']} {offence['key']}" for offence in report["offences"]}
    assert named == {found.format(**played.labels) for found in damage.found}
    return report
