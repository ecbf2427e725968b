"""The rows of files in any encoding, with any line ends and quotes, and what is no such file."""

from __future__ import annotations

import csv
import random

import pytest

from stakeline import ids
from stakeline.fixtures import UnreadableFile, delimited, football_data
from tests.unit.test_football_data import HEADER, ROW, only, read, row

CUT_OFF = r"^cut off in line 3, which has no line end$"


@pytest.mark.parametrize(
    "blank", ["", ",,,,,,,,", ",,,,,,,,,,,,,,", "  ", " , ,", '"",""'], ids=repr
)
def test_blank_rows_are_passed_over(blank: str) -> None:
    """A row without any value is neither taken nor refused, and lines still count it."""
    season = read(blank, HEADER, blank, ROW, blank, blank, row(B365H=""), blank)
    assert [fixture.line for fixture in season.fixtures] == [4]
    assert [refused.line for refused in season.refused] == [7]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_every_encoding_and_line_end_reads_the_same(encoding: str, end: str) -> None:
    """Letters with accents come through, and the id folds them."""
    text = end.join([HEADER, row(HomeTeam="Köln", AwayTeam="Atlético"), row(FTR="?"), ""])
    season = football_data.read(text.encode(encoding))
    (fixture,) = season.fixtures
    assert fixture.name == "Köln v Atlético"
    assert fixture.event_id == "E0-2019-08-09-Koln-v-Atletico"
    assert [refused.line for refused in season.refused] == [3]


def test_big_endian_utf_16_is_read() -> None:
    """The byte order mark decides."""
    data = b"\xfe\xff" + f"{HEADER}\n{ROW}\n".encode("utf-16-be")
    assert only(football_data.read(data)).name == "Liverpool v Norwich"


