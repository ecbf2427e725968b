"""A private RabbitMQ for the tests: a real broker on a folder of its own, gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.ports import HOST, free_port

DEBIANS = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_S = 60
_CONF = """
loopback_users.guest = true
disk_free_limit.absolute = 1MB
log.console = true
log.file = false
"""


def server() -> str | None:
    """The program, where there is one; Debian's own wrapper of it would have to be root's."""
    return str(DEBIANS) if DEBIANS.exists() else shutil.which("rabbitmq-server")


class Rabbit:
    """A running broker; `url` stays when it is started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stakeline-"))
        self.port = free_port()
        self.url = f"amqp://guest:guest@{HOST}:{self.port}/"
        (self.folder / "rabbitmq.conf").write_text(_CONF)
        (self.folder / "plugins").write_text("[].")
        names = free_port()
        self._node = f"stakeline-{self.port}@localhost"
        self._environment = os.environ | {
            "HOME": str(self.folder),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
        }
        # Erlang's register of names; the one that a node starts by itself would outlive it.
        self._names = subprocess.Popen(
            ["epmd", "-port", str(names), "-address", HOST],  # noqa: S607 - where the system has it
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers."""
        command = server()
        assert command is not None
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [command], env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        give_up_at = time.monotonic() + _START_S
        while not self._answers():
            running = self.process.poll() is None and time.monotonic() < give_up_at
            assert running, (self.folder / "out").read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill it: nobody is told, and what was not on disk is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wipe(self) -> None:
        """Remove what a stopped broker had on disk."""
        shutil.rmtree(self.folder / "data")

    def command(self, *words: str) -> str:
        """What `rabbitmqctl` says."""
        program = Path(server() or "").with_name("rabbitmqctl")
        done = subprocess.run(
            [program, "-q", "-n", self._node, *words],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout.decode()

    def queues(self) -> list[str]:
        """The names of all queues."""
        return self.command("list_queues", "name", "--no-table-headers").split()

    def close(self) -> None:
        """End it, and remove all it had."""
        self.stop()
        self._names.kill()
        self._names.wait()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=5) as sock:
            sock.settimeout(5)
            sock.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(sock.recv(1))
        return False
