"""Reading The Odds API's matches: decimal and American prices, bookmakers, times."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stakeline import clock, ids, strictjson
from stakeline.fixtures import Fixture, Season, UnreadableFile, the_odds_api

EXAMPLE = Path(__file__).parents[2] / "examples" / "the-odds-api-soccer-epl.json"
HOME, AWAY = "Everton", "Brighton and Hove Albion"


def book(key: str, home: object, away: object = 2.38, market: str = "h2h") -> dict[str, Any]:
    """A bookmaker with one market; a price that is text is written as a number of these digits."""
    outcomes = [(AWAY, away), (HOME, home), ("Draw", 101 if away == 150 else 3.4)]
    return {
        "key": key,
        "title": key.title(),
        "last_update": "2030-08-15T08:26:02Z",
        "markets": [
            {"key": market, "outcomes": [{"name": name, "price": at} for name, at in outcomes]}
        ],
    }


def match(*bookmakers: object, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A match with these bookmakers, and other values in some members."""
    return {
        "id": "eff9a067fcc37932e07066c0dfce7b1a",
        "sport_key": "soccer_epl",
        "commence_time": "2030-08-17T14:00:00Z",
        "home_team": HOME,
        "away_team": AWAY,
        "bookmakers": list(bookmakers or [book("betway", 3.0)]),
    } | values


def american(*prices: object) -> list[dict[str, Any]]:
    """Matches at these American home prices, and a last one that nobody mistakes for decimal."""
    made = [match(book("fanduel", price, 150), id=f"m{at}") for at, price in enumerate(prices)]
    return [*made, match(book("fanduel", -105, 150), id="plain")]


def read(*matches: object, bookmaker: str | None = None) -> Season:
    """The season of these matches."""
    text = re.sub(r'"price": "([^"]+)"', r'"price": \1', json.dumps(matches))
    return the_odds_api.read(strictjson.loads(text.encode()), bookmaker)


def only(season: Season) -> Fixture:
    """The one fixture of a season without refused rows."""
    assert season.refused == []
    (fixture,) = season.fixtures
    return fixture


def test_a_match_becomes_a_fixture() -> None:
    """Every field of a plain match is told in the units of the line; it has no result."""
    season = read(match())
    assert only(season) == Fixture(
        line=1,
        event_id="odds-api-eff9a067fcc37932e07066c0dfce7b1a",
        name="Everton v Brighton and Hove Albion",
        coefficient=300,
        deadline=clock.parse_instant("2030-08-17T14:00:00Z"),
        status=None,
    )
    assert (season.counted, season.results, season.rounded) == ("match", False, 0)


def test_the_example_is_eight_matches() -> None:
    """The price is the first bookmaker's, or one bookmaker's; one of Betfair's is rounded."""
    matches = strictjson.loads(EXAMPLE.read_bytes())
    first = the_odds_api.read(matches)
    assert [fixture.coefficient for fixture in first.fixtures] == [
        *(167, 850, 118, 300, 133, 275, 270, 410)
    ]
    betfair = the_odds_api.read(matches, "betfair_ex_uk")
    assert [fixture.coefficient for fixture in betfair.fixtures] == [
        *(860, 120, 310, 135, 283, 278, 420)
    ]
    assert (first.rounded, betfair.rounded, len(betfair.refused)) == (0, 1, 1)


@pytest.mark.parametrize(
    ("price", "coefficient", "rounded"),
    [
        ("3", 300, 0),
        ("1.91", 191, 0),
        ("1.910", 191, 0),
        ("2.826", 283, 1),
        ("2.825", 283, 1),
        ("2.8249999999999997", 282, 1),
        ("1.9523809523809523", 195, 1),
        ("0.005", 1, 1),
        ("150", 15_000, 0),  # decimal, as the other two are
        ("10000.00", 1_000_000, 0),
    ],
)
def test_decimal_prices_are_rounded_half_up(price: str, coefficient: int, rounded: int) -> None:
    """Two decimals are kept, and of longer ones only the third counts."""
    season = read(match(book("betway", price)))
    assert (only(season).coefficient, season.rounded) == (coefficient, rounded)


@pytest.mark.parametrize(
    ("price", "coefficient", "rounded"),
    [
        ("240", 340, 0),
        ("100", 200, 0),
        ("-100", 200, 0),
        ("-110", 191, 1),
        ("-160", 163, 1),  # 1.625
        ("-200", 150, 0),
        ("-300", 133, 1),
        ("-1600", 106, 1),  # 1.0625
        ("-8000", 101, 1),  # 1.0125
        ("-20000", 101, 1),  # 1.005
        ("-20001", 100, 1),
        ("240.0", 340, 0),
        ("999900", 1_000_000, 0),
    ],
)
def test_american_prices_become_decimal(price: str, coefficient: int, rounded: int) -> None:
    """What 100 win, or what wins 100, in decimal odds rounded half up."""
    season = read(*american(price))
    assert season.refused == []
    assert [fixture.coefficient for fixture in season.fixtures] == [coefficient, 195]
    assert season.rounded == rounded + 1  # 1.952...


def test_a_file_of_nothing_but_whole_prices_from_100_is_american() -> None:
    """No decimal market is without a favourite below that."""
    assert only(read(match(book("fanduel", 170, 150)))).coefficient == 270


