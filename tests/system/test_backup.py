"""Backups taken while the services run, with the commands of docs/operations.md, and put back."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests import cluster
from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import all_bets, check_feed, check_keys, check_outcomes, same_line
from tests.system.crowd import Crowd, Operator

if TYPE_CHECKING:
    from tests.system.checker import Asked

USERS = 4


def back_up(url: str, to: Path) -> None:
    """Take a backup of a database that is in use."""
    if url.startswith("postgresql"):
        subprocess.run([cluster.binaries() / "pg_dump", "-Fc", "-f", to, url], check=True)
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn:
        conn.execute(f"VACUUM INTO '{to}'")


def put_back(backup: Path, url: str) -> None:
    """Put a backup in the place of a database that nobody uses."""
    if url.startswith("postgresql"):
        options = ("--clean", "--if-exists", "--single-transaction", "-d", url)
        subprocess.run([cluster.binaries() / "pg_restore", *options, backup], check=True)
        return
    file = Path(url.removeprefix("sqlite:///"))
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    file.write_bytes(backup.read_bytes())


async def until_placed(crowd: Crowd, least: int) -> list[Asked]:
    """The bets that were taken, once there are so many."""
    async with asyncio.timeout(30):
        while len(crowd.asked) < least:
            await asyncio.sleep(0.02)
    return [one for one in crowd.asked if one.status == 201]


async def check(line: Service, bets: Service, kept: list[Asked], operator: Operator) -> None:
    """Each of the bets is there and stands as the line says, which is heard to its head."""
    events = await same_line(line, bets, operator.results)
    left = await all_bets(bets.client, operator.results)
    assert {one.bet_id for one in kept} <= left.keys()
    check_outcomes(left, events)
    check_keys(bets.database)
    check_feed(line.database)


async def test_bet_maker_alone_from_a_backup_taken_under_load(tmp_path: Path) -> None:
    """What was acknowledged before the backup is there, once, and is settled by what came after."""
    line = line_provider(tmp_path)
    bets = bet_maker(tmp_path, line.url)
    async with running(line, bets):
        operator = Operator(line, "backup")
        crowd = Crowd(operator, [bets])
        async with crowd.at_work(USERS):
            kept = await until_placed(crowd, 60)
            await asyncio.to_thread(back_up, bets.database, tmp_path / "backup")
            await until_placed(crowd, len(crowd.asked) + 60)
        assert await bets.stop() == 0
        put_back(tmp_path / "backup", bets.database)
        await bets.restart()
        await check(line, bets, kept, operator)
        left = await all_bets(bets.client)
        assert len(left) < len(crowd.asked)
        placed = {one.bet_id for one in crowd.asked if one.status == 201}
        assert left.keys() <= placed


async def test_line_provider_alone_from_a_backup_taken_under_load(tmp_path: Path) -> None:
    """Bets wait until told which line is right; no result is taken back; then all goes on."""
    line = line_provider(tmp_path)
    bets = bet_maker(tmp_path, line.url)
    async with running(line, bets):
        operator = Operator(line, "backup")
        crowd = Crowd(operator, [bets])
        async with crowd.at_work(USERS):
            await until_placed(crowd, 60)
            await asyncio.to_thread(back_up, line.database, tmp_path / "backup")
            kept = await until_placed(crowd, len(crowd.asked) + 60)
        await check(line, bets, kept, operator)
        before = await all_bets(bets.client)
        assert await line.stop() == 0
        put_back(tmp_path / "backup", line.database)
        await line.start()
        await line.until_ready()
        async with asyncio.timeout(10):
            while "resync" not in (await bets.client.get("/readyz")).json().get("reason", ""):
                await asyncio.sleep(0.02)
        assert await all_bets(bets.client) == before
        status, said = await bets.command("bet-maker", "resync")
        assert status == 0, said
        await bets.until_ready()
        assert await all_bets(bets.client) == before  # the restored line has not spoken yet
        for event_id, result in operator.results.items():  # the operator gives its word again
            body = {"event_id": event_id, "coefficient": 2}
            created = await line.client.post("/events", json=body)
            assert created.status_code in {200, 201, 409}, created.text
            path, word = f"/events/{event_id}/result", {"status": result, "correction": True}
            assert (await line.client.post(path, json=word)).status_code == 200
        await same_line_but_closed(line, bets, operator)
        after = await all_bets(bets.client)
        assert after.keys() == before.keys()
        assert {i: bet["status"] for i, bet in after.items()} == {
            i: bet["status"] for i, bet in before.items()
        }


async def same_line_but_closed(line: Service, bets: Service, operator: Operator) -> None:
    """Return once bet-maker shows the line's results; it may have closed events earlier."""
    async with asyncio.timeout(10):
        for event_id in operator.results:
            at_line = (await line.client.get(f"/events/{event_id}")).json()
            while True:
                here = (await bets.client.get(f"/events/{event_id}")).json()
                if (here["status"], here["version"]) == (at_line["status"], at_line["version"]):
                    break
                await asyncio.sleep(0.02)
