"""Looks at both services as a newcomer does, with Python alone; exits with 1 if one fails."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

LINE_PROVIDER, BET_MAKER = "http://127.0.0.1:8000", "http://127.0.0.1:8001"
PATIENCE_S = 300
"""How long `make run` may take until both services are ready, everything installed."""


def ask(url: str, body: dict[str, Any] | None = None) -> bytes:
    """The body of the answer.

    Raises:
        URLError: there is none, or it is no 2xx.
    """
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urlopen(request, timeout=5) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def until(url: str, wanted: bytes, process: int) -> None:
    """Return once an answer has `wanted` in it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        os.kill(process, 0)  # it has not ended
        with suppress(URLError, OSError):
            if wanted in ask(url):
                return
        if time.monotonic() > give_up_at:
            sys.exit(f"{url} does not answer {wanted!r}")
        time.sleep(0.2)


def look(process: int) -> None:
    """Both are ready and have docs; an event put on the line takes a bet."""
    for service in (LINE_PROVIDER, BET_MAKER):
        until(f"{service}/readyz", b"ready", process)
        until(f"{service}/docs", b"swagger-ui", process)
    ask(f"{LINE_PROVIDER}/events", {"event_id": "first", "coefficient": "1.95"})
    until(f"{BET_MAKER}/events", b"first", process)
    bet = json.loads(ask(f"{BET_MAKER}/bets", {"event_id": "first", "amount": "10.50"}))
    until(f"{BET_MAKER}/bets", bet["bet_id"].encode(), process)


if __name__ == "__main__":
    look(int(sys.argv[1]))
