"""Ports for the servers of tests."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import count

HOST = "127.0.0.1"
_ports = count(20_000 + os.getpid() % 120 * 100)  # tests that run beside these have others


def free_port() -> int:
    """A port that nobody has, and that no outgoing connection is given while it is not served."""
    while True:
        port = next(_ports)  # below the ports that systems give to outgoing connections
        with socket.socket() as sock, suppress(OSError):
            sock.bind((HOST, port))
            return port
