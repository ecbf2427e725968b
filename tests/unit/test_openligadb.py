"""Reading OpenLigaDB's matches, as they are and as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stakeline import clock, ids, strictjson
from stakeline.fixtures import Fixture, Season, openligadb

EXAMPLE = Path(__file__).parents[2] / "examples" / "openligadb-bundesliga-2022-md1.json"
NO_RESULT = "finished, but no final result (resultTypeID 2) can be read"


def result(first: object, second: object, kind: int = 2, order: int = 1) -> dict[str, Any]:
    """One result of a match: 2 is the final one, 1 that at half time."""
    return {
        "resultTypeID": kind,
        "resultOrderID": order,
        "pointsTeam1": first,
        "pointsTeam2": second,
    }


def match(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A finished match, won 3:1 after 1:1 at half time, with other values in some members."""
    return {
        "matchID": 63868,
        "matchDateTime": "2022-08-06T15:30:00",
        "matchDateTimeUTC": "2022-08-06T13:30:00Z",
        "team1": {"teamId": 87, "teamName": "Borussia Mönchengladbach"},
        "team2": {"teamId": 123, "teamName": "TSG 1899 Hoffenheim"},
        "matchIsFinished": True,
        "matchResults": [result(3, 1), result(1, 1, kind=1, order=2)],
    } | values


def read(*matches: object, coefficient: int = 200) -> Season:
    """The season of these matches."""
    value = strictjson.loads(json.dumps(matches).encode())
    return openligadb.read(value, coefficient)


def only(season: Season) -> Fixture:
    """The one fixture of a season without refused rows."""
    assert season.refused == []
    (fixture,) = season.fixtures
    return fixture