def test_a_name_that_the_encoding_does_not_have_is_refused() -> None:
    """Bytes that Windows-1252 leaves undefined do not end up as a name."""
    season = football_data.read(
        f"{HEADER}\n{row(HomeTeam='K?ln')}\n".encode().replace(b"?", b"\x81")
    )
    assert [refused.reason for refused in season.refused] == [
        "the home team's name has unreadable characters"
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\r\n,,,\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (HEADER.encode(), "a header and no rows"),
        (HEADER.encode() + b"\n,,,\n\n", "a header and no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "must name Date"),
        (b"\0" * 100, "not text"),
        (HEADER.encode() + b"\n\x00", "not text"),
        (HEADER.encode("utf-16-le"), "not text"),
        (b"PK\x03\x04,binary", "must name Date"),
        (b'{"json": true}', "quotes|must name Date"),
        (b"name;price\n1;2\n", "must name Date"),
        (b'Date,"HomeTeam', "quotes"),
        (b"Date,HomeTeam,B365H\n", "must name Date"),
        (HEADER.encode() + b"\n" + b"x" * 100_000, "line 2 is longer"),
        (b"," * 10_000_000, "line 1 is longer"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_such_file_is_one_clear_line(data: bytes, reason: str) -> None:
    """The file as a whole is refused, in one line of plain text."""
    with pytest.raises(UnreadableFile, match=reason) as raised:
        football_data.read(data)
    assert str(raised.value).isprintable()


def test_a_quote_left_open_is_told_and_loses_no_row_in_silence() -> None:
    """A later quote that happens to close it makes one row of many, which is refused as a whole."""
    stray = ROW.replace("Liverpool", '"Liverpool')
    season = read(HEADER, stray, ROW, stray, row(HomeTeam="Arsenal"))
    assert [fixture.name for fixture in season.fixtures] == ["Arsenal v Norwich"]
    assert [(refused.line, refused.reason) for refused in season.refused] == [
        (2, "its quotes do not match, so that it runs to line 4; none of that was read")
    ]


@pytest.mark.parametrize("rows", [3, 3000])
def test_a_quote_never_closed_is_told_with_the_lines_it_took(rows: int) -> None:
    """Also where it runs on for longer than one value may be."""
    others = [row(HomeTeam=f"Team {number}") for number in range(rows)]
    season = read(HEADER, ROW, ROW.replace("Norwich", '"Norwich'), *others)
    assert season.fixtures[0].line == 2
    assert season.refused[0].line == 3
    assert "its quotes do not match, so that it runs to line" in season.refused[0].reason
    lost = int(season.refused[0].reason.split("line ")[1].split(";")[0]) - 3
    assert lost == rows or lost + len(season.fixtures) - 1 == rows


def test_a_line_break_inside_quotes_counts_as_a_line() -> None:
    """A row is named by the line it begins on, and the rows after it by theirs."""
    header = HEADER.replace("B365A", "B365A,Referee")
    season = read(header, ROW + ',"M Oliver\n(first\nmatch)"', row(FTR="?"), row(HomeTeam="Leeds"))
    assert [fixture.line for fixture in season.fixtures] == [2, 6]
    assert [refused.line for refused in season.refused] == [5]


@pytest.mark.parametrize("seed", range(20))
def test_any_names_come_back_as_they_were_written(seed: int) -> None:
    """What the csv module writes is read back, quotes, commas and all, with valid unique ids."""
    chance = random.Random(seed)  # noqa: S311 - a test
    letters = "abcXYZ '\",;.-&()\u00e9\u00f8\u0159\u4e2d"
    names = [
        "T" + "".join(chance.choices(letters, k=chance.randint(0, 40))).strip() for _ in range(50)
    ]
    lines: list[str] = []

    class Sink:
        def write(self, line: str) -> int:
            lines.append(line)
            return len(line)

    writer = csv.writer(Sink())
    writer.writerow(HEADER.split(","))
    for number, name in enumerate(names):
        writer.writerow(["E0", "09/08/2019", "", name, f"Away {number}", "H", "2", "3", "4"])
    season = football_data.read("".join(lines).encode())
    assert season.refused == []
    assert [fixture.name for fixture in season.fixtures] == [
        f"{' '.join(name.split())} v Away {number}" for number, name in enumerate(names)
    ]
    event_ids = [ids.parse_event_id(fixture.event_id) for fixture in season.fixtures]
    assert len(set(event_ids)) == len(names)


def test_random_bytes_never_break_the_reader() -> None:
    """Whatever comes, it is a season or one clear error."""
    chance = random.Random(1)  # noqa: S311 - a test
    good = f"{HEADER}\n{ROW}\n{row(HomeTeam='Arsenal')}\n".encode()
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        try:
            fixtures = football_data.read(bytes(data)).fixtures
        except UnreadableFile:
            fixtures = []
        for fixture in fixtures:
            assert ids.parse_event_id(fixture.event_id)


def test_a_large_file_is_read_line_by_line() -> None:
    """Ten thousand fixtures of 20 seasons are all there."""
    lines = [
        row(Date=f"{day:02}/{month:02}/20{year:02}", HomeTeam=f"Home {number}")
        for year in range(1, 21)
        for month in range(1, 11)
        for day in range(1, 11)
        for number in range(5)
    ]
    assert len(read(HEADER, *lines, end="\r\n").fixtures) == 10_000


def test_rows_come_with_the_line_they_begin_on() -> None:
    """The row reader alone: values without spaces, blank rows left out."""
    assert list(delimited.read_rows(b' a , b\r\n\r\n"c\nd"," e "\n')) == [
        (1, ["a", "b"]),
        (3, ["c\nd", "e"]),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_cut_off_within_a_row_is_an_error(encoding: str) -> None:
    """Its last value may be the first digit of a price, so none of it is taken."""
    for length in range(1, ROW.rindex(",") + 1):
        text = f"{HEADER}\n{ROW}\n{ROW[:length]}"
        with pytest.raises(UnreadableFile, match=CUT_OFF):
            football_data.read(text.encode(encoding))
    with pytest.raises(UnreadableFile, match=CUT_OFF):
        football_data.read(f'{HEADER}\n{ROW}\nE0,09/08/2019,,"Liver'.encode(encoding))


@pytest.mark.parametrize(
    ("header", "row", "last"),
    [
        ("Date,HomeTeam,AwayTeam,FTR,B365H", "01/01/2026,A,B,H,1.95", ["1", "1.", "1.9", "1.95"]),
        ("Date,HomeTeam,AwayTeam,B365H,FTR", "01/01/2026,A,B,1.95,H", ["", "H"]),
        ("Date,HomeTeam,AwayTeam,B365H,Time", "01/01/2026,A,B,1.95,12:30", ["", "12:3", "12:30"]),
        ("HomeTeam,AwayTeam,B365H,Date", "A,B,1.95,01/01/2026", ["01/01/20", "01/01/2026"]),
        ("Date,B365H,AwayTeam,HomeTeam", "01/01/2026,1.95,B,Everton", ["Ever", "Everton"]),
        ("Date,B365H,HomeTeam,AwayTeam", "01/01/2026,1.95,B,Everton", ["Ever", "Everton"]),
        ("Date,HomeTeam,AwayTeam,B365H,Div", "01/01/2026,A,B,1.95,E0", ["", "E", "E0"]),
        ("Date,Home,Away,B365H,League", "01/01/2026,A,B,1.95,Serie A", ["Serie", "Serie A"]),
    ],
    ids=lambda value: str(value)[-8:],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "cp1252"])
def test_a_file_cut_off_within_its_last_column_is_an_error(
    header: str, row: str, last: list[str], encoding: str
) -> None:
    """Where that is read, without a line end nothing shows whether the value is whole."""
    before = row.rpartition(",")[0]
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    for value in last:
        text = f"{mark}{header}\n{row.replace('A', 'C')}\n{before},{value}"
        with pytest.raises(UnreadableFile, match=CUT_OFF):
            football_data.read(text.encode(encoding))
    assert len(football_data.read(f"{mark}{header}\n{row}\n".encode(encoding)).fixtures) == 1


def test_utf_16_cut_off_within_a_character_is_an_error() -> None:
    """Half a line end, too, is none."""
    text = "\ufeffDate,HomeTeam,AwayTeam,B365H\n01/01/2026,A,B,1.95\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        whole = text.encode(encoding)
        assert only(football_data.read(whole)).coefficient == 195
        for length in range(len(whole) - 9, len(whole)):
            with pytest.raises(UnreadableFile, match=r"^cut off in line 2, "):
                football_data.read(whole[:length])


def test_a_file_may_lack_the_last_line_end() -> None:
    """A last row is whole with all its values, the last of them not read; or with blanks after."""
    assert only(football_data.read(f"{HEADER}\n{ROW}".encode())).coefficient == 114
    assert only(football_data.read(f"{HEADER},,\n{ROW},,".encode())).coefficient == 114
    last = f"{HEADER},MaxH\n{ROW},1.2,".encode()
    assert only(football_data.read(last, "MaxH")).coefficient == 120
    with pytest.raises(UnreadableFile, match=r"^cut off in line 2, "):
        football_data.read(last[:-1], "MaxH")
    short = ",".join(ROW.split(",")[:7])
    for encoding in ("utf-8", "utf-16-le"):
        text = f"\ufeff{HEADER}\n{short}\n"
        assert only(football_data.read(text.encode(encoding))).coefficient == 114
        assert only(football_data.read(f"{text}, ,".encode(encoding))).coefficient == 114
    with pytest.raises(UnreadableFile, match="a header and no rows"):
        football_data.read(HEADER.encode())
