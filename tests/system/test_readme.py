"""README's tour, command by command, against the real processes."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from stakeline.cli import services

if TYPE_CHECKING:
    from stakeline.cli.services import Running

README = Path(__file__).parents[2] / "README.md"


def tour() -> list[str]:
    """Every curl command of README, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]


def curl(command: str, running: Running) -> httpx2.Response:
    """What this curl command would be answered; a fresh machine need not have curl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("url")
    asked = parser.parse_args(shlex.split(command)[1:])
    url = asked.url.replace("localhost:8000", running.line_provider)
    url = url.replace("localhost:8001", running.bet_maker)
    return httpx2.request(
        asked.method or ("GET" if asked.data is None else "POST"),
        url,
        headers=dict(header.split(": ", 1) for header in asked.headers),
        content=asked.data,
        trust_env=False,
    )


async def test_the_tour_does_what_readme_says(tmp_path: Path) -> None:
    """Pasted at once, the tour's answers are the ones README tells of."""
    async with services.running(tmp_path, quiet=True) as running:
        answers = [curl(command, running) for command in tour()]
    assert [answer.status_code for answer in answers] == [
        *(201, 201, 200),  # two events, the list
        *(201, 201),  # a bet, and its repeat
        *(200, 409, 201),  # the price moves: refused, taken
        *(200, 200, 200),  # two results, the bets
        *(200, 200, 200),  # a correction, the history, the bets that won
    ]
    listed, bet, repeat, refused = (answers[place] for place in (2, 3, 4, 6))
    assert {event["event_id"] for event in listed.json()} == {"arsenal-chelsea", "leeds-everton"}
    assert repeat.json()["bet_id"] == bet.json()["bet_id"]
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert (refused.json()["code"], refused.json()["coefficient"]) == ("price_changed", 3.25)
    history, won = answers[-2].json(), answers[-1].json()
    assert [version["event"]["status"] for version in history] == ["NEW", "NEW", "LOSE", "WIN"]
    assert history[-1]["reason"] == "goal given after review"
    assert {bet["payout"] for bet in won} <= {20.48, 16.25}
