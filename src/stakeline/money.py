"""Money in integer cents and coefficients in integer hundredths; text and Decimal only at the edge.

Bounds are enforced on the text, before any number is made of it: `1e1000000` costs nothing here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

MAX_AMOUNT = 99_999_999_999
"""The largest amount, in cents: 999,999,999.99."""
MAX_COEFFICIENT = 1_000_000
"""The largest coefficient, in hundredths: 10,000.00."""

_TWO_DECIMALS = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?", re.ASCII)


@lru_cache(maxsize=10_000)  # prices and stakes are often the same
def parse_hundredths(text: str, most: int) -> int:
    """A decimal text such as `10.5` in hundredths (1050).

    Raises:
        ValueError: not digits with at most two decimals, not above zero, or above `most`; the
            message says which and does not repeat the text.
    """
    match = _TWO_DECIMALS.fullmatch(text)
    if match is None:
        raise ValueError("must be a number like 10 or 10.50, with at most two decimals")
    whole, decimals = match.groups(default="")
    hundredths = int(whole) * 100 + int(decimals.ljust(2, "0"))
    if not 0 < hundredths <= most:
        raise ValueError(f"must be more than 0 and at most {decimal(most)}")
    return hundredths


@lru_cache(maxsize=10_000)
def decimal(hundredths: int) -> Decimal:
    """The exact two-decimal number: 1050 is `Decimal('10.50')`."""
    return Decimal(hundredths).scaleb(-2)


def largest_amount(gain: int, coefficient: int) -> int:
    """The largest amount, in cents, that gains at most `gain` if it wins, up to `MAX_AMOUNT`.

    Args:
        gain: what may be won beyond the stake, in cents; one below zero counts as zero.
        coefficient: decimal odds in hundredths; at 1.00 and below no amount gains anything.
    """
    if coefficient <= 100:  # noqa: PLR2004 - 1.00
        return MAX_AMOUNT
    # winnings(a, c) - a <= gain, where a payout is rounded up from half a cent on
    return min(MAX_AMOUNT, (100 * max(gain, 0) + 49) // (coefficient - 100))


def winnings(amount: int, coefficient: int) -> int:
    """What a won bet returns, in cents: amount x coefficient, rounded half up to the cent.

    Args:
        amount: the stake in cents.
        coefficient: decimal odds in hundredths.
    """
    return (amount * coefficient + 50) // 100
