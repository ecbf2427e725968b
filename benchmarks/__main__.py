"""`make bench`: measures what is asked for, prints one table, and keeps it in `results/`."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import (
    batch,
    bets,
    following,
    machine,
    overload,
    reading,
    settling,
    starting,
    stored,
    table,
)
from benchmarks.house import Ground
from tests.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.table import Row

RESULTS = Path(__file__).parent / "results"
GROUPS: dict[str, Callable[[Ground], list[Row]]] = {
    "bets": bets.bets,
    "latency": bets.latency,
    "hot": bets.hot,
    "workers": bets.workers,
    "batch": batch.batch,
    "events": reading.events,
    "page": reading.page,
    "export": reading.export,
    "settling": settling.settling,
    "catching-up": following.catching_up,
    "keeping-up": following.keeping_up,
    "start": starting.starting,
    "overload": overload.overload,
    "large": stored.large,
}
ALL = [name for name in GROUPS if name != "large"]
"""But for what takes very long."""
LEFT_OUT = {"sqlite": {"workers", "large"}, "postgresql": {"start"}}
"""What makes no sense there: `up` is SQLite alone, which has one process."""
DISK = Path("/var/tmp")  # noqa: S108 - a folder of its own is made there
ENGINES = ("postgresql", "sqlite")
SERVER = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


def main() -> int:
    """Measure; 0 whether or not targets are met, 1 if something could not be measured."""
    asked = _asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and all that was started ends, too
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # thousands of connections
    rows: list[Row] = []
    known: dict[str, Any] = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="stakeline-bench-", dir=asked.folder) as folder:
        for engine in (asked.engine,) if asked.engine else ENGINES:
            with _ground(Path(folder) / engine, engine, asked) as ground:
                known |= machine.facts(ground)
                for name in asked.only:
                    if name in LEFT_OUT[engine]:
                        continue
                    began = time.monotonic()
                    print(f"{ground.engine}: {name} ...", end=" ", file=sys.stderr, flush=True)
                    try:
                        rows += GROUPS[name](ground)
                    except Exception:  # noqa: BLE001 - what others have shown is not lost with it
                        traceback.print_exc()
                        failed = True
                    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    for key, value in known.items():
        print(f"{key}: {value}")
    print("", *table.lines(rows), sep="\n")
    if not asked.keep_nothing:
        table.write(RESULTS, _name(asked, known), known, rows)
    return 1 if failed else 0


def _name(asked: argparse.Namespace, known: dict[str, Any]) -> str:
    """A run's name: what was left out shows in it, so that it does not pass for a whole one."""
    names = [] if asked.only == ALL else asked.only
    engine = [asked.engine] if asked.engine else []
    return "-".join([str(known["date"])[:10], known["commit"], *engine, *names])


@contextmanager
def _ground(folder: Path, engine: str, asked: argparse.Namespace) -> Iterator[Ground]:
    folder.mkdir()
    server = Cluster(asked.folder, **SERVER) if engine == "postgresql" else None
    try:
        yield Ground(folder, server, asked.rounds, asked.seconds)
    finally:
        if server is not None:
            server.close()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    some = f"some of {', '.join(GROUPS)}; all but large by default"
    parser.add_argument("--only", type=_names, default=ALL, metavar="NAMES", help=some)
    parser.add_argument("--engine", choices=ENGINES, help="both by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each time")
    on = "where a folder is made, on disk: memory would measure something else"
    parser.add_argument("--folder", type=Path, default=DISK, help=on)
    parser.add_argument("--keep-nothing", action="store_true", help="write no file of results")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(GROUPS):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
