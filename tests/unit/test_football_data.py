"""Reading football-data.co.uk files, as they are and as they come."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stakeline import ids
from stakeline.fixtures import Fixture, Season, UnreadableFile, football_data

EXAMPLE = Path(__file__).parents[2] / "examples" / "premier-league-2019-20.csv"
HEADER = "Div,Date,Time,HomeTeam,AwayTeam,FTR,B365H,B365D,B365A"
ROW = "E0,09/08/2019,20:00,Liverpool,Norwich,H,1.14,10,19"


def read(*lines: str, price: str = "B365H", end: str = "\n") -> Season:
    """The season of a file with these lines."""
    return football_data.read(end.join([*lines, ""]).encode(), price)


def only(season: Season) -> Fixture:
    """The one fixture of a season without refused rows."""
    assert season.refused == []
    (fixture,) = season.fixtures
    return fixture


def instant(text: str) -> int:
    """Microseconds of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def row(**values: str) -> str:
    """`ROW` with other values in some columns."""
    given = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | values
    return ",".join(given.values())


def test_a_row_becomes_a_fixture() -> None:
    """Every field of a plain row is told in the units of the line."""
    assert only(read(HEADER, ROW)) == Fixture(
        line=2,
        event_id="E0-2019-08-09-Liverpool-v-Norwich",
        name="Liverpool v Norwich",
        coefficient=114,
        deadline=instant("2019-08-09T19:00:00"),
        status="WIN",
    )


def test_the_example_is_a_whole_season() -> None:
    """380 fixtures, 172 home wins, and ten in hundredths on each return 3,960.10."""
    season = football_data.read(EXAMPLE.read_bytes())
    wins = [fixture.coefficient for fixture in season.fixtures if fixture.status == "WIN"]
    assert (len(season.fixtures), season.refused, season.rounded) == (380, [], 0)
    assert (len(wins), sum(wins) * 10) == (172, 396010)
    assert len({fixture.event_id for fixture in season.fixtures}) == 380


@pytest.mark.parametrize(
    ("date", "time", "deadline"),
    [
        ("09/08/2019", "20:00", "2019-08-09T19:00:00"),
        ("26/12/2019", "20:00", "2019-12-26T20:00:00"),
        ("09/08/19", "20:00", "2019-08-09T19:00:00"),
        ("9/8/19", "8:05", "2019-08-09T07:05:00"),
        ("09-08-19", "20:00", "2019-08-09T19:00:00"),
        ("09.08.2019", "20:00", "2019-08-09T19:00:00"),
        ("2019-08-09", "20:00:00", "2019-08-09T19:00:00"),
        ("29/02/2020", "12:30", "2020-02-29T12:30:00"),
        ("09/08/2019", "", "2019-08-08T23:00:00"),
        ("26/12/2019", "", "2019-12-26T00:00:00"),
        ("29/03/2020", "01:30", "2020-03-29T01:30:00"),  # an hour that the UK's clocks leave out
        ("29/03/2020", "02:30", "2020-03-29T01:30:00"),
        ("25/10/2020", "01:30", "2020-10-25T00:30:00"),  # an hour that comes twice: the first
        ("25/10/2020", "02:30", "2020-10-25T02:30:00"),
        ("01/01/00", "", "2000-01-01T00:00:00"),
        ("31/12/69", "23:59", "2069-12-31T23:59:00"),
    ],
)
def test_the_kick_off_is_the_deadline(date: str, time: str, deadline: str) -> None:
    """Dates and times in every form are London's; with no time it is the start of the day."""
    fixture = only(read(HEADER, row(Date=date, Time=time)))
    assert fixture.deadline == instant(deadline)


@pytest.mark.parametrize(
    ("result", "status"), [("H", "WIN"), ("D", "LOSE"), ("A", "LOSE"), ("", None), (" H ", "WIN")]
)
def test_the_result_is_that_of_the_home_team(result: str, status: str | None) -> None:
    """A draw is lost, as an away win is; without a result there is no status yet."""
    assert only(read(HEADER, row(FTR=result))).status == status


