"""`--workers`: one service as several processes on one socket."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.ports import HOST
from tests.processes import Service, bet_maker, insist, line_provider, running
from tests.system.checker import all_bets, ask, same_line

if TYPE_CHECKING:
    from tests.system.checker import Asked

WORKERS = 3


@pytest.fixture
def line(tmp_path: Path) -> Service:
    """A line-provider of several workers, not started yet."""
    return with_workers(line_provider(tmp_path))


def with_workers(service: Service) -> Service:
    """The service, told to have several workers."""
    prefix = service.log.name.rpartition("-")[0].replace("-", "_").upper()
    service.environment[f"{prefix}_WORKERS"] = str(WORKERS)
    return service


def workers_of(service: Service) -> list[int]:
    """The pids of the workers that run."""
    pid = service.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether the process runs, or waits for its end to be noticed."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def links_of(pid: int) -> dict[Path, str]:
    """What each file descriptor of the process is."""
    found = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            found[fd] = str(fd.readlink())
    return found


def connections_of(pid: int, port: int) -> int:
    """How many connections the process has that came to this port (proc(5): /proc/net/tcp)."""
    own = set(links_of(pid).values())
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = [row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    return sum(f"socket:[{inode}]" in own for inode in there)


def is_open(port: int) -> bool:
    """Whether connections are taken there, or may be."""
    try:
        socket.create_connection((HOST, port)).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # it came as the socket closed
        return True
    return True


async def until_gone(pids: list[int]) -> None:
    """Return once none of the processes runs."""
    async with asyncio.timeout(10):
        while any(map(alive, pids)):
            await asyncio.sleep(0.02)


async def test_a_killed_worker_is_replaced_and_the_others_serve_on(
    line: Service, tmp_path: Path
) -> None:
    """A user who repeats what failed places every bet once, and SIGTERM ends all with status 0."""
    bets = with_workers(bet_maker(tmp_path, line.url))
    async with running(line, bets):
        body = {"event_id": "open", "coefficient": 2}
        assert (await insist(lambda: line.client.post("/events", json=body))).is_success
        await same_line(line, bets, ["open"])
        first = workers_of(bets)
        assert len(first) == WORKERS

        async def place(user: int) -> list[Asked]:
            made = []
            for n in range(40):
                while True:
                    with suppress(httpx2.TransportError):
                        asked = await ask(bets.client, "open", f"{user}-{n}", "1")
                        if asked.status == 201:
                            made.append(asked)
                            break
                    await asyncio.sleep(0.02)
            return made

        users = [asyncio.create_task(place(user)) for user in range(5)]
        await asyncio.sleep(0.2)
        for pid in first[:2]:
            os.kill(pid, signal.SIGKILL)
        placed = [one.bet_id for made in await asyncio.gather(*users) for one in made]
        assert len(placed) == len(set(placed)) == 200
        async with asyncio.timeout(20):
            while len(workers_of(bets)) < WORKERS:
                await asyncio.sleep(0.05)
        await bets.until_ready()
        assert (await all_bets(bets.client)).keys() == set(placed)
        workers = workers_of(bets)
        assert await bets.stop() == 0
        await until_gone(workers)


async def test_workers_end_with_the_process_that_started_them(line: Service) -> None:
    """Killed, it can stop nobody; they notice, and the port is free."""
    async with running(line):
        workers = workers_of(line)
        await line.kill()
        await until_gone(workers)
        await line.restart()


async def test_workers_share_the_connections(line: Service) -> None:
    """None of them has nearly all, as the one would that is woken first."""
    async with running(line), asyncio.timeout(20):
        workers = workers_of(line)

        def shares() -> list[int]:
            return [connections_of(pid, line.port) for pid in workers]

        with ExitStack() as stack:

            def connect() -> None:
                stack.enter_context(socket.create_connection((HOST, line.port)))

            while not all(shares()):  # some may not serve yet
                connect()
                await asyncio.sleep(0.05)
            few = sum(shares())
            for _ in range(20 * WORKERS):
                connect()
            while sum(shares()) < few + 20 * WORKERS:
                await asyncio.sleep(0.02)
            assert min(shares()) >= 15, shares()


async def test_who_calls_waits_for_no_frozen_worker(line: Service) -> None:
    """It has the fewest connections, and takes none: the others take its share."""
    async with running(line):
        frozen, *_ = workers_of(line)
        os.kill(frozen, signal.SIGSTOP)
        try:
            async with asyncio.timeout(10), httpx2.AsyncClient(trust_env=False) as client:
                calls = [client.get(f"{line.url}/healthz") for _ in range(60)]
                assert all(answer.is_success for answer in await asyncio.gather(*calls))
        finally:
            os.kill(frozen, signal.SIGCONT)


async def test_a_worker_that_has_ended_is_not_reckoned_with(line: Service) -> None:
    """It had few connections when it was killed; the others leave it none until it serves again."""
    async with running(line), asyncio.timeout(20):
        what = links_of(line.process.pid)
        shares = next(fd for fd, link in what.items() if link.startswith("/memfd:shares"))

        def absent() -> int:
            return shares.read_bytes().count(b"\xff" * 4)

        while absent():
            await asyncio.sleep(0.02)
        os.kill(workers_of(line)[1], signal.SIGKILL)
        while absent() != 1:
            await asyncio.sleep(0.001)
        while absent():
            await asyncio.sleep(0.02)


async def test_a_worker_that_cannot_be_started_anew_is_tried_again(line: Service) -> None:
    """While there are no descriptors for another one, those that are there serve on."""
    async with running(line), asyncio.timeout(20):
        pid = line.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(fd.name) for fd in links_of(pid)}
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min({*range(1000)} - used), before[1]))
        os.kill(workers_of(line)[0], signal.SIGKILL)
        while "a worker cannot be started" not in line.log.read_text():
            await asyncio.sleep(0.05)
        assert (await line.client.get("/healthz")).is_success
        assert len(workers_of(line)) == WORKERS - 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        while len(workers_of(line)) < WORKERS:
            await asyncio.sleep(0.05)


async def test_who_comes_while_the_last_worker_ends_is_turned_away_at_once(line: Service) -> None:
    """Nobody waits for a request that will never be whole."""
    async with running(line), asyncio.timeout(8):
        with socket.create_connection((HOST, line.port)) as half:
            half.sendall(b"PUT /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
            await asyncio.sleep(0.2)
            line.signal(signal.SIGTERM)
            while is_open(line.port):
                await asyncio.sleep(0.1)
            assert workers_of(line)


async def test_a_wrong_setting_ends_all_of_them(tmp_path: Path) -> None:
    """Workers that cannot start are not tried for ever: their one line is told, exit status 2."""
    service = line_provider(tmp_path)
    bets = Service("bet-maker", tmp_path, BET_MAKER_STANDALONE="1")
    async with running(bets):  # the database is in standalone mode now
        pass
    other = with_workers(Service("bet-maker", tmp_path, BET_MAKER_LINE_PROVIDER_URL=service.url))
    status, said = await other.command("bet-maker", "--port", "0")
    assert status == 2
    assert set(said.splitlines()) == {
        "BET_MAKER_DATABASE_URL: this database was made in standalone mode"
    }