def test_a_price_that_does_not_fit_the_others_is_refused() -> None:
    """Neither is a decimal price taken for American, nor an American one for 110.00."""
    season = read(*american(1.91, 110, 0, -50, 99, 1_000_000, "1e2"))
    assert [fixture.coefficient for fixture in season.fixtures] == [210, 195]
    assert [refused.line for refused in season.refused] == [1, 3, 4, 5, 6, 7]
    assert "must be American" in season.refused[0].reason
    assert "at most 10000.00" in season.refused[4].reason


def test_the_first_bookmaker_with_a_price_of_the_home_team_counts() -> None:
    """Other markets, and bookmakers without such a price, are passed over."""
    without = book("without", 9)
    without["markets"][0]["outcomes"].pop(1)
    bookmakers = [
        {"key": "empty", "markets": []},
        book("lay", 9, market="h2h_lay"),
        without,
        book("words", ["9.00"]),
        book("one", 3.1),
        book("two", 9),
    ]
    assert only(read(match(*bookmakers))).coefficient == 310


@pytest.mark.parametrize("name", ["two", "Two", "TWO"])
def test_a_bookmaker_may_be_chosen_by_key_or_title(name: str) -> None:
    """In any case of its letters; a match that it has no price for is refused."""
    bookmakers = [book("one", 3.1), book("two", 3.2)]
    bookmakers[1]["key"] = "uk_2"
    alone = match(book("one", 3.1), id="alone")
    season = read(match(*bookmakers), alone, bookmaker=name)
    assert [fixture.coefficient for fixture in season.fixtures] == [320]
    assert [(refused.line, refused.reason) for refused in season.refused] == [
        (2, f"no h2h price of the home team by '{name}'")
    ]
    assert only(read(match(*bookmakers), bookmaker="UK_2")).coefficient == 320


def test_a_bookmaker_that_nobody_has_is_an_error_that_names_those_there_are() -> None:
    """One line of bounded length, whatever the file calls its bookmakers."""
    with pytest.raises(UnreadableFile, match=r"^no h2h prices of 'bet': it has those of a, b$"):
        read(match(book("b", 3), book("a", 3), book("bet", 3, market="spreads")), bookmaker="bet")
    with pytest.raises(UnreadableFile, match=r"it has none$"):
        read(match(bookmakers=[]), bookmaker="bet")
    strange = [book(f"{at} " + "x" * 1000, 3) for at in range(1000)]
    with pytest.raises(UnreadableFile) as raised:
        read(match(book("\nb", 3), *strange), bookmaker="bet\n" * 1000)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("time", ["2030-08-17T14:00:00Z", "2030-08-17T16:00:00+02:00", 1913205600])
def test_times_come_in_both_forms(time: object) -> None:
    """RFC 3339 or unix seconds, as the request chose."""
    fixture = only(read(match(commence_time=time)))
    assert fixture.deadline == clock.parse_instant("2030-08-17T14:00:00Z")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"id": ""}, "its id must be 1 to 55"),
        ({"id": None}, "its id must be 1 to 55"),
        ({"id": 7}, "its id must be 1 to 55"),
        ({"id": "a/b"}, "its id must be 1 to 55"),
        ({"id": "x" * 56}, "its id must be 1 to 55"),
        ({"id": "x" * 1_000_000}, "its id must be 1 to 55"),
        ({"commence_time": None}, "commence_time must be a time"),
        ({"commence_time": "2030-08-17"}, "commence_time must be a time"),
        ({"commence_time": 19132056001}, "commence_time must be whole unix seconds"),
        ({"commence_time": 0}, "commence_time must be whole unix seconds"),
        ({"home_team": None, "away_team": None}, "no home team"),  # who wins the championship
        ({"away_team": ""}, "no away team"),
        ({"home_team": "Evert\u0007n"}, "unreadable characters"),
        ({"home_team": "Liverpool"}, "no h2h price of the home team by any bookmaker"),
        ({"bookmakers": None}, "no h2h price of the home team by any bookmaker"),
        ({"bookmakers": {"key": "h2h"}}, "no h2h price of the home team by any bookmaker"),
        ({"bookmakers": [None, 1, []]}, "no h2h price of the home team by any bookmaker"),
        ({"bookmakers": [book("b", 0)]}, "the h2h price must be a number above 0"),
        ({"bookmakers": [book("b", -1.5)]}, "the h2h price must be a number above 0"),
        ({"bookmakers": [book("b", 10000.01)]}, "the h2h price must be a number above 0"),
        ({"bookmakers": [book("b", "1e2")]}, "the h2h price must be a number above 0"),
        ({"bookmakers": [book("b", 10**400)]}, "the h2h price must be a number above 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_match_that_is_no_fixture_is_refused_with_its_place(
    values: dict[str, Any], reason: str
) -> None:
    """It is named by its place in the list, and the matches around it are taken."""
    season = read(match(id="one"), match(**values), match(id="three"), match(id="one"), None)
    assert [fixture.line for fixture in season.fixtures] == [1, 3]
    assert [refused.line for refused in season.refused] == [2, 4, 5]
    assert reason in season.refused[0].reason
    assert [refused.reason for refused in season.refused[1:]] == [
        "repeats match 1",
        "not a match of The Odds API",
    ]


def test_the_longest_id_is_an_events() -> None:
    """With what stands before it, it has just the length that ids may have."""
    assert len(ids.parse_event_id(only(read(match(id="x" * 55))).event_id)) == 64
