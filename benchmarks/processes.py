"""Processes that are measured: started as an operator would, and ended in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.load import ROOT
from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2

READY_S = 60.0
STOP_S = 15.0


class Process:
    """A Python process that logs into a file.

    Args:
        words: what Python runs.
        log: the file.
        environment: its whole environment; None: this process's.
        said: what it reads on standard input.
    """

    def __init__(
        self,
        words: list[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        said: object = None,
    ) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=environment,
                cwd=ROOT,
            )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(said).encode())
        self._process.stdin.close()

    def until(self, *urls: str, token: str = "") -> None:
        """Return once all of these answer 200, asked every 5 ms."""
        give_up_at = time.monotonic() + READY_S
        left = list(urls)
        while left:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up_at, self.log.read_text()
            left = [url for url in left if not _is_well(url, token)]
            time.sleep(0.005 if left else 0)

    def stop(self) -> None:
        """SIGTERM, and the end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _is_well(url: str, token: str) -> bool:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=1)
    with closing(connection), suppress(OSError, HTTPException):
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == HTTPStatus.OK
    return False


def run(words: list[str], environment: Mapping[str, str]) -> None:
    """Run a `stakeline` command to its end."""
    command = [sys.executable, "-m", "stakeline", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def constant(folder: Path, answer: httpx2.Response) -> Iterator[str]:
    """The URL of a bare application that answers everything else than `/healthz` as in `answer`."""
    port = free_port()
    said = {
        "port": port,
        "status": answer.status_code,
        "headers": dict(answer.headers),
        "body": answer.text,
    }
    process = Process(["-m", "benchmarks.constant"], folder / "constant.log", said=said)
    try:
        url = f"http://{HOST}:{port}"
        process.until(f"{url}/healthz")
        yield url
    finally:
        process.stop()


def resident_mb(pid: int) -> float:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """The processor's time that a process has used, all its threads together."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in text.split()]


def command_of(pid: int) -> str:
    """What a process runs."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