@pytest.mark.parametrize(
    ("price", "coefficient", "rounded"),
    [
        ("1.14", 114, 0),
        ("10", 1000, 0),
        ("2.5", 250, 0),
        ("1.8300", 183, 0),
        ("1.833", 183, 1),
        ("1.835", 184, 1),
        ("1.8349999", 183, 1),
        ("9.995", 1000, 1),
        ("0.005", 1, 1),
        ("10000", 1_000_000, 0),
    ],
)
def test_prices_are_rounded_half_up(price: str, coefficient: int, rounded: int) -> None:
    """Two decimals are kept, further ones rounded, and only real roundings are counted."""
    season = read(HEADER, row(B365H=price))
    assert (only(season).coefficient, season.rounded) == (coefficient, rounded)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"B365H": ""}, "no price in B365H"),
        ({"B365H": "0"}, "must be a number above 0"),
        ({"B365H": "0.004"}, "must be a number above 0"),
        ({"B365H": "-1.5"}, "must be a number above 0"),
        ({"B365H": "10000.01"}, "must be a number above 0"),
        ({"B365H": "10000.005"}, "must be a number above 0"),
        ({"B365H": "9" * 40}, "must be a number above 0"),
        ({"B365H": "1e2"}, "must be a number above 0"),
        ({"B365H": "NaN"}, "must be a number above 0"),
        ({"B365H": "\u0661.\u0665"}, "must be a number above 0"),
        ({"B365H": "6/4"}, "must be a number above 0"),
        ({"FTR": "W"}, "the result must be"),
        ({"FTR": "h"}, "the result must be"),
        ({"Date": ""}, "no date"),
        ({"Date": "31/02/2020"}, "the date must be a day"),
        ({"Date": "08/13/2019"}, "the date must be a day"),
        ({"Date": "Friday"}, "the date must be a day"),
        ({"Date": "9/8-2019"}, "the date must be a day"),
        ({"Date": "19/08/95"}, "the date must be from 2000"),
        ({"Date": "01/01/0001"}, "the date must be from 2000"),
        ({"Date": "01/01/2100"}, "the date must be from 2000"),
        ({"Time": "24:00"}, "the time must be"),
        ({"Time": "12:60"}, "the time must be"),
        ({"Time": "TBC"}, "the time must be"),
        ({"HomeTeam": ""}, "no home team"),
        ({"AwayTeam": "  "}, "no away team"),
        ({"HomeTeam": "Li\x1bver"}, "unreadable characters"),
        ({"AwayTeam": "x" * 150}, "too long"),
        ({"B365A": "19,extra"}, "has 10 values for the 9 columns"),
        ({"HomeTeam": '"Liver"pool'}, "its quotes do not match"),
    ],
)
def test_a_row_that_is_no_fixture_is_refused_with_its_line(
    values: dict[str, str], reason: str
) -> None:
    """The row is named by its line with a reason, and the rows around it are taken."""
    season = read(HEADER, ROW, row(**values), row(HomeTeam="Arsenal"))
    assert [fixture.line for fixture in season.fixtures] == [2, 4]
    (refused,) = season.refused
    assert refused.line == 3
    assert reason in refused.reason


@pytest.mark.parametrize(
    ("lines", "event_id"),
    [
        ((HEADER, ROW), "E0-2019-08-09-Liverpool-v-Norwich"),
        (
            ("Div,Date,HomeTeam,AwayTeam,FTR,B365H", "E0,09/08/19,Liverpool,Norwich,H,1.14"),
            "E0-2019-08-09-Liverpool-v-Norwich",
        ),
        (
            ("Div,Date,HT,AT,FTR,B365H,,,", "E0,09/08/19,Nott'm Forest,Rushden & D,H,1.14,,,,,"),
            "E0-2019-08-09-Nottm-Forest-v-Rushden-D",
        ),
        (
            (
                "Country,League,Season,Date,Time,Home,Away,HG,AG,Res,B365CH,B365H",
                "Mexico,Liga MX,2019/2020,09/08/2019,20:00,U.N.A.M.- Pumas,Atl. San Luis,1,0,H,2,1",
            ),
            "Mexico-Liga-MX-2019-08-09-UNAM-Pumas-v-Atl-San-Luis",
        ),
        (
            ("Div,Date,HomeTeam,AwayTeam,B365H", "E0,09/08/2019,Liverpool,Norwich,1.14"),
            "E0-2019-08-09-Liverpool-v-Norwich",
        ),
        (("Date,HomeTeam,AwayTeam,B365H", "09/08/2019,A,B,1.14"), "2019-08-09-A-v-B"),
    ],
)
def test_layouts_of_other_years_and_leagues_are_read(lines: tuple[str, ...], event_id: str) -> None:
    """Columns are found by any of their names, wherever they stand."""
    assert only(read(*lines)).event_id == event_id


