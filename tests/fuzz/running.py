"""schemathesis against one running service, and what it did there."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.hooks import FIGURES
from tests.processes import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Figures:
    """What has been sent: cases by operation and phase, answers by status, findings let pass."""

    cases: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    excepted: Counter[str] = field(default_factory=Counter)

    def add(self, file: Path) -> None:
        """Add what `hooks` wrote into `file`."""
        said = json.loads(file.read_text())
        self.cases.update({(label, phase): count for label, phase, count in said["cases"]})
        self.answers.update(dict(said["answers"]))
        self.excepted.update(said["excepted"])

    def lines(self) -> list[str]:
        """The figures, to be read."""
        operations = sorted({label for label, _ in self.cases})
        phases = ("examples", "coverage", "fuzzing", "stateful")
        return [
            f"{self.cases.total()} cases",
            f"{'':40}" + "".join(f"{phase:>10}" for phase in phases),
            *(
                f"{label:40}" + "".join(f"{self.cases[label, phase]:10}" for phase in phases)
                for label in operations
            ),
            ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items())),
            *(f"{count} let pass: {reason}" for reason, count in self.excepted.most_common()),
        ]


async def fuzz(
    url: str,
    folder: Path,
    figures: Figures,
    *arguments: str,
    headers: Mapping[str, str] | None = None,
    **environment: str,
) -> str | None:
    """Run schemathesis once, and add what it did to `figures`.

    Returns:
        None if nothing was found, else its report.
    """
    figures_file = folder / "figures.json"
    figures_file.unlink(missing_ok=True)
    sent = [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)),
        *("run", f"{url}/openapi.json", "--no-color", *sent, *arguments),
        cwd=folder,
        env=clean_environment()
        | {"PYTHONPATH": str(ROOT), FIGURES: str(figures_file)}
        | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if figures_file.exists():
        figures.add(figures_file)
    return output.decode() if process.returncode else None
