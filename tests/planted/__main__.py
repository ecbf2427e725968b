"""`make planted`: bugs are planted one by one into a copy, and the suite has to catch each.

Each patch beside this file says in its first line what is wrong with it. The suite must pass
without any of them, or that it fails with them would say nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Quick ones first: most bugs end the run within seconds.
SUITE = (
    "tests/bet_maker",
    "tests/line_provider",
    "tests/machine",
    "tests/verification",
    "tests/unit",
    "tests/faults",
    "tests/system",
    "tests/broker",
)
LONGEST_S = 1200


def main(names: list[str]) -> int:
    """0 if the suite passes as it is and catches every bug, else 1; `names` choose some bugs."""
    patches = sorted(HERE.glob("*.patch"))
    chosen = [patch for patch in patches if not names or any(name in patch.stem for name in names)]
    escaped = []
    with tempfile.TemporaryDirectory(prefix="stakeline-planted-") as folder:
        copy = Path(folder) / "copy"
        if not names:
            _plant(copy, None)
            failure, took_s = _first_failure(copy)
            _say("nothing planted", failure or "passes", took_s)
            if failure:
                return 1
        for patch in chosen:
            _plant(copy, patch)
            failure, took_s = _first_failure(copy)
            _say(patch.stem, failure or "NOT CAUGHT", took_s)
            if not failure:
                escaped.append(patch.stem)
    print(f"{len(chosen) - len(escaped)} of {len(chosen)} planted bugs caught")
    return 1 if escaped else 0


def _plant(copy: Path, patch: Path | None) -> None:
    """A fresh copy of the project, with the bug."""
    if copy.exists():
        shutil.rmtree(copy)
    # Nor the test that patches apply: with one applied it fails, whatever the bug is.
    ours = shutil.ignore_patterns(
        ".*", "__pycache__", "stakeline-data", "planted", "test_planted.py"
    )
    shutil.copytree(ROOT, copy, ignore=ours)
    if patch is not None:
        subprocess.run(["git", "apply", str(patch)], cwd=copy, check=True)  # noqa: S607


def _first_failure(copy: Path) -> tuple[str | None, float]:
    """The first test that fails in the copy, None if none does, and how long that took."""
    environment = os.environ | {"PYTHONPATH": str(copy / "src")}
    where = "import stakeline; print(stakeline.__file__)"
    found = subprocess.check_output([sys.executable, "-c", where], cwd=copy, env=environment)
    assert Path(found.decode().strip()).is_relative_to(copy.resolve()), found
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "2", "--dist", "loadgroup"]
    try:
        suite = subprocess.run(
            [*command, *SUITE],
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, LONGEST_S  # no test has said what is wrong
    took_s = time.monotonic() - began
    if suite.returncode == 0:
        return None, took_s
    # Only a test that ran and failed counts: a suite that cannot run catches nothing.
    failed = re.search(r"^FAILED (\S+)", suite.stdout, re.MULTILINE)
    if failed is None:
        sys.exit(f"the suite broke off:\n{suite.stdout[-3000:]}")
    return failed[1], took_s


def _say(name: str, what: str, took_s: float) -> None:
    print(f"{name:32} {took_s:4.0f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
