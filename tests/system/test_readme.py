"""README's tour, command by command, against the real processes."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from stakeline.cli import services
from tests.ports import free_port
from tests.processes import clean_environment
from tests.system.curl import ask

if TYPE_CHECKING:
    import httpx2

    from stakeline.cli.services import Running

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def section(name: str) -> list[str]:
    """The blocks of commands under this heading, in order."""
    text = README.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def tour() -> list[str]:
    """Every curl command of the tour, in order."""
    blocks = section("Five minutes")
    return [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]


def curl(command: str, running: Running) -> httpx2.Response:
    """What this curl command would be answered."""
    here = command.replace("localhost:8000", running.line_provider)
    return ask(shlex.split(here.replace("localhost:8001", running.bet_maker))[1:])


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


def test_with_users_does_what_readme_says(tmp_path: Path) -> None:
    """Pasted into two shells: the services start closed, and the operator's token opens them."""
    serve, use = section("With users")
    line, bets = free_port(), free_port()
    up = f"exec stakeline up --line-provider-port {line} --bet-maker-port {bets}"
    with (tmp_path / "said").open("wb") as said:
        both = sh(tmp_path, serve.replace("make run", up), said)
    try:
        wait_for(tmp_path / "said", "Ctrl-C")
        for address in (f"localhost:{line}/events", f"localhost:{bets}/events"):
            assert ask([address]).status_code == 401
            assert ask([address.replace("events", "docs")]).status_code == 200
        here = use.replace("localhost:8000", f"localhost:{line}")
        here = here.replace("localhost:8001", f"localhost:{bets}")
        here = here.replace(".csv", f".csv --line-provider http://localhost:{line}")
        with (tmp_path / "told").open("wb") as told:
            assert sh(tmp_path, here, told).wait(timeout=60) == 0
        added, published, imported = (tmp_path / "told").read_text().split("}", 2)
        assert '"username":"bettor-1"' in added
        assert '"event_id":"wolves-burnley"' in published
        assert imported.startswith("380 rows taken (380 created")
    finally:
        both.send_signal(signal.SIGTERM)
        both.wait(timeout=15)


def sh(folder: Path, commands: str, said: IO[bytes]) -> subprocess.Popen[bytes]:
    """A shell in `folder` into which the commands were pasted; what is needed is there."""
    python = shlex.quote(sys.executable)
    program = f"""
        python3() {{ {python} "$@"; }}
        curl() {{ PYTHONPATH={shlex.quote(str(ROOT))} {python} -m tests.system.curl "$@"; }}
        {commands.replace(".venv/bin/stakeline", "stakeline")}"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean_environment() | {"PATH": path}
    (folder / "examples").unlink(missing_ok=True)
    (folder / "examples").symlink_to(ROOT / "examples")
    return subprocess.Popen(
        ["/bin/sh", "-euc", program], cwd=folder, env=environment, stdout=said, stderr=said
    )


def wait_for(file: Path, words: str) -> None:
    """Return once the words are in the file."""
    give_up_at = time.monotonic() + 60
    while words not in file.read_text():
        assert time.monotonic() < give_up_at, file.read_text()
        time.sleep(0.05)
