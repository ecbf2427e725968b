"""Files of every format and of none: told apart by content, refused in one line, drawn results."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from stakeline import ids
from stakeline.fixtures import Fixture, Season, UnreadableFile, drawing, files
from stakeline.fixtures.files import Wanted

EXAMPLES = Path(__file__).parents[2] / "examples"
CSV = (EXAMPLES / "premier-league-2019-20.csv").read_bytes()
OPENLIGADB = (EXAMPLES / "openligadb-bundesliga-2022-md1.json").read_bytes()
ODDS_API = (EXAMPLES / "the-odds-api-soccer-epl.json").read_bytes()
BOM = b"\xef\xbb\xbf"
KNOWN = "; the formats known are football-data.co.uk CSV, OpenLigaDB JSON, The Odds API JSON"


def read(folder: Path, data: bytes, wanted: Wanted | None = None) -> Season:
    """The season of a file with these bytes, whose name says nothing."""
    path = folder / "file"
    path.write_bytes(data)
    return files.load(path, wanted or Wanted())


def refusal(path: Path, wanted: Wanted | None = None) -> str:
    """The one line by which a file is refused, without its path."""
    with pytest.raises(UnreadableFile) as raised:
        files.load(path, wanted or Wanted())
    told = str(raised.value)
    assert told.isprintable()
    assert told.startswith(f"{path}: ")
    return told.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("data", "fixtures", "counted", "results"),
    [
        (CSV, 380, "line", True),
        (CSV.decode().encode("utf-16"), 380, "line", True),
        (OPENLIGADB, 9, "match", True),
        (BOM + OPENLIGADB, 9, "match", True),
        (b"\r\n \t" + OPENLIGADB + b"\n\n", 9, "match", True),
        (ODDS_API, 8, "match", False),
        (json.dumps(json.loads(OPENLIGADB)[0]).encode(), 1, "match", True),
        (json.dumps(json.loads(ODDS_API)[0]).encode(), 1, "match", False),
        (b'{"timestamp": "2030-08-15T08:30:00Z", "data": ' + ODDS_API + b"}", 8, "match", False),
        (
            json.dumps({"timestamp": "", "data": json.loads(ODDS_API)[7]}).encode(),
            *(1, "match", False),
        ),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_file_is_recognised_by_its_content(
    tmp_path: Path, data: bytes, fixtures: int, counted: str, *, results: bool
) -> None:
    """Lists and single matches, with a byte order mark or without, whatever the file is called."""
    season = read(tmp_path, data)
    assert season.refused == []
    assert (len(season.fixtures), season.counted, season.results) == (fixtures, counted, results)


def test_a_broken_match_does_not_hide_what_the_others_are(tmp_path: Path) -> None:
    """The first one need not be whole."""
    season = read(tmp_path, b"[null, {}, " + ODDS_API.strip()[1:])
    assert [refused.line for refused in season.refused] == [1, 2]
    assert len(season.fixtures) == 8


def test_of_two_formats_in_one_list_the_other_is_named(tmp_path: Path) -> None:
    """A list with OpenLigaDB's matches is OpenLigaDB's; what else it has is none of them."""
    league, odds = json.loads(OPENLIGADB), json.loads(ODDS_API)
    season = read(tmp_path, json.dumps([odds[0], league[0], odds[1]]).encode())
    assert [fixture.event_id for fixture in season.fixtures] == ["openligadb-63864"]
    assert [(refused.line, refused.reason) for refused in season.refused] == [
        (1, "not a match of OpenLigaDB"),
        (3, "not a match of OpenLigaDB"),
    ]
    for at in league:
        del at["matchID"]
    season = read(tmp_path, json.dumps([league[0], odds[0]]).encode())
    assert len(season.fixtures) == 1
    assert [refused.reason for refused in season.refused] == ["not a match of The Odds API"]


BREAKS_OFF = "JSON that breaks off before its end"
NOT_CSV = "not a football-data.co.uk CSV"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", f"{NOT_CSV}: the file is empty{KNOWN}"),
        (b" \n \n", f"{NOT_CSV}: the file is empty{KNOWN}"),
        (b"null", f"{NOT_CSV}: its header must name Date, HomeTeam and AwayTeam{KNOWN}"),
        (b"<html>\n", f"{NOT_CSV}: its header must name Date, HomeTeam and AwayTeam{KNOWN}"),
        (b"a,b\n1,2\n", f"{NOT_CSV}: its header must name Date, HomeTeam and AwayTeam{KNOWN}"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "not text (see line 1)"),
        (CSV[:-20], "cut off in line 381, which has no line end"),
        (b"[]", f"a list without matches{KNOWN}"),
        (b'{"data": []}', f"a list without matches{KNOWN}"),
        (b"{}", f"JSON without matches{KNOWN}"),
        (b"[1, 2.5, 3]", f"JSON without matches{KNOWN}"),
        (b'{"data": null}', f"JSON without matches{KNOWN}"),
        (b'{"message": "Usage quota has been reached."}', f"JSON without matches{KNOWN}"),
        (b"[" + b"9" * 1_000_000 + b"]", f"JSON without matches{KNOWN}"),
        (b'["' + b"x" * 1_000_000 + b'"]', f"JSON without matches{KNOWN}"),
        (OPENLIGADB[:12_000], BREAKS_OFF),
        (ODDS_API[:7_000], BREAKS_OFF),
        (b'[{"id": oops}]', "not JSON: see character 8"),
        (b'[{"id": "1" "2"', "not JSON: see character 12"),
        (b'["\\u12"]', "not JSON: see character 3"),
        (b'["a\0b"]', "not JSON: see character 3"),
        (ODDS_API + ODDS_API, f"not JSON: see character {len(ODDS_API)}"),
        (b"[" * 1_000_000, "nested more than 16 levels deep"),
        (b'{"a": ' * 1_000_000, "nested more than 16 levels deep"),
        (b'[{"id": 1, "id": 2}]', "An object has the same key twice"),
        (b"[NaN]", "NaN and Infinity are not JSON"),
        (OPENLIGADB.decode().encode("utf-16"), "in UTF-16, and JSON must be in UTF-8"),
        (ODDS_API.decode().encode("utf-16-be"), "in UTF-16, and JSON must be in UTF-8"),
        (ODDS_API.decode().encode("utf-16-le"), "in UTF-16, and JSON must be in UTF-8"),
        (OPENLIGADB.decode().encode("utf-32"), "in UTF-32, and JSON must be in UTF-8"),
        (OPENLIGADB.decode().encode("latin-1"), "not well-formed Unicode in UTF-8"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_such_file_is_one_clear_line(tmp_path: Path, data: bytes, reason: str) -> None:
    """Empty, cut off, in another encoding, of another kind: told in one line of plain text."""
    path = tmp_path / "file"
    path.write_bytes(data)
    assert refusal(path) == reason


ODD_JSON = (
    b'[true, false, null, "\\u00e9\\ud83d\\ude00\\n\\"\xc3\xa9", {"a": -1.5e+3, "b": {}}, [1, []]]'
)


@pytest.mark.parametrize(
    ("data", "step"),
    [(OPENLIGADB, 97), (ODDS_API, 97), (ODD_JSON, 1)],
    ids=["OpenLigaDB", "The Odds API", "any"],
)
def test_json_cut_off_anywhere_is_no_season(tmp_path: Path, data: bytes, step: int) -> None:
    """Half a file never passes for a shorter one, and is told as what it is."""
    path = tmp_path / "file"
    whole = data.strip()
    for length in range(1, len(whole), step):
        path.write_bytes(whole[:length])
        assert refusal(path) == BREAKS_OFF, whole[:length][-20:]


def spoil(value: object, chance: random.Random) -> object:
    """The same JSON with an odd value in one place, anywhere within it."""
    odd: list[object] = [
        None,
        True,
        -1,
        1.5,
        10**30,
        "",
        "2",
        "x" * 300,
        "\x00",
        [],
        {},
        [[]],
        [None],
        {"a": 1},
    ]
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.1:
        return chance.choice(odd)
    at = chance.randrange(len(value))
    if isinstance(value, list):
        return [spoil(one, chance) if index == at else one for index, one in enumerate(value)]
    key = list(value)[at]
    return value | {key: spoil(value[key], chance)}


@pytest.mark.parametrize("data", [OPENLIGADB, ODDS_API], ids=["OpenLigaDB", "The Odds API"])
def test_an_odd_value_anywhere_never_breaks_a_reader(tmp_path: Path, data: bytes) -> None:
    """Whatever comes, it is a season whose events the line can take, or one clear error."""
    chance = random.Random(1)  # noqa: S311 - a test
    good = json.loads(data)[:2]
    for _ in range(400):
        try:
            season = read(tmp_path, json.dumps(spoil(good, chance)).encode())
        except UnreadableFile:
            continue
        assert len(season.fixtures) + len(season.refused) <= 2
        for fixture in season.fixtures:
            assert ids.parse_event_id(fixture.event_id)
            assert 1 <= fixture.coefficient <= 1_000_000
        assert all(refused.reason.isprintable() for refused in season.refused)


def test_what_cannot_be_opened_or_read_is_one_clear_line(tmp_path: Path) -> None:
    """Missing, a folder, below a file, failing while it is read, a pipe that nobody writes to."""
    assert refusal(tmp_path / "none") == "No such file or directory"
    assert refusal(tmp_path) == "Is a directory"
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file" / "none") == "Not a directory"
    assert refusal(Path("/proc/self/mem")) == "Input/output error"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "not a regular file"
    assert refusal(Path("/dev/null")) == "not a regular file"


def test_a_file_too_large_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 64 MiB of anything, and less of JSON, which is read as a whole."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(files.MAX_FILE + 1)
    assert refusal(path) == "larger than 64 MiB"
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(files.MAX_JSON + 1)
    assert refusal(path) == "JSON larger than 16 MiB"
    monkeypatch.setattr(files, "MAX_JSON", len(ODDS_API))
    assert len(read(tmp_path, ODDS_API).fixtures) == 8


@pytest.mark.parametrize(
    ("data", "wanted", "reason"),
    [
        (CSV, Wanted(coefficient=200), "--coefficient is for OpenLigaDB JSON, and this is"),
        (CSV, Wanted(bookmaker="betway"), "--bookmaker is for The Odds API JSON, and this is"),
        (OPENLIGADB, Wanted(price="B365H"), "--price is for football-data.co.uk CSV, and this is"),
        (ODDS_API, Wanted(coefficient=200), "--coefficient is for OpenLigaDB JSON, and this is"),
        (ODDS_API, Wanted(bookmaker="bet365"), "no h2h prices of 'bet365': it has those of"),
        (CSV, Wanted(price=""), "no home win prices in a column ''"),
    ],
    ids=repr,
)
def test_what_a_format_does_not_have_cannot_be_wanted(
    tmp_path: Path, data: bytes, wanted: Wanted, reason: str
) -> None:
    """An option that would be ignored is an error, as is one for what the file does not have."""
    path = tmp_path / "file"
    path.write_bytes(data)
    assert refusal(path, wanted).startswith(reason)


def test_what_is_wanted_is_taken(tmp_path: Path) -> None:
    """The column, the coefficient and the bookmaker that were asked for."""
    other = CSV.replace(b"B365H", b"MaxH")
    assert read(tmp_path, other, Wanted(price="MaxH")).fixtures[0].coefficient == 114
    assert read(tmp_path, OPENLIGADB, Wanted(coefficient=195)).fixtures[0].coefficient == 195
    assert read(tmp_path, ODDS_API, Wanted(bookmaker="Betfair")).fixtures[0].coefficient == 860


def drawn(season: Season, seed: int) -> dict[str, str | None]:
    """The results of a season by event id, after they were drawn."""
    return {one.event_id: one.status for one in drawing.with_results(season, seed).fixtures}


def test_results_are_drawn_where_a_format_has_none(tmp_path: Path) -> None:
    """By the seed, and one fixture's apart from the others'."""
    season = read(tmp_path, ODDS_API)
    results = drawn(season, 0)
    assert list(results.values()) == [
        *("WIN", "LOSE", "LOSE", "LOSE", "WIN", "WIN", "LOSE", "WIN"),
    ]
    assert drawn(season, 0) == results
    assert len({tuple(drawn(season, seed).values()) for seed in range(20)}) > 10
    last = replace(season, fixtures=season.fixtures[5:])
    assert drawn(last, 0).items() <= results.items()


def test_a_season_with_results_keeps_them(tmp_path: Path) -> None:
    """What is not played yet is not drawn there."""
    season = read(tmp_path, OPENLIGADB.replace(b'"matchIsFinished": true', b'"any": 0'))
    assert drawing.with_results(season, 0) is season
    assert {fixture.status for fixture in season.fixtures} == {None}


def test_a_win_is_as_likely_as_its_coefficient_says() -> None:
    """Of 10,000 about a quarter at 4.00, four fifths at 1.25, not all at 1.01, all below 1.00."""
    expected = [(400, 2400, 2600), (125, 7900, 8100), (101, 9850, 9950), (90, 10_000, 10_000)]
    for coefficient, least, most in expected:
        fixtures = [Fixture(at, f"m-{at}", "A v B", coefficient, 0, None) for at in range(10_000)]
        results = drawn(Season(fixtures, [], 0, "match", results=False), 7)
        assert least <= list(results.values()).count("WIN") <= most
