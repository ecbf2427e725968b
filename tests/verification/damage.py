"""Doing damage to a database, and asking what verification finds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
from typer.testing import CliRunner

from stakeline.cli import commands
from tests import cluster
from tests.databases import url_of
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.verification.conftest import Played

TABLES = {LINE: ("head", "events", "feed"), BETS: ("cursor", "events", "users", "bets")}


# SQLite's functions, by which the damage is told.
_AS_SQLITE = """
CREATE OR REPLACE FUNCTION json_set(item text, path text, value text) RETURNS text LANGUAGE sql AS
$$ SELECT jsonb_set(item::jsonb, ARRAY[substr(path, 3)], to_jsonb(value))::text $$;
CREATE OR REPLACE FUNCTION json_set(item text, path text, value numeric) RETURNS text LANGUAGE sql
AS $$ SELECT jsonb_set(item::jsonb, ARRAY[substr(path, 3)], to_jsonb(value))::text $$;
CREATE OR REPLACE FUNCTION json_remove(item text, path text) RETURNS text LANGUAGE sql AS
$$ SELECT (item::jsonb - substr(path, 3))::text $$
"""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that must not be, and all that must be found for it.

    Attributes:
        name: the database's.
        does: the SQL, with labels of the season in braces.
        found: `check key` of each offence, with labels.
    """

    name: str
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


def at(folder: Path) -> dict[str, str]:
    """The settings that name the databases of this folder's test."""
    return {
        f"{name.replace('-', '_').upper()}_DATABASE_URL": url_of(folder, name)
        for name in (LINE, BETS)
    }


def run(*words: str, **environment: str) -> Result:
    """What comes of `stakeline verify` with these words."""
    return CliRunner().invoke(commands.stakeline, ["verify", *words], env=environment)


def verify(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `stakeline verify` on this folder's databases, and its JSON report."""
    ended = run("--json", *more, **at(folder))
    assert ended.exit_code in {0, 1}, ended.output
    report: dict[str, Any] = json.loads(ended.stdout)
    assert report["clean"] == (ended.exit_code == 0)
    return ended.exit_code, report


def complaint(*words: str, **environment: str) -> str:
    """The one line on stderr of a verification that could not be."""
    ended = run(*words, **environment)
    assert (ended.exit_code, ended.stdout) == (2, ""), ended.output
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("stakeline verify: ").rstrip("\n")


def loosen(url: str, *tables: str) -> None:
    """Take every constraint and index from the tables, so that they hold whatever they are told."""
    for table in tables:
        do(
            url,
            f"CREATE TABLE loose AS SELECT * FROM {table};"  # noqa: S608 - constants
            f"DROP TABLE {table}{' CASCADE' * url.startswith('postgresql')};"
            f"ALTER TABLE loose RENAME TO {table};",
        )


def do(url: str, script: str) -> None:
    """Run a script; no reference to other rows keeps it from its work."""
    if url.startswith("postgresql"):
        cluster.run(_do(url, script))
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn:
        conn.execute("PRAGMA foreign_keys = OFF")
        conn.executescript(script)


async def _do(url: str, script: str) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_AS_SQLITE)
        await connection.execute(script)
    finally:
        await connection.close()


def check(played: Played, damage: Damage, *more: str) -> dict[str, Any]:
    """Do the damage to the databases, which are the test's own: it is found, and nothing else."""
    url = url_of(played.folder, damage.name)
    loosen(url, *TABLES[damage.name])
    do(url, damage.does.format(**played.labels))
    _, report = verify(played.folder, *more)
    named = {f"{offence['check']} {offence['key']}" for offence in report["offences"]}
    assert named == {found.format(**played.labels) for found in damage.found}
    return report
