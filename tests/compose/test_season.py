"""A whole season through the gateway, while every container is killed: not a cent is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from stakeline import strictjson
from tests.compose.stack import ROOT, insist

if TYPE_CHECKING:
    from tests.compose.stack import Stack

SEASON = ROOT / "examples" / "premier-league-2019-20.csv"
BETS, STAKED, RETURNED = 380, Decimal("3800.00"), Decimal("3960.10")


@pytest.mark.timeout(1500)
def test_the_season_pays_the_same_while_containers_are_killed(stack: Stack) -> None:
    """Each is killed once; it is played as often as that takes, first through the prefixes."""
    before = history(stack)
    seasons = 0
    with ThreadPoolExecutor(1) as aside:
        killing = aside.submit(kill_each, stack)
        while seasons == 0 or not killing.done():
            if seasons == 0:
                play(stack, f"{stack.gateway}/line-provider", f"{stack.gateway}/bet-maker")
            else:
                play(stack, stack.line_provider, stack.bet_maker)
            seasons += 1
        killed = killing.result()
    assert sorted(killed) == sorted(container.name for container in stack.containers())
    assert len(killed) == 7
    print(f"{seasons} seasons, killed in turn: {', '.join(killed)}")  # noqa: T201 - for the reader
    new = [bet for bet in history(stack) if bet not in before]
    assert len(new) == seasons * BETS == len({bet["bet_id"] for bet in new})
    assert sum(Decimal(bet["amount"]) for bet in new) == seasons * STAKED
    assert sum(Decimal(bet["payout"]) for bet in new) == seasons * RETURNED
    assert "nothing is wrong" in stack.compose("run", "--rm", "migrate", "verify")


def kill_each(stack: Stack) -> list[str]:
    """Kill each container once the one before is well again; their names in that order."""
    killed = []
    for container in stack.containers():
        restarts = container.inspect()["RestartCount"]
        container.kill()
        container.until_healthy_again(restarts)
        killed.append(container.name)
    return killed


def play(stack: Stack, line_provider: str, bet_maker: str) -> None:
    """README's replay through the gateway: it must find what the file says, and nothing else."""
    urls = ("--line-provider", line_provider, "--bet-maker", bet_maker)
    done = subprocess.run(
        [sys.executable, "-m", "stakeline", "replay", SEASON, *urls, "--concurrency", "8"],
        cwd=ROOT,
        env=os.environ | {"STAKELINE_TOKEN": stack.operator.log_in()},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)  # noqa: T201 - for the reader
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(re.findall(r"^(\S.*?)  +(\S+)$", done.stdout, re.MULTILINE))
    assert (told["bets"], told["differences"]) == (str(BETS), "0")
    assert (Decimal(told["staked"]), Decimal(told["returned"])) == (STAKED, RETURNED)


def history(stack: Stack) -> list[dict[str, str]]:
    """All bets there are, their numbers as they are written."""
    accept = {"Accept": "application/x-ndjson"}
    answer = insist(lambda: stack.client.get(f"{stack.bet_maker}/bets", headers=accept))
    lines = answer.raise_for_status().content.splitlines()
    return [
        {name: str(getattr(value, "text", value)) for name, value in strictjson.loads(line).items()}
        for line in lines
    ]
