"""A private pgbouncer in transaction mode, in front of a private PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import UNPRIVILEGED
from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

START_S = 10


@contextmanager
def pooler(cluster: Cluster, size: int) -> Iterator[str]:
    """The pooler's URL, with a place for a database's name, until the block ends.

    Args:
        cluster: the server behind it.
        size: how many connections of each database all clients share.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "pgbouncer is missing"
        pytest.skip("there is no pgbouncer here (Debian: apt-get install pgbouncer)")
    folder, port = Path(tempfile.mkdtemp(prefix="stakeline-")), free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        # `any` takes everybody, and is told here who that is.
        f"[databases]\n* = host={HOST} port={cluster.port} user=stakeline\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\n"
        "server_round_robin = 1\nmax_client_conn = 1000\n"
    )
    who = {"user": UNPRIVILEGED} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, UNPRIVILEGED)
        shutil.chown(settings, UNPRIVILEGED)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, settings], stdout=log, stderr=log, cwd=folder, **who)  # type: ignore[call-overload]
    try:
        _until_answering(port, process, folder / "log")
        yield f"postgresql://stakeline@{HOST}:{port}/{{}}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _until_answering(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.02)
        else:
            return
