"""The two files that pin dependencies agree; `make lock` writes both."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(lock: str) -> dict[str, str]:
    """Each distribution that a lock pins, with its version and hashes."""
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    return {
        entry.partition("==")[0].partition("[")[0]: re.sub(r" ;.*", " \\\\", entry, count=1)
        for entry in entries
    }


def test_the_image_gets_what_was_tested() -> None:
    """What runs is pinned as where it is developed, by version and by hash."""
    run, all_of_it = pins("requirements-run.lock"), pins("requirements.lock")
    assert len(run) > 20
    for name, pin in run.items():
        assert pin == all_of_it[name], "make lock"
    assert "pytest" in all_of_it
    assert "pytest" not in run


def test_the_image_gets_all_it_needs() -> None:
    """Every dependency of the project is pinned for its image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=~! ]", wanted)[0] for wanted in project["dependencies"]}
    assert names <= set(pins("requirements-run.lock")), "make lock"
