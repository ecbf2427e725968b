"""Which media type a client prefers."""

from __future__ import annotations

import pytest

from stakeline.web.accepting import preferred

OFFERED = ["application/json", "application/x-ndjson", "text/csv"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([], "application/json"),
        ([""], "application/json"),
        (["*/*"], "application/json"),
        ([BROWSER], "application/json"),
        (["image/png"], "application/json"),
        (["text/csv"], "text/csv"),
        (["Text/CSV"], "text/csv"),
        ([" text/csv ; header=present ; q=1.000 "], "text/csv"),
        (["text/*"], "text/csv"),
        (["text/csv, application/json"], "application/json"),
        (["application/json;q=0.5, text/csv"], "text/csv"),
        (["application/json;q=0.5", "application/x-ndjson;Q=0.6"], "application/x-ndjson"),
        (["*/*;q=0.1, application/x-ndjson"], "application/x-ndjson"),
        (["text/csv;q=0, */*"], "application/json"),
        (["text/csv;q=0, text/*"], "application/json"),
        (["application/json;q=0, */*;q=0.1"], "application/x-ndjson"),
        (["text/csv;q=2"], "text/csv"),
        (["text/csv;q=,,;;,"], "text/csv"),
    ],
)
def test_the_closest_and_heaviest_range_wins(accept: list[str], expected: str) -> None:
    """Weights decide, the closest range gives them, and among equals the first offer wins."""
    assert preferred(accept, OFFERED) == expected
