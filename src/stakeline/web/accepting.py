"""Which of several media types a client would rather have (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


def preferred(accept: Sequence[str], offered: Sequence[str]) -> str:
    """The offered media type that the client prefers; the first one where it has no preference.

    Args:
        accept: the values of its `Accept` headers.
        offered: such as `application/json`, the usual one first.
    """
    ranges = [_read(part) for value in accept for part in value.split(",") if part.strip()]

    def weight(media_type: str) -> float:
        kind = media_type.partition("/")[0]
        for name in (media_type, f"{kind}/*", "*/*"):  # the closest range says it
            weights = [weight for wanted, weight in ranges if wanted == name]
            if weights:
                return max(weights)
        return 0.0

    return max(offered, key=weight)  # the first one of equals


def _read(part: str) -> tuple[str, float]:
    """A media range, and its weight: 0 to 1."""
    media_type, *parameters = (piece.strip() for piece in part.split(";"))
    found = (_WEIGHT.fullmatch(parameter) for parameter in parameters)
    return media_type.lower(), next((float(match[1]) for match in found if match), 1.0)
