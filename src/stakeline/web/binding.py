"""A service's socket: apart, since `up` binds two before it imports what serves on them."""

from __future__ import annotations

import socket


def bind(host: str, port: int) -> socket.socket:
    """A socket, bound before anything else starts so that a taken port fails early.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio knows it and turns Nagle's delay off: 40 ms an answer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
