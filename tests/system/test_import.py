"""`stakeline import`, into a real line-provider."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from structlog.testing import capture_logs

from stakeline.cli import calls, importing, services
from stakeline.fixtures import Fixture
from stakeline.fixtures.files import Wanted
from tests.serving import until_known
from tests.system.gateway import Gateway, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from stakeline.cli.services import Running
    from tests.conftest import Both
    from tests.serving import Served

EXAMPLE = Path(__file__).parents[2] / "examples" / "premier-league-2019-20.csv"
HEADER = "Div,Date,Time,HomeTeam,AwayTeam,FTR,B365H,MaxH"
SEASON = f"""\
{HEADER}
E0,09/08/2019,20:00,Liverpool,Norwich,H,1.14,1.2

E0,10/08/2019,12:30,West Ham,Man City,A,12,13
E0,10/08/2019,15:00,Bournemouth,Sheffield United,D,1.833,2
E0,10/08/2019,15:00,Burnley,Southampton,H,,2.7
E0,32/08/2019,15:00,Everton,Watford,H,1.9,2
E0,26/07/2098,16:00,West Ham,Aston Villa,,3,3.1
"""


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Running]:
    """Both services as processes, on a folder of the test."""
    async with services.running(data_dir, private=True) as addresses:
        yield addresses


async def bring(file: Path, url: str, price: str | None = None) -> int:
    """What `stakeline import` exits with."""
    return await asyncio.to_thread(importing.run, file, url, Wanted(price))


async def events_at(url: str) -> dict[str, dict[str, Any]]:
    """The whole line by event id."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        found = (await client.get(f"{url}/events?limit=1000")).json()
    return {event["event_id"]: event for event in found}


def rewrite(file: Path, old: str, new: str) -> None:
    """Change the file."""
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """The services of this process log where no test looks, and not to the command's output."""
    with capture_logs():
        yield


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """A file of four fixtures, one not played yet, and two rows that are none."""
    file = tmp_path / "season.csv"
    file.write_text(SEASON)
    return file


async def test_a_whole_season_is_imported_and_again_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 380 events stand on the line, decided; the second import leaves every version alone."""
    async with running(tmp_path) as at:
        assert await bring(EXAMPLE, at.line_provider) == 0
        report = "380 rows taken (380 created, 0 changed, 0 unchanged), 0 refused\n"
        assert capsys.readouterr().out == report
        first = await events_at(at.line_provider)
        assert sum(event["status"] == "WIN" for event in first.values()) == 172
        assert sum(event["status"] == "LOSE" for event in first.values()) == 208
        opening = first["E0-2019-08-09-Liverpool-v-Norwich"]
        assert opening["name"] == "Liverpool v Norwich"
        assert opening["coefficient"] == 1.14
        assert opening["deadline"] == opening["closed_at"] == "2019-08-09T19:00:00Z"

        assert await bring(EXAMPLE, at.line_provider) == 0
        report = "380 rows taken (0 created, 0 changed, 380 unchanged), 0 refused\n"
        assert capsys.readouterr().out == report
        assert await events_at(at.line_provider) == first


async def test_refused_rows_are_told_with_their_lines(
    line: Served, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The good rows are taken, the exit code is 1, and the report names each line and reason."""
    assert await bring(season, line.url) == 1
    assert capsys.readouterr().out.splitlines() == [
        "4 rows taken (4 created, 0 changed, 0 unchanged), 2 refused",
        "1 prices had more than two decimals and were rounded",
        "line 6: no price in B365H",
        "line 7: the date must be a day of the calendar, like 09/08/2019",
    ]
    events = await events_at(line.url)
    assert {event["name"]: event["status"] for event in events.values()} == {
        "Liverpool v Norwich": "WIN",
        "West Ham v Man City": "LOSE",
        "Bournemouth v Sheffield United": "LOSE",
        "West Ham v Aston Villa": "NEW",
    }
    assert events["E0-2019-08-10-Bournemouth-v-Sheffield-United"]["coefficient"] == 1.83


