"""Identifiers: which are taken, and how those made here look."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakeline import clock, ids

if TYPE_CHECKING:
    from collections.abc import Callable

BET_ID = "0199f3a0-1b2c-7d3e-8f40-123456789abc"
instants = st.integers(0, clock.LATEST)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((ids.parse_event_id, text) for text in ("a", "0", "007", "a:b", "a.b", "...", "-", "_")),
        (ids.parse_event_id, "x" * 64),
        (ids.parse_event_id, "E0-2019-08-09-Liverpool-v-Norwich"),
        *((ids.parse_key, text) for text in ("a", "!", "~", "k" * 64, 'a"b', "a,b", "{}")),
        (ids.parse_bet_id, BET_ID),
    ],
)
def test_a_well_formed_identifier_is_kept_as_given(parse: Callable[[str], str], text: str) -> None:
    """What is well formed comes back unchanged."""
    assert parse(text) == text


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *(
            (ids.parse_event_id, text)
            for text in (
                *("", ".", "..", "a/b", "a b", "a\n", "\na", "a\x00", "é", "a?b", "a#b", "a%b"),
                *("x" * 65, "\u0661", "a\u200b", "\ud800", "a@b", "a+b", "~", "a,b"),
            )
        ),
        *(
            (ids.parse_key, text)
            for text in ("", " ", "a b", "a\n", "é", "k" * 65, "\x7f", "\x00", "\u0661", "a\tb")
        ),
        *(
            (ids.parse_bet_id, text)
            for text in (
                *("", "1", BET_ID[:-1], BET_ID + "0", BET_ID.replace("-", "")),
                *("{" + BET_ID + "}", "urn:uuid:" + BET_ID, "g" + BET_ID[1:], BET_ID + "\n"),
            )
        ),
    ],
)
def test_a_malformed_identifier_is_refused(parse: Callable[[str], str], text: str) -> None:
    """What is not well formed is refused."""
    with pytest.raises(ValueError, match=r"^must be "):
        parse(text)


def test_a_bet_id_may_come_in_capitals() -> None:
    """A UUID in capitals is the same bet."""
    assert ids.parse_bet_id(BET_ID.upper()) == BET_ID


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("1", 1), ("10", 10), ("9223372036854775807", 2**63 - 1)],
)
def test_a_whole_number_is_read(text: str, number: int) -> None:
    """Whole numbers from 0 to the largest int64 are read."""
    assert ids.parse_integer(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "-0", "+1", "1.0", "1e3", "00", "01", " 1", "1\n", "0x10", "1_0", "\u0661"),
        *("9223372036854775808", "18446744073709551616", "9" * 5000),
    ],
)
def test_what_is_not_a_whole_number_is_refused(text: str) -> None:
    """Anything but plain digits within int64 is refused."""
    with pytest.raises(ValueError, match="must be a whole number from 0 to"):
        ids.parse_integer(text)


@pytest.mark.parametrize("text", ["0", "1001"])
def test_a_whole_number_keeps_its_own_bounds(text: str) -> None:
    """A caller's bounds are told in the refusal."""
    with pytest.raises(ValueError, match="must be a whole number from 1 to 1000"):
        ids.parse_integer(text, 1, 1000)


def test_a_made_event_id_is_short_and_its_own() -> None:
    """A thousand made ids are all well formed, 8 characters long and different."""
    made = {ids.new_event_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(ids.parse_event_id(event_id)) for event_id in made} == {8}


@given(instants)
@settings(deadline=None)
def test_a_bet_id_is_a_uuid_of_its_time(placed_at: int) -> None:
    """A bet's id is a UUIDv7 of RFC 9562 whose first 48 bits are the millisecond."""
    bet_id = uuid.UUID(ids.parse_bet_id(ids.new_bet_id(placed_at)))
    assert (bet_id.variant, bet_id.version) == (uuid.RFC_4122, 7)
    assert bet_id.int >> 80 == placed_at // 1000


@given(instants, instants)
@settings(deadline=None)
def test_bet_ids_sort_as_their_bets_were_placed(one: int, other: int) -> None:
    """The id of an earlier bet is the smaller one, to the microsecond."""
    earlier, later = sorted((one, other))
    assert ids.new_bet_id(earlier) < ids.new_bet_id(later) or earlier == later


@given(instants)
@settings(deadline=None)
def test_bet_ids_of_an_instant_lie_between_its_first_and_the_next_ones(placed_at: int) -> None:
    """No id of an instant is below its first, none reaches the first of the next microsecond."""
    first, after = ids.first_bet_id(placed_at), ids.first_bet_id(placed_at + 1)
    assert first <= ids.new_bet_id(placed_at) < after


def test_bet_ids_of_one_instant_differ() -> None:
    """A thousand bets of one microsecond have a thousand ids."""
    assert len({ids.new_bet_id(1_700_000_000_000_000) for _ in range(1000)}) == 1000
