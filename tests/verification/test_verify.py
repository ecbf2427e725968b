"""`stakeline verify`: what it says of sound databases, of running ones, and of none."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from stakeline.bet_maker.bets import Bet, bet_status
from stakeline.cli import commands
from stakeline.settings import WrongSetting
from stakeline.verification import proof
from stakeline.verification.fates import fate
from stakeline.verification.source import Databases, Disturbed
from tests.bet_maker.calls import published
from tests.faults.betting import both_in
from tests.verification.damage import do, loosen, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.conftest import Both
    from tests.verification.conftest import Played


def run(*words: str, **environment: str) -> Result:
    """What comes of `stakeline verify` with these words."""
    return CliRunner().invoke(commands.stakeline, ["verify", *words], env=environment)


def complaint(*words: str) -> str:
    """The one line on stderr of a verification that could not be."""
    ended = run(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("stakeline verify: ").rstrip("\n")


def test_a_season_is_sound(season_played: Played) -> None:
    """Every fate, and nothing wrong; the report says how much that was."""
    ended = run("--data-dir", str(season_played.folder))
    assert ended.exit_code == 0
    assert ended.output == (
        "verified: bet-maker, line-provider\n"
        "  feed items: 23\n"
        "  events: 10\n"
        "  replica rows: 10\n"
        "  bets: 11\n"
        "  receipts held against the log: 11\n"
        "bets by status:\n"
        "  PENDING: 4 bets, 40.00 staked, 0.00 paid\n"
        "  WON: 3 bets, 20.10 staked, 43.70 paid\n"
        "  LOST: 1 bets, 10.00 staked, 0.00 paid\n"
        "  VOID: 3 bets, 30.00 staked, 30.00 paid\n"
        "nothing is wrong\n"
    )


def test_the_report_for_programs(season_played: Played) -> None:
    """One JSON object, in which money is a number."""
    ended = run("--data-dir", str(season_played.folder), "--json")
    assert ended.stdout.count("\n") == 1
    assert json.loads(ended.stdout, parse_float=str) == {
        "clean": True,
        "verified": ["bet-maker", "line-provider"],
        "checked": {
            "feed items": 23,
            "events": 10,
            "replica rows": 10,
            "bets": 11,
            "receipts held against the log": 11,
        },
        "bets": {
            "PENDING": {"bets": 4, "staked": "40.00", "paid": "0.00"},
            "WON": {"bets": 3, "staked": "20.10", "paid": "43.70"},
            "LOST": {"bets": 1, "staked": "10.00", "paid": "0.00"},
            "VOID": {"bets": 3, "staked": "30.00", "paid": "30.00"},
        },
        "offences": [],
        "counts": {},
        "unnamed": {},
    }


def test_a_resync_is_sound(resync_played: Played) -> None:
    """Bets and rows of an earlier log are told apart, not held against the new one."""
    code, report = verify(resync_played.folder)
    assert (code, report["offences"]) == (0, [])
    assert report["checked"] == {
        "feed items": 5,
        "events": 3,
        "replica rows": 4,
        "replica rows of earlier logs": 2,
        "bets": 5,
        "bets of earlier snapshots, not held against the log": 4,
        "receipts held against the log": 1,
    }


def test_a_standalone_bet_maker_is_sound(standalone_played: Played) -> None:
    """It has no line, and needs none."""
    code, report = verify(standalone_played.folder, "--only", "bet-maker")
    assert (code, report["offences"]) == (0, [])
    assert {status: total["bets"] for status, total in report["bets"].items()} == {
        "PENDING": 1,
        "WON": 1,
        "LOST": 1,
        "VOID": 1,
    }


@pytest.mark.parametrize("only", ["line-provider", "bet-maker"])
def test_one_database_alone(season_played: Played, only: str, tmp_path: Path) -> None:
    """The other one need not be there."""
    played = season_played.copied(tmp_path)
    (tmp_path / (LINE if only == "bet-maker" else BETS)).unlink()
    code, report = verify(played.folder, "--only", only)
    assert (code, report["verified"], report["offences"]) == (0, [only], [])


def test_services_that_never_heard_of_an_event(tmp_path: Path) -> None:
    """Empty databases are sound."""

    async def start() -> None:
        async with both_in(tmp_path):
            pass

    asyncio.run(start())
    assert verify(tmp_path)[1]["offences"] == []


def test_verification_leaves_no_trace(season_played: Played, tmp_path: Path) -> None:
    """The files are as they were, to the byte, and there is no other."""
    played = season_played.copied(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    verify(played.folder)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_running_services_are_verified(tmp_path: Path) -> None:
    """While bets are placed and the line moves, each state that is read is a sound one."""
    databases = Databases(f"sqlite:///{tmp_path / LINE}", f"sqlite:///{tmp_path / BETS}")
    async with both_in(tmp_path) as both:
        for number in range(3):
            await published(both, f"event-{number}")
        work = asyncio.create_task(keep_betting(both))
        counts: list[int] = []
        while len(counts) < 8:
            report = await proof.verify(databases)
            assert list(report.lines())[-1] == "nothing is wrong", list(report.lines())
            if not counts or report.checked["bets"] > counts[-1]:
                counts.append(report.checked["bets"])
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.wait([work])
    assert counts[-1] > 0


async def keep_betting(both: Both) -> None:
    """Place bets, move prices, give results, and begin again with other events."""
    for number in range(10_000):
        event_id = f"event-{number % 3}"
        batch = [{"event_id": event_id, "amount": "1.15"} for _ in range(5)]
        await both.bets.post("/bets/batch", {"bets": batch})
        await both.line.patch(f"/events/{event_id}", {"coefficient": 2 + number % 50 / 10})
        if number % 10 == 9:
            await both.line.put(f"/events/late-{number}", {"coefficient": 2})
            await both.line.post(f"/events/event-{number % 3}/result", {"status": "WIN"})


def test_a_log_that_was_left_behind_is_read(season_played: Played, tmp_path: Path) -> None:
    """A service that was killed leaves its last writes beside the database: they count."""
    played = season_played.copied(tmp_path)
    with closing(sqlite3.connect(tmp_path / BETS)) as conn:
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
    do(tmp_path / BETS, "DELETE FROM users")
    connections = []

    def start(_: int) -> None:
        connections.append(conn := sqlite3.connect(tmp_path / LINE))
        conn.execute("UPDATE head SET seq = 0")
        conn.commit()

    databases = Databases(f"sqlite:///{tmp_path / LINE}", f"sqlite:///{tmp_path / BETS}")
    with pytest.raises(Disturbed, match=r"line-provider: .*: a service opened it meanwhile"):
        await proof.verify(databases, proof.Watch(begin=start))
    connections[0].close()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """It is named, and not made."""
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"bet-maker: {tmp_path / BETS}: there is no such file"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(season_played: Played, tmp_path: Path) -> None:
    """It is named."""
    season_played.copied(tmp_path)
    (tmp_path / LINE).write_bytes(b"no database" * 1000)
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"line-provider: {tmp_path / LINE}: file is not a database"


@pytest.mark.parametrize("content", ["other", "empty"])
def test_a_database_of_something_else(season_played: Played, content: str, tmp_path: Path) -> None:
    """The other service's, or one without tables."""
    season_played.copied(tmp_path)
    (tmp_path / BETS).unlink()
    if content == "other":
        shutil.copy(tmp_path / LINE, tmp_path / BETS)
    else:
        (tmp_path / BETS).touch()
    told = complaint("--data-dir", str(tmp_path))
    assert told == f"bet-maker: {tmp_path / BETS}: is not a database of bet-maker"