def test_a_header_may_have_spaces_and_capitals() -> None:
    """Names of columns are found without spaces around them, in any case; the price exactly."""
    lines = (
        " Div ,DATE, hometeam,AwayTeam ,Ftr, B365H ",
        "E0,09/08/19, Liverpool ,Norwich,H, 1.14 ",
    )
    assert only(read(*lines)).name == "Liverpool v Norwich"


@pytest.mark.parametrize("values", [3, 6, 7])
def test_a_row_shorter_than_the_header_lacks_only_its_end(values: int) -> None:
    """What it lacks is empty: here the price of B365H, or nothing that is needed."""
    season = read(HEADER, ",".join(ROW.split(",")[:values]))
    assert [refused.reason for refused in season.refused] == {
        3: ["no home team"],
        6: ["no price in B365H"],
        7: [],
    }[values]


def test_a_row_longer_than_the_header_by_empty_values_is_taken() -> None:
    """Old files have blocks of rows with commas too many at their ends."""
    assert only(read(HEADER, ROW + ",,, ,")).coefficient == 114


def test_a_fixture_that_comes_twice_is_refused_the_second_time() -> None:
    """The first row counts, whatever the second says; the return match is another fixture."""
    season = read(HEADER, ROW, row(HomeTeam="Norwich", AwayTeam="Liverpool"), row(FTR="A"))
    assert [fixture.line for fixture in season.fixtures] == [2, 3]
    assert [(refused.line, refused.reason) for refused in season.refused] == [(4, "repeats line 2")]


@pytest.mark.parametrize(
    ("home", "other"),
    [
        ("\u0421\u043f\u0430\u0440\u0442\u0430\u043a", "\u0414\u0438\u043d\u0430\u043c\u043e"),
        ("Lillestr\u00f8m", "Lillestr\u0142m"),
        ("x" * 60 + "a", "x" * 60 + "b"),
    ],
)
def test_ids_stay_apart_where_letters_had_to_go(home: str, other: str) -> None:
    """Two names that fold to the same letters, or are cut to them, still give two valid ids."""
    season = read(HEADER, row(HomeTeam=home), row(HomeTeam=other))
    first, second = (ids.parse_event_id(fixture.event_id) for fixture in season.fixtures)
    assert first != second
    assert [fixture.event_id for fixture in read(HEADER, row(HomeTeam=home)).fixtures] == [first]


def test_another_price_column_may_be_chosen() -> None:
    """The coefficient comes from the column that was asked for."""
    lines = (HEADER + ",MaxH,B365CH", ROW + ",1.2,1.15")
    assert only(read(*lines, price="MaxH")).coefficient == 120
    assert only(read(*lines, price="B365CH")).coefficient == 115


@pytest.mark.parametrize("price", ["PSH", "B365D", "FTR", "AHh", "GBAH", "B365AHH", "b365h", ""])
def test_a_column_without_home_win_prices_is_an_error_that_names_those_with(price: str) -> None:
    """One line says which columns would do."""
    header = HEADER + ",AHh,GBAH,B365AHH,B365AHA,MaxH,MaxD,MaxA"
    with pytest.raises(UnreadableFile, match=r"^no home win prices .*: it has B365H, MaxH$"):
        read(header, ROW, price=price)


def test_a_file_without_any_price_says_so() -> None:
    """The files of the first seasons have results only."""
    with pytest.raises(UnreadableFile, match="it has none at all"):
        read("Div,Date,HomeTeam,AwayTeam,FTR", "E0,19/08/95,Aston Villa,Man United,H")
