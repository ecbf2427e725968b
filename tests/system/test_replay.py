"""`stakeline replay`: a season through the services, and what may be wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from stakeline.cli import calls, replay, replay_play, services
from stakeline.fixtures.files import Wanted
from tests.serving import bet_maker, line_provider, serving, until_ready
from tests.system.gateway import Gateway, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Both

EXAMPLE = Path(__file__).parents[2] / "examples" / "premier-league-2019-20.csv"
SEASON = """\
Div,Date,Time,HomeTeam,AwayTeam,FTR,B365H
E0,09/08/2019,20:00,Liverpool,Norwich,H,1.14
E0,10/08/2019,12:30,West Ham,Man City,A,12
E0,10/08/2019,15:00,Bournemouth,Sheffield United,D,1.95
E0,10/08/2019,15:00,Burnley,Southampton,H,
E0,10/08/2019,15:00,Crystal Palace,Everton,H,3.335
E0,26/07/2098,16:00,West Ham,Aston Villa,,3
"""


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """The services of this process log where no test looks, and not to the command's output."""
    with capture_logs():
        yield


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """A file of four fixtures to play, one that is not played yet, and a row without a price."""
    file = tmp_path / "season.csv"
    file.write_text(SEASON)
    return file


async def play(both: Both, file: Path, **options: Any) -> int:  # noqa: ANN401
    """What a replay of the file through these services exits with."""
    given = {"line_provider": both.line.url, "bet_maker": both.bets.url} | options
    return await asyncio.to_thread(replay.run, replay.Options(file, **given))


def table(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, str]]:
    """What a replay wrote: the lines before the table, and the table by its first column."""
    before, _, rest = capsys.readouterr().out.partition("events ")
    rows = [line.rsplit("  ", 1) for line in f"events {rest}".splitlines()]
    return before.splitlines(), {row[0].strip(): row[1].strip() for row in rows}


