"""As much of curl as README uses: a fresh machine need not have it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Sequence


def ask(words: Sequence[str]) -> httpx2.Response:
    """What curl would be answered, given these words after its name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("url")
    asked = parser.parse_args(words)
    form = {} if asked.data is None else {"Content-Type": "application/x-www-form-urlencoded"}
    return httpx2.request(
        asked.method or ("GET" if asked.data is None else "POST"),
        asked.url if "://" in asked.url else f"http://{asked.url}",
        headers=form | dict(header.split(": ", 1) for header in asked.headers),
        content=asked.data,
        trust_env=False,
    )


if __name__ == "__main__":
    sys.stdout.write(ask(sys.argv[1:]).text)
