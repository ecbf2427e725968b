"""One service as several processes that share a socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import structlog

from stakeline.cli import services
from stakeline.web.shares import Share

if TYPE_CHECKING:
    import socket
    from asyncio.subprocess import Process

log = structlog.get_logger(__name__)

PAUSE_S = 1.0
"""How long after its start a worker that ends soon is started again."""


async def run(service: str, sock: socket.socket, count: int, *options: str) -> int:
    """Serve until SIGTERM or SIGINT; a worker that ends by itself is started again.

    SIGHUP is handed on to the workers.

    Args:
        service: `line-provider` or `bet-maker`; its settings are in the environment.
        sock: the bound socket that they share; it takes connections while a worker is started anew.
        count: how many workers.
        options: of the service's command.

    Returns:
        0; 2 if a worker found a wrong setting when it was first started, and has named it.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, told.set)
    lifeline, own_end = os.pipe()
    workers: dict[int, Process] = {}
    counts = Share.made(count)

    def hand_on() -> None:
        for worker in workers.values():
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGHUP)

    loop.add_signal_handler(signal.SIGHUP, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    async def keep(number: int) -> None:
        first, share = True, Share.of(counts.fileno(), number)
        while True:
            began = time.monotonic()
            try:
                worker = workers[number] = await services.start(
                    *(service, sock, lifeline, dict(os.environ)),
                    *("--workers", str(count), "--share", f"{counts.fileno()}:{number}", *options),
                    fds=[counts.fileno()],
                )
            except OSError as error:  # no more processes, no memory: the others serve on
                log.exception("a worker cannot be started", worker=number, exc_info=error)
            else:
                status = await worker.wait()
                share.absent()
                if first and status == services.WRONG_SETTING:
                    return
                first = False
                log.warning("a worker has ended", worker=number, status=status)
            await asyncio.sleep(max(0.0, PAUSE_S - (time.monotonic() - began)))

    try:
        kept = [asyncio.create_task(keep(number)) for number in range(count)]
        stop = asyncio.create_task(told.wait())
        await asyncio.wait({stop, *kept}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stop, *kept):
            task.cancel()
        await asyncio.wait({stop, *kept})
        sock.close()  # or whoever comes now waits for the last worker's end, and is turned away
        await asyncio.gather(*(services.stop(worker) for worker in workers.values()))
    finally:
        os.close(lifeline)
        os.close(own_end)
        counts.close()
    return 0 if told.is_set() else services.WRONG_SETTING