def test_the_season_of_2019_returns_what_it_must() -> None:
    """The command alone, on its own services: 380 bets, 3800.00 staked, 3960.10 returned."""
    command = [sys.executable, "-m", "stakeline", "replay", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stderr == ""
    rows = dict(line.rsplit("  ", 1) for line in done.stdout.splitlines())
    found = {name.strip(): value.strip() for name, value in rows.items()}
    for timed in ("bets/s", *(f"result to settled, {rank}" for rank in ("p50", "p99", "max"))):
        assert float(found.pop(timed).removesuffix(" ms")) > 0
    assert found == {
        "events": "380",
        "bets": "380",
        "staked": "3800.00",
        "returned": "3960.10",
        "staked, by the file": "3800.00",
        "returned, by the file": "3960.10",
        "house margin": "-160.10 (-4.21 %)",
        "refused": "0",
        "differences": "0",
    }
    assert done.returncode == 0


async def test_many_users_play_the_same_file_again_and_again(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run has its own events; every user's bet is there; narrow output loses nothing."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(replay_play, "_PAGE", 3)
    for _ in range(2):
        assert await play(both, season, users=7, stakes="0.50", concurrency=3) == 0
        before, found = table(capsys)
        assert before == [
            "1 rows of the file were left out:",
            "line 5: no price in B365H",
            "1 fixtures have no result yet and were left out",
        ]
        assert (found["events"], found["bets"], found["staked"]) == ("4", "28", "14.00")
        # 0.57 for Liverpool, 1.67 for Palace at 3.34, seven times
        assert (found["returned"], found["house margin"]) == ("15.68", "-1.68 (-12.00 %)")
        assert (found["refused"], found["differences"]) == ("0", "0")
    assert len((await both.line.get("/events?limit=1000")).json()) == 8


def test_without_addresses_it_starts_services_of_its_own(
    season: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """They live on a folder that is gone at the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert replay.run(replay.Options(season)) == 0
    assert table(capsys)[1]["returned"] == "44.80"
    assert list(tmp_path.iterdir()) == [season]


def test_its_own_services_have_settings_of_their_own(
    season: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says is for the services that somebody runs."""
    monkeypatch.setenv("LINE_PROVIDER_AUTO_RESULT", "random")
    monkeypatch.setenv("BET_MAKER_STANDALONE", "1")
    assert replay.run(replay.Options(season)) == 0
    assert table(capsys)[1]["returned"] == "44.80"


async def test_another_price_column_and_stake_are_played(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The price that is bet on is the one of the chosen column."""
    file = tmp_path / "prices.csv"
    file.write_text("Date,HomeTeam,AwayTeam,FTR,B365H,MaxH\n09/08/19,Here,There,H,2,2.25\n")
    assert await play(both, file, stakes="1", wanted=Wanted(price="MaxH")) == 0
    assert table(capsys)[1]["returned"] == "2.25"


async def test_lost_answers_make_no_difference(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers lost with their connections are asked for again, and no bet is placed twice."""
    async with (
        Gateway(both.line.url, lose_every=3).open() as line,
        Gateway(both.bets.url, lose_every=5).open() as bets,
    ):
        assert await play(both, season, users=20, line_provider=line, bet_maker=bets) == 0
    found = table(capsys)[1]
    assert (found["bets"], found["differences"]) == ("80", "0")


@pytest.mark.parametrize(
    ("old", "new", "differences"),
    [
        (
            b'"amount":10.00,',
            b'"amount":10.01,',
            [
                ("line 2, Liverpool v Norwich", "amount 10.01, by the file 10.00"),
                ("line 2, Liverpool v Norwich", "payout 11.41, by the file 11.40"),
                ("line 3, West Ham v Man City", "amount 10.01, by the file 10.00"),
                ("line 4, Bournemouth v Sheffield United", "amount 10.01, by the file 10.00"),
                ("line 6, Crystal Palace v Everton", "amount 10.01, by the file 10.00"),
                ("line 6, Crystal Palace v Everton", "payout 33.43, by the file 33.40"),
            ],
        ),
        (
            b'"status":"WIN"',
            b'"status":"NEW"',
            [
                ("line 2, Liverpool v Norwich", "status PENDING, by the file WON"),
                ("line 2, Liverpool v Norwich", "payout nothing, by the file 11.40"),
                ("line 6, Crystal Palace v Everton", "status PENDING, by the file WON"),
                ("line 6, Crystal Palace v Everton", "payout nothing, by the file 33.40"),
            ],
        ),
        (
            b'"status":"LOSE"',
            b'"status": "WIN"',
            [
                ("line 3, West Ham v Man City", "status WON, by the file LOST"),
                ("line 3, West Ham v Man City", "payout 120.00, by the file 0.00"),
                ("line 4, Bournemouth v Sheffield United", "status WON, by the file LOST"),
                ("line 4, Bournemouth v Sheffield United", "payout 19.50, by the file 0.00"),
            ],
        ),
    ],
    ids=["amount", "no result", "another result"],
)
async def test_every_difference_from_the_file_is_named(
    both: Both,
    season: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: bytes,
    new: bytes,
    differences: list[tuple[str, str]],
) -> None:
    """What a service was told otherwise than the file says ends the replay with exit code 1."""
    if b"NEW" in new:
        monkeypatch.setattr(calls, "PATIENCE_S", 3)

    def change(data: bytes) -> bytes:
        return data.replace(old, new)

    async with (
        Gateway(both.line.url, change).open() as line,
        Gateway(both.bets.url, change).open() as bets,
    ):
        assert await play(both, season, line_provider=line, bet_maker=bets) == 1
    before, found = table(capsys)
    named = sorted(line for line in before if ": bet " in line)
    assert found["differences"] == str(len(differences))
    assert len(named) == len(differences)
    for line, (where, what) in zip(named, sorted(differences), strict=True):
        assert line.startswith(f"{where}: bet ")
        assert line.endswith(what)


async def test_refused_bets_are_counted_by_code(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bets that should have been taken and were not end the replay with exit code 1."""

    def change(data: bytes) -> bytes:
        return data.replace(b'"coefficient":1.14', b'"coefficient":1.15').replace(
            b'"amount":10.00,"coefficient":1.95', b'"amount":0.000,"coefficient":1.95'
        )

    async with Gateway(both.bets.url, change).open() as bets:
        assert await play(both, season, users=3, bet_maker=bets) == 1
    found = table(capsys)[1]
    assert (found["bets"], found["differences"]) == ("6", "0")
    assert (found["refused, price_changed"], found["refused, invalid_request"]) == ("3", "3")


async def test_a_bet_maker_that_follows_another_line_takes_no_bets(
    tmp_path: Path,
    season: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its events never come: every bet is counted as refused, with the code that was the last."""
    monkeypatch.setattr(calls, "PATIENCE_S", 1)
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(serving(line_provider(folder))) for folder in folders
        ]
        bets = await stack.enter_async_context(serving(bet_maker(folders[1], other.url)))
        await until_ready(bets)
        options = replay.Options(season, line_provider=one.url, bet_maker=bets.url)
        assert await asyncio.to_thread(replay.run, options) == 1
    found = table(capsys)[1]
    assert (found["bets"], found["refused, event_not_found"]) == ("0", "4")
    assert (found["staked"], found["house margin"]) == ("0.00", "0.00")
    assert found["result to settled, p50"] == "-"


async def test_a_service_that_breaks_off_ends_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed under way and not back in time: exit code 2, and one line that says which."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.5)
    async with services.running(tmp_path, private=True) as at:
        options = replay.Options(EXAMPLE, line_provider=at.line_provider, bet_maker=at.bet_maker)
        playing = asyncio.create_task(asyncio.to_thread(replay.run, options))
        await asyncio.sleep(0.5)
        at.processes["bet-maker"].kill()
        assert await playing == 2
    assert capsys.readouterr().err == (
        f"stakeline replay: bet-maker at {at.bet_maker} does not answer\n"
    )


async def test_a_line_provider_that_refuses_the_events_ends_the_replay(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to bet on then: exit code 2, and its reason."""
    assert await play(both, season, line_provider=both.bets.url) == 2
    error = capsys.readouterr().err
    assert error.startswith("stakeline replay: line-provider refuses events: ")
    assert error.count("\n") == 1


async def test_a_bet_maker_that_cannot_list_bets_ends_the_replay(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its bets nothing can be checked: exit code 2, and its reason."""

    def change(data: bytes) -> bytes:
        return data.replace(b"GET /bets?event_id=", b"GET /betz?event_id=")

    broken = answer("500 Broken", '{"detail": "Something went wrong.", "code": "internal"}')
    async with Gateway(both.bets.url, change).open() as bets:
        assert await play(both, season, bet_maker=bets) == 2
    assert "bet-maker does not list the bets: " in capsys.readouterr().err
    async with Gateway(both.bets.url, first=[broken]).open() as bets:
        assert await play(both, season, bet_maker=bets) == 2
    assert "bet-maker at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"stakes": "0"}, "--stakes must be more than 0"),
        ({"stakes": "1.005"}, "--stakes must be a number like 10"),
        ({"stakes": "1e3"}, "--stakes must be a number like 10"),
        ({"stakes": "2-1"}, "--stakes must name the smaller amount first"),
        ({"stakes": "1-"}, "--stakes must be a number like 10"),
        (
            {
                "faults": True,
                "line_provider": "http://127.0.0.1:9",
                "bet_maker": "http://127.0.0.1:9",
            },
            "--faults kills services, and so starts its own",
        ),
        ({"users": 0}, "--users and --concurrency must be at least 1"),
        ({"concurrency": 0}, "--users and --concurrency must be at least 1"),
        ({"line_provider": "http://127.0.0.1:9"}, "give both, or none"),
        ({"bet_maker": "http://127.0.0.1:9"}, "give both, or none"),
        ({"wanted": Wanted(price="PSH")}, "it has B365H"),
        ({"file": Path("nowhere.csv")}, "nowhere.csv: No such file or directory"),
        (
            {"line_provider": "http://127.0.0.1:9", "bet_maker": "http://127.0.0.1:9"},
            "line-provider at http://127.0.0.1:9 does not answer",
        ),
        ({"line_provider": "nowhere", "bet_maker": "http://127.0.0.1:9"}, "not a URL"),
    ],
)
def test_what_cannot_be_played_is_one_line(
    season: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, Any],
    reason: str,
) -> None:
    """A wrong option or file: exit code 2, a single line on stderr, nothing started."""
    monkeypatch.setattr(calls, "FIRST_PATIENCE_S", 0.1)
    assert replay.run(replay.Options(**{"file": season} | options)) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert reason in written.err
    assert written.err.count("\n") == 1


def test_a_file_with_nothing_played_yet_is_one_line(
    season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a result there is nothing to check."""
    lines = season.read_text().splitlines()
    season.write_text("\n".join([lines[0], lines[-1], ""]))
    assert replay.run(replay.Options(season)) == 2
    assert capsys.readouterr().err.endswith("no fixture with a result and a price\n")