def test_databases_are_where_the_settings_say(season_played: Played) -> None:
    """As the services have them; a wrong setting is one line."""
    environment = {
        f"{service}_DATABASE_URL": f"sqlite:///{season_played.folder / file}"
        for service, file in (("LINE_PROVIDER", LINE), ("BET_MAKER", BETS))
    }
    assert run(**environment).exit_code == 0
    wrong = run(**environment | {"BET_MAKER_DATABASE_URL": "mysql://there"}).exception
    assert isinstance(wrong, WrongSetting)
    assert str(wrong).startswith("BET_MAKER_DATABASE_URL: must be ")


def test_a_line_that_was_lost(season_played: Played, resync_played: Played, tmp_path: Path) -> None:
    """Another line is one offence; nothing is held against it."""
    season_played.copied(tmp_path)
    shutil.copy(resync_played.folder / LINE, tmp_path)
    code, report = verify(tmp_path)
    assert (code, report["counts"]) == (1, {"cursor-epoch": 1})


def test_what_the_database_finds_itself(season_played: Played, tmp_path: Path) -> None:
    """A row that refers to none: SQLite says so, and so does the check of the bets."""
    season_played.copied(tmp_path)
    do(tmp_path / BETS, "DELETE FROM users")
    _, report = verify(tmp_path)
    assert report["counts"] == {"foreign-key": 11, "bet-user": 11}
    first = report["offences"][0]
    assert (first["table"], first["key"]) == ("bets", "rowid 1")
    assert first["problem"] == "refers to a row of users that is not there"


