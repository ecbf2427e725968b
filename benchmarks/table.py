"""What was measured: one table of figures and ratios beside their targets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured.

    Attributes:
        what: in words.
        engine: on which database.
        figures: one of each round.
        unit: of the figures; `x`: ratios.
        target: what the median should be; None: there is none.
        at_least: the least it should be, or else the most.
        detail: what the figures were made of.
        cpu: the load generator's share of a core, the most in any round.
        sync_p99_ms: how long the disk took meanwhile, in a row of latencies.
    """

    what: str
    engine: str
    figures: list[float]
    unit: str
    target: float | None = None
    at_least: bool = True
    detail: str = ""
    cpu: float | None = None
    sync_p99_ms: float | None = field(default=None)

    @property
    def met(self) -> bool | None:
        """Whether the target was met."""
        if self.target is None:
            return None
        middle = median(self.figures)
        return middle >= self.target if self.at_least else middle <= self.target

    def cells(self) -> list[str]:
        """As a line of the table."""
        sign = "≥" if self.at_least else "≤"
        low, high = (_text(pick(self.figures), self.unit) for pick in (min, max))
        details = [self.detail] if self.detail else []
        if self.sync_p99_ms is not None:
            details.append(f"disk p99 {self.sync_p99_ms:.1f} ms")
        return [
            self.what,
            self.engine,
            "" if self.target is None else f"{sign} {_text(self.target, self.unit)}",
            _text(median(self.figures), self.unit),
            f"{low} - {high}",
            {True: "met", False: "missed", None: ""}[self.met],
            "" if self.cpu is None else f"{self.cpu:.0%}",
            "; ".join(details),
        ]


HEAD = ["what", "engine", "target", "median", "range", "", "generator's CPU", "made of"]


def lines(rows: list[Row]) -> list[str]:
    """The table as Markdown, each column as wide as it needs."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return [
        f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))} |"
        for line in cells
    ]


def write(folder: Path, name: str, facts: dict[str, Any], rows: list[Row]) -> None:
    """Write the facts and rows to `name.json` and `name.md`."""
    folder.mkdir(exist_ok=True)
    told = [asdict(row) | {"median": median(row.figures), "met": row.met} for row in rows]
    content = json.dumps({"facts": facts, "rows": told}, indent=1)
    (folder / f"{name}.json").write_text(content + "\n", encoding="utf-8")
    known = [f"- {key}: {value}" for key, value in facts.items()]
    text = "\n".join([f"# {name}", "", *known, "", *lines(rows), ""])
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _text(figure: float, unit: str) -> str:
    digits = f"{figure:.2f}" if figure < 100 else f"{figure:,.0f}"
    return f"{digits} x" if unit == "x" else f"{digits} {unit}"


def each(figures: list[float]) -> str:
    """Figures a second, in words: their median."""
    return f"{median(figures):,.0f}/s"
