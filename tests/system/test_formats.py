"""OpenLigaDB and The Odds API imported and replayed, by the command, through both services."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from stakeline.cli import commands
from stakeline.settings import WrongSetting
from tests.serving import until_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from tests.conftest import Both
    from tests.serving import Served

EXAMPLES = Path(__file__).parents[2] / "examples"
OPENLIGADB = EXAMPLES / "openligadb-bundesliga-2022-md1.json"
ODDS_API = EXAMPLES / "the-odds-api-soccer-epl.json"
EVERTON = "odds-api-eff9a067fcc37932e07066c0dfce7b1a"


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """The services of this process log where no test looks, and not to the command's output."""
    with capture_logs():
        yield


def run(*words: object) -> Result:
    """What comes of a `stakeline` command."""
    return CliRunner().invoke(commands.stakeline, [str(word) for word in words])


async def bring(line: Served, file: Path, *options: str) -> tuple[int, list[str]]:
    """What an import exits with, and the lines that it writes."""
    words = ("import", file, "--line-provider", line.url, *options)
    done = await asyncio.to_thread(run, *words)
    return done.exit_code, done.output.splitlines()


async def play(both: Both, file: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """The lines before the table of a replay in which all was as the file says, and the table."""
    through = ("--line-provider", both.line.url, "--bet-maker", both.bets.url)
    done = await asyncio.to_thread(run, "replay", file, *through, *options)
    assert done.exit_code == 0, done.output
    before, _, rest = done.stdout.partition("events ")
    rows = (line.rsplit("  ", 1) for line in f"events {rest}".splitlines())
    return before.splitlines(), {name.strip(): value.strip() for name, value in rows}


async def events_at(line: Served) -> dict[str, dict[str, Any]]:
    """The whole line by event id."""
    return {event["event_id"]: event for event in (await line.get("/events?limit=1000")).json()}


def rewritten(folder: Path, file: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the file with other text in places that are there."""
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    copy = folder / "copy.json"
    copy.write_text(text)
    return copy


def american(folder: Path) -> Path:
    """The Odds API's example as it comes with `oddsFormat=american`."""
    matches = json.loads(ODDS_API.read_text())
    for match in matches:
        for bookmaker in match["bookmakers"]:
            for market in bookmaker["markets"]:
                for outcome in market["outcomes"]:
                    won = round(outcome["price"] * 100) - 100
                    outcome["price"] = won if won >= 100 else round(-10_000 / won)
    copy = folder / "american.json"
    copy.write_text(json.dumps(matches))
    return copy


async def test_an_openligadb_matchday_is_imported_and_again_changes_nothing(both: Both) -> None:
    """Its nine matches stand on the line, decided, and bet-maker knows how they ended."""
    assert await bring(both.line, OPENLIGADB) == (
        0,
        ["9 rows taken (9 created, 0 changed, 0 unchanged), 0 refused"],
    )
    first = await events_at(both.line)
    assert sorted(event["status"] for event in first.values()) == ["LOSE"] * 5 + ["WIN"] * 4
    dortmund = first["openligadb-63867"]
    assert dortmund["name"] == "Borussia Dortmund v Bayer Leverkusen"
    assert (dortmund["coefficient"], dortmund["closed_at"]) == (2, "2022-08-06T16:30:00Z")
    assert await bring(both.line, OPENLIGADB) == (
        0,
        ["9 rows taken (0 created, 0 changed, 9 unchanged), 0 refused"],
    )
    assert await events_at(both.line) == first
    await until_known(both.bets, "openligadb-63867", status="WIN")
    assert (await both.bets.get("/events")).json() == []


async def test_refused_matches_are_told_with_their_place_in_the_list(
    line: Served, tmp_path: Path
) -> None:
    """By the reader, and by line-provider: the price of a decided event is fixed."""
    await bring(line, OPENLIGADB)
    broken = rewritten(tmp_path, OPENLIGADB, ("2022-08-05T18:30:00Z", "soon"))
    exit_code, report = await bring(line, broken, "--coefficient", "1.95")
    assert exit_code == 1
    assert report[0] == "0 rows taken (0 created, 0 changed, 0 unchanged), 9 refused"
    assert report[1].startswith("match 1: matchDateTimeUTC must be a time")
    assert report[2].startswith("match 2: line-provider: The event has a result")
    assert len(report) == 10


async def test_odds_are_imported_and_followed_as_they_change(both: Both, tmp_path: Path) -> None:
    """Eight events to bet on; other odds and a postponed match change the same events."""
    assert await bring(both.line, ODDS_API) == (
        0,
        ["8 rows taken (8 created, 0 changed, 0 unchanged), 0 refused"],
    )
    assert await bring(both.line, ODDS_API) == (
        0,
        ["8 rows taken (0 created, 0 changed, 8 unchanged), 0 refused"],
    )
    await until_known(both.bets, "odds-api-4566de49d77402f77c8b9401982d29b2")
    offered = (await both.bets.get("/events")).json()
    assert len(offered) == 8
    assert offered[0]["name"] == "Manchester United v Fulham"
    bet = {"event_id": EVERTON, "amount": 10, "coefficient": 3}
    assert (await both.bets.post("/bets", bet)).json()["potential_payout"] == 30

    exit_code, report = await bring(both.line, ODDS_API, "--bookmaker", "Betfair")
    assert (exit_code, report) == (
        1,
        [
            "7 rows taken (0 created, 7 changed, 0 unchanged), 1 refused",
            "1 prices had more than two decimals and were rounded",
            "match 1: no h2h price of the home team by 'Betfair'",
        ],
    )
    postponed = rewritten(tmp_path, ODDS_API, ("2030-08-17T16:30:00Z", "2030-09-03T19:00:00Z"))
    _, report = await bring(both.line, postponed, "--bookmaker", "betfair_ex_uk")
    assert report[0] == "7 rows taken (0 created, 1 changed, 6 unchanged), 1 refused"
    event = (await events_at(both.line))["odds-api-5535b9ec5ab60569b7908cf783080db3"]
    assert (event["deadline"], event["coefficient"]) == ("2030-09-03T19:00:00Z", 2.83)


async def test_american_odds_are_imported_as_decimal(line: Served, tmp_path: Path) -> None:
    """+750 is 8.50 and -149 is 1.67 again; what is not whole in hundredths is rounded."""
    exit_code, report = await bring(line, american(tmp_path))
    assert exit_code == 0
    assert report[0] == "8 rows taken (8 created, 0 changed, 0 unchanged), 0 refused"
    decimal = {match["id"]: match for match in json.loads(ODDS_API.read_text())}
    for event_id, event in (await events_at(line)).items():
        match = decimal[event_id.removeprefix("odds-api-")]
        first = match["bookmakers"][0]["markets"][-1]["outcomes"]
        prices = {outcome["name"]: outcome["price"] for outcome in first}
        assert event["coefficient"] == prices[match["home_team"]]


async def test_an_openligadb_matchday_returns_what_it_must(both: Both) -> None:
    """Four of nine home teams won: 4 x 10.00 x 2.00 = 80.00 of 90.00 staked; at 1.95, 78.00."""
    before, found = await play(both, OPENLIGADB)
    assert before == []
    assert (found["events"], found["bets"], found["staked"]) == ("9", "9", "90.00")
    assert (found["returned"], found["house margin"]) == ("80.00", "10.00 (11.11 %)")
    assert (found["refused"], found["differences"]) == ("0", "0")
    _, found = await play(both, OPENLIGADB, "--coefficient", "1.95")
    assert found["returned"] == "78.00"


async def test_odds_are_replayed_with_results_drawn_by_a_seed(both: Both) -> None:
    """With seed 0 four home teams win: 10.00 x (1.67 + 1.33 + 2.75 + 4.10) = 98.50 of 80.00."""
    for _ in range(2):
        before, found = await play(both, ODDS_API)
        assert before == ["the file has no results: they are drawn by seed 0"]
        assert (found["events"], found["bets"], found["staked"]) == ("8", "8", "80.00")
        assert (found["returned"], found["differences"]) == ("98.50", "0")
    before, found = await play(both, ODDS_API, "--seed", "4", "--bookmaker", "betfair_ex_uk")
    assert before == [
        "the file has no results: they are drawn by seed 4",
        "1 rows of the file were left out:",
        "match 1: no h2h price of the home team by 'betfair_ex_uk'",
    ]
    assert (found["bets"], found["returned"]) == ("7", "56.50")  # 1.20, 3.10 and 1.35 won


def test_a_matchday_that_is_not_played_yet_cannot_be_replayed(tmp_path: Path) -> None:
    """OpenLigaDB tells results, so none is made up."""
    ahead = rewritten(tmp_path, OPENLIGADB, ('"matchIsFinished": true', '"matchIsFinished": false'))
    done = run("replay", ahead)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"stakeline replay: {ahead}: no fixture with a result and a price\n"


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (OPENLIGADB.read_bytes()[:12_000], (), "JSON that breaks off before its end"),
        (ODDS_API.read_text().encode("utf-16"), (), "in UTF-16, and JSON must be in UTF-8"),
        (b"[]", (), "a list without matches; the formats known are football-data.co.uk CSV,"),
        (b"PK\x03\x04", (), "not a football-data.co.uk CSV: its header must name"),
        (OPENLIGADB.read_bytes(), ("--price", "MaxH"), "--price is for football-data.co.uk CSV"),
        (ODDS_API.read_bytes(), ("--bookmaker", "tote"), "no h2h prices of 'tote': it has those"),
    ],
    ids=["half", "UTF-16", "empty list", "zip", "price", "bookmaker"],
)
async def test_a_file_that_cannot_be_used_is_one_line_and_imports_nothing(
    line: Served, tmp_path: Path, data: bytes, options: tuple[str, ...], reason: str
) -> None:
    """Exit code 2, and the line is as it was; a replay of it ends alike."""
    file = tmp_path / "file"
    file.write_bytes(data)
    exit_code, (told,) = await bring(line, file, *options)
    assert exit_code == 2
    assert told.startswith(f"stakeline import: {file}: {reason}")
    assert await events_at(line) == {}
    done = await asyncio.to_thread(run, "replay", file, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"stakeline replay: {file}: {reason}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("coefficient", ["0", "10000.01", "1.955", "two", "-2", "1e1000000", ""])
@pytest.mark.parametrize("command", ["import", "replay"])
def test_a_wrong_coefficient_is_told_like_a_wrong_setting(command: str, coefficient: str) -> None:
    """It has the bounds of every coefficient; nothing is started for it."""
    told = run(command, OPENLIGADB, f"--coefficient={coefficient}").exception
    assert isinstance(told, WrongSetting)
    assert str(told).startswith("--coefficient must be ")