def test_a_frozen_row_is_as_it_was(season_played: Played, tmp_path: Path) -> None:
    """Where the line's last word cannot be read, bet-maker keeps the one before: that is right."""
    labels = season_played.copied(tmp_path).labels
    cut = "UPDATE feed SET event = '{{' WHERE event_id = 'quiet' AND version = 3"
    do(tmp_path / LINE, cut.format())
    freeze = (
        "UPDATE events SET frozen = 1, version = 2, coefficient = 250, updated_at = {at_quiet_2}"
    )
    do(tmp_path / BETS, f"{freeze} WHERE event_id = 'quiet'".format(**labels))
    _, report = verify(tmp_path)
    assert report["counts"] == {"feed-readable": 1}
    assert report["checked"]["replica rows that are frozen"] == 1


def test_bets_ahead_of_the_cursor_are_counted(resync_played: Played, tmp_path: Path) -> None:
    """Whoever resyncs while bets are taken may have such bets; without a resync they are wrong."""
    labels = resync_played.copied(tmp_path).labels
    ahead = "UPDATE bets SET feed_seq = 0 WHERE bet_id = '{after}'"
    do(tmp_path / BETS, ahead.format(**labels))
    _, report = verify(tmp_path)
    assert report["counts"] == {}
    assert report["checked"]["receipts ahead of the cursor, as a resync makes them"] == 1


def test_a_damaged_page_is_an_offence(season_played: Played, tmp_path: Path) -> None:
    """What can still be read is; then it is said that the rest cannot."""
    season_played.copied(tmp_path)
    with closing(sqlite3.connect(tmp_path / BETS)) as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'bets'").fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    with (tmp_path / BETS).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(os.urandom(size))
    _, report = verify(tmp_path)
    assert report["counts"]["integrity"] >= 1
    assert report["counts"]["unreadable"] == 1


def test_many_offences_are_counted(season_played: Played, tmp_path: Path) -> None:
    """A thousand of a kind are named, the others counted."""
    played = season_played.copied(tmp_path)
    loosen(tmp_path / BETS, "bets")
    script = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)"
        " INSERT INTO bets SELECT bet_id || i, user_id, key || i, event_id, amount, coefficient,"
        " asked_coefficient, accept, placed_at, event_version, feed_seq, snapshot, fix_at"
        " FROM bets, n WHERE bet_id = '{won}'"
    )
    do(tmp_path / BETS, script.format(**played.labels))
    ended = run("--data-dir", str(tmp_path))
    assert ended.exit_code == 1
    lines = ended.output.splitlines()
    assert len([line for line in lines if line.startswith("bet-id: bet-maker bets ")]) == 1000
    assert lines[1000] == "bet-id: and 234 more"
    assert lines[-1] == "offences: 1,234"
    assert verify(tmp_path)[1]["unnamed"] == {"bet-id": 234}


def test_an_offence_is_one_line(season_played: Played, tmp_path: Path) -> None:
    """The check, the row, what is wrong, what is there and what ought to be."""
    played = season_played.copied(tmp_path)
    bet_id = played.labels["won"]
    do(tmp_path / BETS, f"UPDATE bets SET coefficient = 999 WHERE bet_id = '{bet_id}'")  # noqa: S608
    ended = run("--data-dir", str(tmp_path))
    assert ended.exit_code == 1
    assert ended.output.splitlines()[0] == (
        f"receipt-price: bet-maker bets {bet_id}: the price in version 1 of won: "
        "found 9.99, expected 1.95"
    )


@pytest.mark.parametrize("event_status", ["NEW", "WIN", "LOSE", "VOID"])
@pytest.mark.parametrize("placed_at", [9, 10, 11])
@pytest.mark.parametrize("coefficient", [None, 1, 195, 1_000_000])
def test_two_rules_agree(event_status: Any, placed_at: int, coefficient: int | None) -> None:  # noqa: ANN401
    """Verification's rule and bet-maker's were written apart, and say the same."""
    for amount in (1, 10, 49, 50, 99_999_999_999):
        status = bet_status(placed_at, event_status, 10)
        bet = Bet("bet", "event", amount, coefficient, status, placed_at, 1)
        assert fate(amount, coefficient, placed_at, event_status, 10) == (status, bet.payout)


async def test_the_watch_is_told_of_every_row(season_played: Played) -> None:
    """As many rows as were announced, so that a bar ends where it must."""
    folder, announced, read = season_played.folder, list[int](), list[int]()
    await proof.verify(
        Databases(f"sqlite:///{folder / LINE}", f"sqlite:///{folder / BETS}"),
        proof.Watch(announced.append, read.append),
    )
    assert [sum(read)] == announced
