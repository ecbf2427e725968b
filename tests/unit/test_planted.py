"""The bugs of `make planted` can be planted: their patches still fit the code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests" / "planted").glob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_applies(patch: Path) -> None:
    """Whoever changes the code that a bug is planted in changes its patch, too."""
    check = ["git", "apply", "--check", str(patch)]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_enough_of_them() -> None:
    """Two dozen or so, each with a line on what is wrong."""
    assert len(PATCHES) > 20
    for patch in PATCHES:
        assert patch.read_text().partition("\n")[0].endswith(".")
