"""Money and coefficients: hundredths from text, and what a won bet returns."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stakeline import money

CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("text", "hundredths"),
    [
        ("0.01", 1),
        ("0.1", 10),
        ("0.10", 10),
        ("1", 100),
        ("1.0", 100),
        ("10.5", 1050),
        ("10.50", 1050),
        ("999999999.99", 99_999_999_999),
    ],
)
def test_a_number_with_two_decimals_is_read_in_hundredths(text: str, hundredths: int) -> None:
    """Up to two decimals are read, digit for digit."""
    assert money.parse_hundredths(text, money.MAX_AMOUNT) == hundredths


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "abc", "1.", ".5", "1..5", "1.2.3", "1,5", "1 000"),
        *("0", "0.0", "0.00", "-0", "-1", "-0.01", "+1"),
        *("1e2", "1E2", "1e400", "1e1000000", "1e-2", "Infinity", "-inf", "NaN", "sNaN"),
        *("0.001", "10.505", "1.950", "0.009"),
        *("00", "01", "007.5", "1000000000", "1000000000.00", "9" * 5000),
        *("0x1", "0b1", "1_0", "1_000.00", " 1", "1 ", "1\n", "\t1", "1\x00"),
        *("\u0661\u0660", "1\u0660", "\uff11", "²", "½", "\u0661.\u0665"),
        *("true", "null", "[]", "1/2", "1d", "1f"),
    ],
)
def test_what_is_not_such_a_number_is_refused(text: str) -> None:
    """Anything else is refused by a rule that does not repeat it."""
    with pytest.raises(ValueError, match=r"^must be ") as refusal:
        money.parse_hundredths(text, money.MAX_AMOUNT)
    assert len(text) < 4 or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "most", "taken"),
    [
        ("10000", money.MAX_COEFFICIENT, True),
        ("10000.00", money.MAX_COEFFICIENT, True),
        ("10000.01", money.MAX_COEFFICIENT, False),
        ("999999999.99", money.MAX_COEFFICIENT, False),
        ("1.00", 100, True),
        ("1.01", 100, False),
    ],
)
def test_the_upper_bound_is_inside(text: str, most: int, *, taken: bool) -> None:
    """The most that is allowed is taken, a hundredth more is not."""
    if taken:
        assert money.parse_hundredths(text, most) <= most
    else:
        with pytest.raises(ValueError, match="must be more than 0 and at most"):
            money.parse_hundredths(text, most)


@given(st.integers(1, money.MAX_AMOUNT))
@settings(deadline=None)
def test_a_decimal_reads_back_as_it_was(hundredths: int) -> None:
    """Writing an amount and reading it again changes nothing."""
    written = money.decimal(hundredths)
    assert written == Decimal(hundredths) / 100
    assert money.parse_hundredths(str(written), money.MAX_AMOUNT) == hundredths


@given(st.text(alphabet="0123456789.-+eE _\u0663", max_size=14))
@example("0.10")
@example("999999999.999")
@settings(deadline=None, max_examples=300)
def test_what_is_read_is_what_was_written(text: str) -> None:
    """A text is refused, or worth exactly what Decimal makes of it."""
    try:
        hundredths = money.parse_hundredths(text, money.MAX_AMOUNT)
    except ValueError:
        return
    assert Decimal(hundredths) == Decimal(text) * 100
    assert 0 < hundredths <= money.MAX_AMOUNT


@pytest.mark.parametrize(
    ("amount", "coefficient", "returned"),
    [
        (1000, 195, 1950),
        (1050, 195, 2048),  # 20.475
        (1, 150, 2),  # 0.015: half a cent goes up
        (1, 149, 1),
        (1, 50, 1),  # 0.005
        (1, 49, 0),
        (1, 1, 0),
        (3, 50, 2),
        (10, 114, 11),
        (99_999_999_999, 1_000_000, 999_999_999_990_000),
    ],
)
def test_winnings_round_half_a_cent_up(amount: int, coefficient: int, returned: int) -> None:
    """A won bet returns amount x coefficient, half a cent rounded up."""
    assert money.winnings(amount, coefficient) == returned


@given(st.integers(1, money.MAX_AMOUNT), st.integers(1, money.MAX_COEFFICIENT))
@settings(deadline=None, max_examples=300)
def test_winnings_are_those_of_decimal(amount: int, coefficient: int) -> None:
    """Integer arithmetic gives what Decimal's ROUND_HALF_UP gives."""
    exact = money.decimal(amount) * money.decimal(coefficient)
    expected = exact.quantize(CENT, rounding=ROUND_HALF_UP)
    assert money.decimal(money.winnings(amount, coefficient)) == expected


@pytest.mark.parametrize("coefficient", [*range(101, 250), 1999, 100_001])
def test_the_largest_amount_for_a_gain_is_the_largest(coefficient: int) -> None:
    """It gains no more than that, and a cent more would, however payouts are rounded."""
    for gain in range(-1, 120):
        amount = money.largest_amount(gain, coefficient)
        assert money.winnings(amount, coefficient) - amount <= max(gain, 0)
        assert money.winnings(amount + 1, coefficient) - (amount + 1) > max(gain, 0)


@pytest.mark.parametrize(("gain", "coefficient"), [(0, 100), (-5, 1), (money.MAX_AMOUNT, 101)])
def test_the_largest_amount_is_never_above_what_a_bet_may_be(gain: int, coefficient: int) -> None:
    """Where no amount gains that much, it is the most that can be staked at all."""
    assert money.largest_amount(gain, coefficient) == money.MAX_AMOUNT
