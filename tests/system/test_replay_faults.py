"""`stakeline replay --faults`: whatever goes wrong, the money is the file's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from sqlite3 import connect
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from stakeline.cli import calls, replay, replay_script
from stakeline.cli.replay_play import Play
from stakeline.cli.replay_report import Tally
from stakeline.fixtures import Fixture
from tests.faults.betting import both_in
from tests.system.gateway import Gateway
from tests.system.test_replay import EXAMPLE, table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Both

HAPPENED = [
    "answers lost",
    "bets asked for too late",
    "clients hung up",
    "deadlines moved",
    "keys used again",
    "kills of bet-maker",
    "kills of line-provider",
    "prices moved",
    "requests doubled",
    "requests lost",
    "results and corrections",
]
FIXTURE = Fixture(7, "derby", "Here v There", 195, 0, "WIN")


def test_a_season_returns_what_it_must_whatever_goes_wrong(tmp_path: Path) -> None:
    """The command alone, on 120 matches: every kind of fault happened, and the money is the same.

    `make golden` plays the whole season, by twenty seeds.
    """
    file = tmp_path / "season.csv"
    file.write_text("".join(EXAMPLE.read_text().splitlines(keepends=True)[:121]))
    command = [sys.executable, "-m", "stakeline", "replay", str(file), "--faults"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.stderr == ""
    rows = dict(line.rsplit("  ", 1) for line in done.stdout.splitlines())
    found = {name.strip(): value.strip() for name, value in rows.items()}
    assert {name: found[name] for name in ("bets", "staked", "returned", "refused")} == {
        "bets": "120",
        "staked": "1200.00",
        "returned": "1227.00",
        "refused": "0",
    }
    assert found["differences"] == "0"
    assert done.returncode == 0
    for what in HAPPENED:
        assert int(found[what]) > 0


# Clients that hang up while they connect: the HTTP library may then forget to close the socket.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", [3, 4])
def test_many_users_with_random_stakes_get_what_the_file_says(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they stake and what returns is known from file and seed, before anything is played."""
    file = tmp_path / "short.csv"
    file.write_text("".join(EXAMPLE.read_text().splitlines(keepends=True)[:41]))
    options = replay.Options(file, users=9, stakes="0.01-300.00", faults=True, seed=seed)
    with capture_logs():
        assert replay.run(options) == 0
    _, found = table(capsys)
    assert (found["bets"], found["refused"], found["differences"]) == ("360", "0", "0")
    assert found["staked"] == found["staked, by the file"] != "3600.00"
    assert found["returned"] == found["returned, by the file"]


async def played(line: str, bets: str, script: replay_script.Script) -> Play:
    """One event, played by a script through services at these addresses."""
    async with (
        calls.service("line-provider", line, 4) as line_provider,
        calls.service("bet-maker", bets, 4) as bet_maker,
    ):
        play = Play("x", line_provider, bet_maker, 1, lambda _, __: 1000, 4, Tally())
        await play.event(FIXTURE, script)
    return play


async def test_a_key_that_is_forgotten_is_named(both: Both) -> None:
    """A bet that its key does not find again could be made twice."""
    decided = asyncio.Event()

    def note_the_result(data: bytes) -> bytes:
        if b"/result" in data:
            decided.set()
        return data

    def forget(data: bytes) -> bytes:
        return data.replace(b"-7-1\r\n", b"-7-9\r\n") if decided.is_set() else data

    script = replay_script.Script((), [replay_script.Ruling("WIN")], repeats=1)
    async with (
        Gateway(both.line.url, note_the_result).open() as line,
        Gateway(both.bets.url, forget).open() as bets,
    ):
        play = await played(line, bets, script)
    ((bet_id, *_),) = play.events[0].acknowledged
    found, taken = play.tally.differences
    assert found.startswith(f"line 7, Here v There: bet {bet_id} was not found again by its key: ")
    assert taken.startswith(
        f"line 7, Here v There: the key of bet {bet_id} was taken for another bet: "
    )


async def test_a_bet_that_is_taken_too_late_is_named(both: Both) -> None:
    """An event that takes bets after its result was given is a difference."""
    script = replay_script.Script((), [replay_script.Ruling("WIN")], repeats=1)

    def elsewhere(data: bytes) -> bytes:
        late = b"-late-1\r\n" in data
        return data.replace(b'"replay-x-7"', b'"another-on"') if late else data

    await both.line.post("/events", {"event_id": "another-on", "coefficient": 1.95})
    async with Gateway(both.bets.url, elsewhere).open() as bets:
        play = await played(both.line.url, bets, script)
    assert [line.partition(":")[0] for line in play.tally.differences] == ["line 7, Here v There"]
    assert "a bet came after the result" in play.tally.differences[0]


async def test_what_changes_after_it_was_settled_is_named(both: Both) -> None:
    """The bets are looked at again at the end."""
    play = await played(both.line.url, both.bets.url, replay_script.plain(FIXTURE))
    async with calls.service("bet-maker", both.bets.url, 4) as play.bet_maker:
        await play.again(play.events[0])
        assert play.tally.differences == []
        body = {"status": "VOID", "correction": True}
        await both.line.post("/events/replay-x-7/result", body)
        async with asyncio.timeout(5):
            while not play.tally.differences:
                await play.again(play.events[0])
    assert play.tally.differences == [
        "line 7, Here v There: its bets changed after they were settled"
    ]


@pytest.mark.sqlite  # the services that `replay` starts are on SQLite always
async def test_what_verify_finds_is_a_difference(tmp_path: Path) -> None:
    """At the end both databases are proved, and their sums held against the file's."""
    async with both_in(tmp_path) as both:
        play = await played(both.line.url, both.bets.url, replay_script.plain(FIXTURE))
    tally = play.tally
    tally.expect(FIXTURE, [1000])
    await replay._verify(tmp_path, tally)
    assert tally.differences == []
    with closing(connect(tmp_path / "bet-maker.sqlite3")) as database, database:
        database.execute("UPDATE bets SET amount = 1001, coefficient = 196")
    await replay._verify(tmp_path, tally)
    *offences, staked, paid = tally.differences
    assert offences
    assert all(": bet-maker bets " in offence for offence in offences)
    assert staked == "verify: 10.01 staked, by the file 10.00"
    assert paid == "verify: 19.62 paid, by the file 19.50"
