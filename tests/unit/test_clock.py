"""Instants: from text and unix seconds to microseconds, and back; and the host's two clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakeline import clock

FIRST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
LAST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 - 1
EIGHTEEN = int(datetime(2026, 8, 1, 18, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-08-01T18:00:00Z", EIGHTEEN),
        ("2026-08-01t18:00:00z", EIGHTEEN),
        ("2026-08-01 18:00:00Z", EIGHTEEN),
        ("2026-08-01T18:00:00+00:00", EIGHTEEN),
        ("2026-08-01T18:00:00-00:00", EIGHTEEN),
        ("2026-08-01T20:00:00+02:00", EIGHTEEN),
        ("2026-08-01T12:30:00-05:30", EIGHTEEN),
        ("2026-08-02T17:59:00+23:59", EIGHTEEN),
        ("2026-08-01T18:00:00.5Z", EIGHTEEN + 500_000),
        ("2026-08-01T18:00:00.000001Z", EIGHTEEN + 1),
        ("2026-08-01T18:00:00.0000019Z", EIGHTEEN + 1),
        ("2026-08-01T18:00:00.123456789Z", EIGHTEEN + 123_456),
        ("2000-01-01T00:00:00Z", FIRST),
        ("2099-12-31T23:59:59.999999Z", LAST),
        ("2024-02-29T00:00:00Z", int(datetime(2024, 2, 29, tzinfo=UTC).timestamp()) * 10**6),
    ],
)
def test_an_rfc_3339_time_is_read_to_the_microsecond(text: str, at: int) -> None:
    """Any zone is taken, and digits finer than a microsecond are cut off."""
    assert clock.parse_instant(text) == at


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-08-01", "18:00:00Z", "20260801T180000Z", "2026-W31-6T18:00:00Z"),
        *("2026-08-01T18:00:00", "2026-08-01T18:00Z", "2026-08-01T18Z", "2026-8-1T18:00:00Z"),
        *("2026-08-01T18:00:00 Z", " 2026-08-01T18:00:00Z", "2026-08-01T18:00:00Z\n"),
        *("2026-08-01T18:00:00+0200", "2026-08-01T18:00:00+02", "2026-08-01T18:00:00+02:00:30"),
        *("2026-08-01T18:00:00,5Z", "2026-08-01T18:00:00.Z", "2026-08-01T18:00:00.1234567890Z"),
        *("2026-13-01T18:00:00Z", "2026-00-01T18:00:00Z", "2026-02-30T18:00:00Z"),
        *("2026-08-01T24:00:00Z", "2026-08-01T18:60:00Z", "2026-08-01T18:00:60Z"),
        *("2026-08-01T18:00:00+24:00", "2026-08-01T18:00:00+00:60", "2026-08-01T18:00:00-01:99"),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        *("1999-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z", "2000-01-01T00:00:00+00:01"),
        *(
            "\u0662\u0660\u0662\u0666-08-01T18:00:00Z",
            "1785607200",
            "-2026-08-01T18:00:00Z",
            "2026-08-01T18:00:00UTC",
        ),
    ],
)
def test_any_other_text_is_not_an_instant(text: str) -> None:
    """No zone, no such day, not from 2000 to 2100: refused."""
    with pytest.raises(ValueError, match=r"^must be "):
        clock.parse_instant(text)


@pytest.mark.parametrize(
    ("text", "at"), [("946684800", FIRST), ("1785607200", EIGHTEEN), ("4102444799", LAST - 999_999)]
)
def test_unix_seconds_are_read(text: str, at: int) -> None:
    """Whole unix seconds from 2000 to 2100 are taken."""
    assert clock.parse_unix(text) == at


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "946684799", "4102444800", "1785607200.5", "1785607200000", "1e9"),
        *(
            "01785607200",
            "+1785607200",
            " 1785607200",
            "1785607200\n",
            "\u0661\u0667\u0668\u0665\u0666\u0660\u0667\u0662\u0660\u0660",
            "9" * 5000,
        ),
    ],
)
def test_other_numbers_are_not_unix_seconds(text: str) -> None:
    """Milliseconds, fractions and other centuries are refused."""
    with pytest.raises(ValueError, match=r"^must be "):
        clock.parse_unix(text)


@given(st.integers(FIRST, LAST))
@settings(deadline=None, max_examples=300)
def test_an_instant_reads_back_as_it_was_written(at: int) -> None:
    """Writing an instant and reading it again loses no microsecond."""
    text = clock.text(at)
    assert clock.parse_instant(text) == at
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(at // 10**6, UTC).replace(
        microsecond=at % 10**6
    )


@given(st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.timezones()))  # noqa: DTZ001 - Hypothesis adds the zone
@settings(deadline=None)
def test_a_zone_changes_the_text_but_not_the_instant(moment: datetime) -> None:
    """The same moment told in any zone is the same instant."""
    offset = moment.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60 == 0:  # RFC 3339 has no seconds in a zone
        in_utc = moment.astimezone(UTC).isoformat()
        assert clock.parse_instant(moment.isoformat()) == clock.parse_instant(in_utc)


def test_whole_seconds_are_written_without_a_fraction() -> None:
    """Microseconds are shown only where there are any."""
    assert clock.text(EIGHTEEN) == "2026-08-01T18:00:00Z"
    assert clock.text(EIGHTEEN + 1) == "2026-08-01T18:00:00.000001Z"


def test_the_clocks_run_in_microseconds() -> None:
    """The wall clock is the host's; the steady one measures how long something took."""
    began, wall = clock.steady(), clock.now()
    time.sleep(0.01)
    assert abs(wall - time.time() * 1e6) < 5e6
    assert 9_000 <= clock.steady() - began < 5_000_000
