"""README's tour, command by command, against the real processes."""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def paste(command: str, running: Running) -> httpx2.Response:
    """What the command is answered, once bet-maker has heard of it: within milliseconds, mostly."""
    answer = curl(command, running)
    told = answer.json()
    if "localhost:8000" in command and isinstance(told, dict):
        give_up_at = time.monotonic() + 10
        known = f"curl -s localhost:8001/events/{told['event_id']}"
        while curl(known, running).json().get("version") != told["version"]:
            assert time.monotonic() < give_up_at, "bet-maker has not heard of it"
            time.sleep(0.01)
    return answer


def settled(running: Running) -> list[dict[str, Any]]:
    """All bets as they now stand."""
    bets: list[dict[str, Any]] = curl("curl -s localhost:8001/bets", running).json()
    return bets


async def test_the_tour_does_what_readme_says(tmp_path: Path) -> None:
    """Pasted line by line, the tour's answers are the ones README tells of."""
    async with services.running(tmp_path, private=True) as running:
        answers = [paste(command, running) for command in tour()]
        async with asyncio.timeout(10):
            bets = settled(running)
            while any(bet["status"] in {"PENDING", "LOST"} for bet in bets):
                await asyncio.sleep(0.01)
                bets = settled(running)
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
    history = answers[-2].json()
    assert [version["event"]["status"] for version in history] == ["NEW", "NEW", "LOSE", "WIN"]
    assert history[-1]["reason"] == "goal given after review"
    # A machine pastes so fast that a result may come within the round trip that voids a bet.
    fates = [(bet["event_id"], bet["status"], bet["payout"]) for bet in bets]
    for fate, won, void in zip(
        fates,
        [("leeds-everton", "WON", 16.25), ("arsenal-chelsea", "WON", 20.48)],
        [("leeds-everton", "VOID", 5.0), ("arsenal-chelsea", "VOID", 10.5)],
        strict=True,
    ):
        assert fate in {won, void}
