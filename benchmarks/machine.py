"""The machine's facts, which absolute figures depend on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.load import ROOT
from tests import cluster

if TYPE_CHECKING:
    from benchmarks.house import Ground

PAGE = b"\0" * 8192
_ASKED = ("server_version", "shared_buffers", "max_wal_size", "fsync", "synchronous_commit")


def sync_times_ms(folder: Path, seconds: float = 1.0) -> dict[str, float]:
    """How long the disk takes to make 8 KiB durable: `p50`, `p99`, and how many a `second`."""
    file = folder / "sync"
    took: list[float] = []
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            os.pwrite(descriptor, PAGE, len(took) % 2048 * len(PAGE))
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        file.unlink()
    took.sort()
    p50, p99 = (took[int(len(took) * q)] * 1000 for q in (0.5, 0.99))
    return {"p50": p50, "p99": p99, "a second": len(took) / seconds}


def facts(ground: Ground) -> dict[str, Any]:
    """What to know of this machine and these versions; nothing that names the machine."""
    known: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed since": bool(_git("status", "--porcelain", "--", "src", "benchmarks/*.py")),
        "cores": os.cpu_count(),
        "load average": round(os.getloadavg()[0], 2),
        "processor": _processor(),
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    known |= {f"fdatasync of 8 KiB, {k}": v for k, v in _sync(ground).items()}
    if ground.server is not None:
        for name in _ASKED:
            ((value,),) = cluster.execute(ground.server.url.format("postgres"), f"SHOW {name}")
            known[f"PostgreSQL {name}"] = value
    return known


def _sync(ground: Ground) -> dict[str, str]:
    times = sync_times_ms(ground.folder)
    return {
        name: f"{time:.0f}" if name == "a second" else f"{time:.2f} ms"
        for name, time in times.items()
    }


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