async def test_of_very_many_refused_rows_the_first_are_told(
    line: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred with their lines, the others by their number."""
    file = tmp_path / "bad.csv"
    for rows, more in [(100, []), (1_200, ["and 1,100 more"])]:
        file.write_text(f"{HEADER}\n" + "E0,soon,,,,,,\n" * rows)
        assert await bring(file, line.url) == 1
        told = capsys.readouterr().out.splitlines()
        assert told[0].endswith(f"{rows} refused")
        assert [row.partition(":")[0] for row in told[1:101]] == [
            f"line {at + 2}" for at in range(100)
        ]
        assert told[101:] == more


async def test_what_the_file_says_anew_is_changed_and_no_more(
    line: Served, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new price before the result, and then the result, change one event each time."""
    await bring(season, line.url)
    before = await events_at(line.url)
    for old, new in [(",,3,", ",,3.25,"), ("Villa,,", "Villa,H,")]:
        rewrite(season, old, new)
        capsys.readouterr()
        assert await bring(season, line.url) == 1
        assert "(0 created, 1 changed, 3 unchanged)" in capsys.readouterr().out
    after = await events_at(line.url)
    changed = after.pop("E0-2098-07-26-West-Ham-v-Aston-Villa")
    assert (changed["status"], changed["coefficient"], changed["version"]) == ("WIN", 3.25, 3)
    assert after.items() <= before.items()


async def test_line_providers_own_refusals_are_told_with_their_lines(
    line: Served, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A decided event takes neither another result nor another price: reported, nothing changed."""
    await bring(season, line.url)
    before = await events_at(line.url)
    capsys.readouterr()
    rewrite(season, "City,A,12", "City,H,12")
    assert await bring(season, line.url, "B365H") == 1
    report = capsys.readouterr().out.splitlines()
    assert report[0] == "3 rows taken (0 created, 0 changed, 3 unchanged), 3 refused"
    assert report[2].startswith("line 4: line-provider: The event has a result")
    assert [line.partition(":")[0] for line in report[2:]] == ["line 4", "line 6", "line 7"]
    assert await bring(season, line.url, "MaxH") == 1
    after = await events_at(line.url)
    assert after.pop("E0-2098-07-26-West-Ham-v-Aston-Villa")["coefficient"] == 3.1
    assert after.pop("E0-2019-08-10-Burnley-v-Southampton")["coefficient"] == 2.7
    assert after.items() <= before.items()


async def test_lost_answers_make_no_difference(
    line: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every seventh answer is lost after line-provider acted; the rows still count as created."""
    async with Gateway(line.url, lose_every=7).open() as url:
        assert await bring(EXAMPLE, url) == 0
        assert "380 rows taken (380 created, 0 changed" in capsys.readouterr().out
        events = await events_at(line.url)
        assert {event["version"] for event in events.values()} == {2}


async def test_a_line_provider_that_is_busy_is_asked_again(line: Served, season: Path) -> None:
    """503 is no refusal: the import waits as long as Retry-After says and goes on."""
    busy = answer("503 Busy", '{"code": "unavailable"}', "Retry-After: 1")
    away = answer("502 Bad Gateway", "<html>")
    async with Gateway(line.url, first=[away, busy]).open() as url:
        began = time.monotonic()
        assert await bring(season, url) == 1
        assert time.monotonic() - began > 1
        assert len(await events_at(line.url)) == 4


async def test_one_that_is_busy_at_first_is_waited_for_as_later(
    line: Served, season: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only where nothing answers is the address a wrong one; at last it is told as what it is."""
    monkeypatch.setattr(calls, "FIRST_PATIENCE_S", 0.1)
    busy = answer("503 Busy", '{"code": "unavailable", "detail": "Come again."}', "Retry-After: 1")
    async with Gateway(line.url, first=[busy, busy]).open() as url:
        assert await bring(season, url) == 1
    capsys.readouterr()
    monkeypatch.setattr(calls, "PATIENCE_S", 0.1)
    async with Gateway(line.url, first=[busy, busy]).open() as url:
        assert await bring(season, url) == 2
        told = f"stakeline import: line-provider at {url} cannot be used: Come again.\n"
        assert capsys.readouterr().err == told


def test_what_is_no_event_agrees_with_no_fixture() -> None:
    """An event that cannot be read is not taken for one that is as the file says."""
    fixture = Fixture(2, "derby", "Here v There", 195, 0, None)
    assert not importing._agrees({"event_id": "derby", "coefficient": "odd"}, fixture)
    assert not importing._agrees(None, fixture)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (answer("200 OK", "<html>"), "answers, but not as a line-provider does"),
        (answer("404 Not Found", '{"detail": "Not Found"}'), "answers, but not as"),
        (answer("200 OK", '{"name": "another"}'), "answers, but not as a line-provider does"),
        (
            answer("401 Who", '{"detail": "A token is needed."}'),
            "refuses: A token is needed; set STAKELINE_TOKEN",
        ),
    ],
    ids=["html", "not found", "no list", "token"],
)
async def test_what_is_no_line_provider_is_one_line(
    line: Served, season: Path, capsys: pytest.CaptureFixture[str], first: bytes, reason: str
) -> None:
    """The import stops before its first row, with exit code 2."""
    async with Gateway(line.url, first=[first]).open() as url:
        assert await bring(season, url) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"stakeline import: line-provider at {url} ")
    assert reason in written.err
    assert written.err.count("\n") == 1


async def test_bet_maker_is_not_taken_for_line_provider(
    both: Both, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows all events of the file as they are, yet it is not where an import goes."""
    await bring(season, both.line.url)
    await until_known(both.bets, "E0-2098-07-26-West-Ham-v-Aston-Villa")
    capsys.readouterr()
    assert await bring(season, both.bets.url) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"stakeline import: line-provider at {both.bets.url} answers, "
        "but has no feed: is it bet-maker?\n"
    )


async def test_a_file_cut_off_in_a_price_brings_nothing(
    line: Served, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows before it are whole, and stay out with it: exit code 2, one line."""
    rewrite(season, "3,3.1\n", "3,3.")
    assert await bring(season, line.url, "MaxH") == 2
    told = capsys.readouterr().err
    assert told == f"stakeline import: {season}: cut off in line 8, which has no line end\n"
    assert await events_at(line.url) == {}


async def test_a_line_provider_that_breaks_off_ends_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed under way, it is waited for, and then one line says what is the matter."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.3)
    async with running(tmp_path) as at:
        importing_it = asyncio.create_task(bring(EXAMPLE, at.line_provider))
        while not await events_at(at.line_provider):
            await asyncio.sleep(0.01)
        at.processes["line-provider"].kill()
        assert await importing_it == 2
    assert capsys.readouterr().err.endswith(f"{at.line_provider} does not answer\n")


@pytest.mark.parametrize(
    ("file", "url", "price", "reason"),
    [
        ("nowhere.csv", "http://127.0.0.1:9", "B365H", "nowhere.csv: No such file or directory"),
        ("season.csv", "http://127.0.0.1:9", "PSH", "it has B365H, MaxH"),
        ("season.csv", "http://127.0.0.1:9", "B365H", "http://127.0.0.1:9 does not answer"),
        ("season.csv", "127.0.0.1:9", "B365H", "line-provider: not a URL"),
        ("season.csv", "http://[::1", "B365H", "line-provider: not a URL"),
        ("season.csv", "http://127.0.0.1:0", "B365H", "line-provider: not a URL"),
        ("season.csv", "http://127.0.0.1:99999", "B365H", "line-provider: not a URL"),
    ],
)
@pytest.mark.usefixtures("season")
def test_what_cannot_be_imported_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    url: str,
    price: str,
    reason: str,
) -> None:
    """A wrong file, price or address: exit code 2 and a single line on stderr."""
    monkeypatch.setattr(calls, "FIRST_PATIENCE_S", 0.1)
    assert importing.run(tmp_path / file, url, Wanted(price)) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert reason in written.err
    assert written.err.count("\n") == 1
