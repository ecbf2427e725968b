"""Starting: until both services answer, and what bet-maker takes of memory when nobody asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.processes import Process, children, command_of, resident_mb
from benchmarks.table import Row
from tests.ports import HOST, free_port
from tests.processes import clean_environment

if TYPE_CHECKING:
    from benchmarks.house import Ground

IDLE_S = 3.0


def starting(ground: Ground) -> list[Row]:
    """`stakeline up` on an empty folder, until `/readyz` of both says yes; then, idle."""
    took, resident = [], []
    for number in range(ground.rounds):
        ports = [free_port(), free_port()]
        words = ["-m", "stakeline", "up", "--data-dir", str(ground.folder / f"up-{number}")]
        words += ["--line-provider-port", str(ports[0]), "--bet-maker-port", str(ports[1])]
        began = time.perf_counter()
        process = Process(words, ground.folder / "up.log", clean_environment())
        try:
            process.until(*(f"http://{HOST}:{port}/readyz" for port in ports))
            took.append(time.perf_counter() - began)
            time.sleep(IDLE_S)
            (bet_maker,) = (
                pid for pid in children(process.pid) if " bet-maker " in command_of(pid)
            )
            resident.append(resident_mb(bet_maker))
        finally:
            process.stop()
    what = "start of `stakeline up` until both are ready"
    return [
        Row(what, ground.engine, took, "s", 2.0, False),
        Row("bet-maker's resident memory, idle", ground.engine, resident, "MB", 120.0, False),
    ]
