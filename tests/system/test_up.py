"""`stakeline up`: both services with one command, and none of them left after it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.ports import HOST, free_port
from tests.processes import clean_environment

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Up:
    """A running `stakeline up`, in a process group of its own, and what it writes."""

    process: Process
    ports: tuple[int, int]
    out: Path
    err: Path

    async def until_greeting(self) -> str:
        """What it tells its user, once both services are ready."""
        async with asyncio.timeout(30):
            while "Ctrl-C" not in (greeting := self.out.read_text()):
                assert self.process.returncode is None, self.err.read_text()
                await asyncio.sleep(0.02)
        async with httpx2.AsyncClient(trust_env=False) as client:
            for port in self.ports:
                assert (await client.get(f"http://{HOST}:{port}/readyz")).status_code == 200
        return greeting

    async def exit_status(self) -> int:
        """Its exit status, within 12 s; nothing that it started is left."""
        async with asyncio.timeout(12):
            status = await self.process.wait()
        assert not any(is_running(pid) for pid in self.pids().values())
        return status

    def pids(self) -> dict[str, int]:
        """The processes of the services that have served, from their logs."""
        logged = [
            json.loads(line) for line in self.err.read_text().splitlines() if line.startswith("{")
        ]
        return {
            line["service"]: int(line["event"].rpartition("[")[2].rstrip("]"))
            for line in logged
            if "Started server process" in line["event"]
        }


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def up(folder: Path, ports: tuple[int, int] | None = None) -> AsyncIterator[Up]:
    """`stakeline up` on a folder; at the end of the block its whole process group is gone."""
    ports = ports or (free_port(), free_port())
    out, err = folder / "out", folder / "err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stakeline", "up", "--data-dir", str(folder / "data")),
            *("--line-provider-port", str(ports[0]), "--bet-maker-port", str(ports[1])),
            env=clean_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
            start_new_session=True,
        )
    try:
        yield Up(process, ports, out, err)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def test_ctrl_c_ends_both(tmp_path: Path) -> None:
    """Both serve at their ports from the folder named; Ctrl-C, which all three get, ends all."""
    async with up(tmp_path) as running:
        greeting = await running.until_greeting()
        for port in running.ports:
            assert f"http://127.0.0.1:{port}/docs" in greeting
        os.killpg(running.process.pid, signal.SIGINT)
        assert await running.exit_status() == 0
        assert "Traceback" not in running.err.read_text()
    databases = {file.name for file in (tmp_path / "data").glob("*.sqlite3")}
    assert databases == {"line-provider.sqlite3", "bet-maker.sqlite3"}


async def test_sigterm_ends_both(tmp_path: Path) -> None:
    """SIGTERM, which only `stakeline up` gets, ends all three."""
    async with up(tmp_path) as running:
        await running.until_greeting()
        running.process.terminate()
        assert await running.exit_status() == 0
        assert "Traceback" not in running.err.read_text()


@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
async def test_one_does_not_go_on_without_the_other(tmp_path: Path, service: str) -> None:
    """When one service dies, the other is stopped, the user is told which, and the status is 1."""
    async with up(tmp_path) as running:
        await running.until_greeting()
        os.kill(running.pids()[service], signal.SIGKILL)
        assert await running.exit_status() == 1
        told = [
            line for line in running.err.read_text().splitlines() if line.startswith("stakeline")
        ]
        assert told == [f"stakeline up: {service} ended by itself; stopping the other"]


@pytest.mark.parametrize("which", [0, 1])
async def test_a_taken_port_is_one_line(tmp_path: Path, which: int) -> None:
    """A port that somebody has is named in one line, and nothing is started."""
    with socket.create_server((HOST, 0)) as taken:
        ports = [free_port(), free_port()]
        ports[which] = taken.getsockname()[1]
        async with up(tmp_path, (ports[0], ports[1])) as running:
            assert await running.exit_status() == 2
            (line,) = running.err.read_text().splitlines()
            assert str(ports[which]) in line
            assert running.out.read_text() == ""
    assert not (tmp_path / "data").exists()


async def test_services_end_with_the_command_that_started_them(tmp_path: Path) -> None:
    """Even kill -9 of `up` leaves no service behind on its port."""
    async with up(tmp_path) as running:
        await running.until_greeting()
        pids = list(running.pids().values())
        assert len(pids) == 2
        running.process.kill()
        async with asyncio.timeout(10):
            while any(is_running(pid) for pid in pids):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
async def test_a_service_that_is_not_let_go_does_nothing(tmp_path: Path, service: str) -> None:
    """It ends when `up` has found something wrong, or is gone; not even its settings are read."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stakeline", service, "--wait"),
        env=clean_environment() | {"LINE_PROVIDER_PORT": "eight", "BET_MAKER_PORT": "eight"},
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate(b"")
    assert complaint == b""
    assert process.returncode == 0
    assert not (tmp_path / "stakeline-data").exists()