def capitals(value: object) -> object:
    """The same JSON with a capital first letter in every name, as older versions spell it."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: capitals(member) for key, member in value.items()}
    return [capitals(one) for one in value] if isinstance(value, list) else value


def test_a_match_becomes_a_fixture() -> None:
    """Every field of a plain match is told in the units of the line."""
    season = read(match(), coefficient=195)
    assert only(season) == Fixture(
        line=1,
        event_id="openligadb-63868",
        name="Borussia Mönchengladbach v TSG 1899 Hoffenheim",
        coefficient=195,
        deadline=clock.parse_instant("2022-08-06T13:30:00Z"),
        status="WIN",
    )
    assert (season.counted, season.results, season.rounded) == ("match", True, 0)


def test_the_example_is_a_whole_matchday() -> None:
    """Nine matches; Gladbach, Union, Dortmund and Köln won at home, two matches were drawn."""
    season = openligadb.read(strictjson.loads(EXAMPLE.read_bytes()))
    assert season.refused == []
    assert {fixture.coefficient for fixture in season.fixtures} == {200}
    assert [(fixture.event_id, fixture.status) for fixture in season.fixtures] == [
        ("openligadb-63864", "LOSE"),  # 1:6
        ("openligadb-63865", "LOSE"),  # 0:4
        ("openligadb-63866", "LOSE"),  # 1:2
        ("openligadb-63868", "WIN"),  # 3:1
        ("openligadb-63871", "WIN"),  # 3:1
        ("openligadb-63872", "LOSE"),  # 2:2
        ("openligadb-63867", "WIN"),  # 1:0
        ("openligadb-63870", "LOSE"),  # 1:1
        ("openligadb-63869", "WIN"),  # 3:1
    ]
    assert season.fixtures[0].name == "Eintracht Frankfurt v FC Bayern München"
    assert season.fixtures[0].deadline == clock.parse_instant("2022-08-05T18:30:00Z")


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, "WIN"),
        ({"matchResults": [result(1, 1, kind=1), result(1, 2)]}, "LOSE"),
        ({"matchResults": [result(2, 0, kind=1), result(2, 2)]}, "LOSE"),
        ({"matchResults": [result(10, 9)]}, "WIN"),
        ({"matchResults": [result(1, 0), result(3, 1, order=3)]}, "WIN"),
        ({"matchResults": [result(1, 1), result(0, 1, order=3)]}, "LOSE"),
        ({"matchIsFinished": False}, None),
        ({"matchIsFinished": None}, None),
        ({"matchIsFinished": False, "matchResults": [result(None, None)]}, None),
    ],
)
def test_the_final_result_of_a_finished_match_decides(
    values: dict[str, Any], status: str | None
) -> None:
    """Half time says nothing, a draw is lost, and what is still played has no result."""
    assert only(read(match(**values))).status == status


def test_names_with_a_capital_are_read_alike() -> None:
    """The older spelling gives the very same fixture."""
    assert read(capitals(match())) == read(match())


def test_a_postponed_match_keeps_its_id() -> None:
    """Its date is no part of it."""
    later = match(matchDateTimeUTC="2022-09-01T18:30:00Z", matchIsFinished=False)
    assert only(read(later)).event_id == only(read(match())).event_id
    assert ids.parse_event_id(only(read(match(matchID=2**63 - 1))).event_id)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"matchID": "63868"}, "matchID must be a whole number"),
        ({"matchID": -1}, "matchID must be a whole number"),
        ({"matchID": 0}, "matchID must be a whole number"),
        ({"matchID": 1.5}, "matchID must be a whole number"),
        ({"matchID": 10**30}, "matchID must be a whole number"),
        ({"matchID": None}, "matchID must be a whole number"),
        ({"matchDateTimeUTC": None}, "matchDateTimeUTC must be a time"),
        ({"matchDateTimeUTC": "2022-08-06T13:30:00"}, "matchDateTimeUTC must be a time"),
        ({"matchDateTimeUTC": "1995-08-06T13:30:00Z"}, "from 2000 to 2100"),
        ({"matchDateTimeUTC": "2022-02-30T13:30:00Z"}, "on the calendar"),
        ({"team1": {}}, "no home team"),
        ({"team1": "Borussia"}, "no home team"),
        ({"team2": {"teamName": " "}}, "no away team"),
        ({"team2": {"teamName": 7}}, "no away team"),
        ({"team2": {"teamName": "x" * 1000}}, "name is too long"),
        ({"team1": {"teamName": "Li\u202ever"}}, "unreadable characters"),
        ({"matchResults": [result(2, 0, kind=1)]}, NO_RESULT),
        ({"matchResults": [result(2, 0, kind=22)]}, NO_RESULT),
        ({"matchResults": [result(2, 0) | {"resultTypeID": "2"}]}, NO_RESULT),
        ({"matchResults": []}, NO_RESULT),
        ({"matchResults": None}, NO_RESULT),
        ({"matchResults": result(2, 0)}, NO_RESULT),
        ({"matchIsFinished": "true"}, "matchIsFinished must be true or false"),
        ({"matchIsFinished": 1}, "matchIsFinished must be true or false"),
        ({"matchResults": [result(None, None)]}, "pointsTeam1 must be a whole number"),
        ({"matchResults": [result(-1, -1)]}, "pointsTeam1 must be a whole number"),
        ({"matchResults": [result(3, "1")]}, "pointsTeam2 must be a whole number"),
        ({"matchResults": [result(3, 1), result(1, 3)]}, "contradict each other"),
        ({"matchResults": [result(3, 1, order=9), result(1, 1)]}, "contradict each other"),
    ],
)
def test_a_match_that_is_no_fixture_is_refused_with_its_place(
    values: dict[str, Any], reason: str
) -> None:
    """It is named by its place in the list, and the matches around it are taken."""
    season = read(match(matchID=1), match(**values), match(matchID=3))
    assert [fixture.line for fixture in season.fixtures] == [1, 3]
    (refused,) = season.refused
    assert refused.line == 2
    assert reason in refused.reason


def test_what_is_no_match_at_all_is_refused() -> None:
    """Among matches there may be anything; a match that comes twice counts once."""
    season = read(match(), None, [match()], "match", match(), {"id": 1}, {"team1": 1})
    assert [fixture.line for fixture in season.fixtures] == [1]
    assert [(refused.line, refused.reason) for refused in season.refused] == [
        (2, "not a match of OpenLigaDB"),
        (3, "not a match of OpenLigaDB"),
        (4, "not a match of OpenLigaDB"),
        (5, "repeats match 1"),
        (6, "not a match of OpenLigaDB"),
        (7, "matchID must be a whole number from 1 to 9223372036854775807"),
    ]
