"""Schemathesis on both services: its phases and checks, but for what exceptions.py lets pass."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.running import Figures, fuzz
from tests.fuzz.targets import RUNS, running

if TYPE_CHECKING:
    from pathlib import Path

CASES = int(os.environ.get("STAKELINE_FUZZ_CASES", "0"))
"""How many in all, at length; 0: one round of few."""
SEED = int(os.environ.get("STAKELINE_FUZZ_SEED", "1"))
FEW, MANY = 5, 300
"""Examples of an operation and phase in a round."""
NOT_LONG = "examples,fuzzing,stateful"
"""The phases of a short run as those who may do little; what coverage sends, operators send too."""


@pytest.mark.timeout(0 if CASES else 300)
@pytest.mark.parametrize(
    ("service", "role"),
    [pytest.param(*run, marks=pytest.mark.xdist_group(f"fuzz {run[0]}")) for run in RUNS],
)
async def test_no_check_finds_a_fault(service: str, role: str, tmp_path: Path) -> None:
    """Whatever is sent, answers are documented, bad input is refused and good input taken."""
    figures, seed = Figures(), SEED
    phases = () if CASES or role == "operator" else ("--phases", NOT_LONG)
    async with running(service, role, tmp_path) as target:
        while seed == SEED or figures.cases.total() < CASES / len(RUNS):
            round_of = ("--seed", str(seed), "--max-examples", str(MANY if CASES else FEW))
            found = await fuzz(
                target.url,
                tmp_path,
                figures,
                *round_of,
                *phases,
                headers=target.headers,
                **target.environment,
            )
            assert found is None, found
            seed += 1
    print(f"{service} as {role}, seeds {SEED} to {seed - 1}", *figures.lines(), sep="\n")  # noqa: T201
    # It got through to what calls do, and not to their refusals only.
    assert figures.answers[200] > 10
