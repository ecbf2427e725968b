"""What verification found: how much was checked, every offending row, and what the bets come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from stakeline import money, strictjson

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NAMED = 1000
"""How many offences of one check are named; the others are counted."""
STATUSES = ("PENDING", "WON", "LOST", "VOID")


@dataclass(frozen=True, slots=True)
class Offence:
    """One row that is not as it must be.

    Attributes:
        check: the check that found it, a word that stays.
        database: `line-provider` or `bet-maker`.
        table: where the row is, empty where the database itself complains.
        key: which row it is.
        problem: what is wrong with it.
        found: what is there, or None.
        expected: what ought to be, or None.
    """

    check: str
    database: str
    table: str
    key: str
    problem: str
    found: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        row = " ".join(part for part in (self.database, self.table, self.key) if part)
        values = [
            f"{word} {value}"
            for word, value in (("found", self.found), ("expected", self.expected))
            if value is not None
        ]
        return f"{self.check}: {row}: {self.problem}" + (": " if values else "") + ", ".join(values)


@dataclass(slots=True)
class Total:
    """The bets of one status; money in cents."""

    bets: int = 0
    staked: int = 0
    paid: int = 0


@dataclass(slots=True)
class Report:
    """What was checked, and what was found wrong.

    Attributes:
        verified: the databases that were read.
        checked: how many rows of each kind were looked at.
        totals: the bets by the status that follows from the line.
        offences: those that are named.
        counts: how many there are of each check, named or not.
    """

    verified: list[str] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    totals: dict[str, Total] = field(default_factory=lambda: {name: Total() for name in STATUSES})
    offences: list[Offence] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts

    def add(self, offence: Offence) -> None:
        """Take an offence up, by name if there are not too many of its kind."""
        self.counts[offence.check] += 1
        if self.counts[offence.check] <= MOST_NAMED:
            self.offences.append(offence)

    def unnamed(self) -> dict[str, int]:
        """How many offences of a check are only counted; checks without such are left out."""
        return {
            check: count - MOST_NAMED for check, count in self.counts.items() if count > MOST_NAMED
        }

    def lines(self) -> Iterator[str]:
        """The report for people."""
        for offence in self.offences:
            yield str(offence)
        for check, count in self.unnamed().items():
            yield f"{check}: and {count:,} more"
        yield f"verified: {', '.join(self.verified)}"
        for name, number in self.checked.items():
            yield f"  {name}: {number:,}"
        if self.checked["bets"]:
            yield "bets by status:"
        for status, total in self.totals.items():
            if total.bets:
                staked, paid = money.decimal(total.staked), money.decimal(total.paid)
                yield f"  {status}: {total.bets:,} bets, {staked:,} staked, {paid:,} paid"
        wrong = sum(self.counts.values())
        yield "nothing is wrong" if self.clean else f"offences: {wrong:,}"

    def json(self) -> bytes:
        """The report for programs, one JSON object.

        `{"clean": bool, "verified": [name...], "checked": {kind: count}, "bets": {status: {"bets":
        count, "staked": money, "paid": money}}, "offences": [{"check", "database", "table", "key",
        "problem", "found", "expected"}...], "counts": {check: count}, "unnamed": {check: count}}`.
        `offences` names at most 1000 of each check; `counts` counts them all.
        """
        body: dict[str, Any] = {
            "clean": self.clean,
            "verified": self.verified,
            "checked": dict(self.checked),
            "bets": {
                status: {
                    "bets": total.bets,
                    "staked": money.decimal(total.staked),
                    "paid": money.decimal(total.paid),
                }
                for status, total in self.totals.items()
            },
            "offences": [asdict(offence) for offence in self.offences],
            "counts": dict(self.counts),
            "unnamed": self.unnamed(),
        }
        return strictjson.dumps(body)


@dataclass(frozen=True, slots=True)
class Table:
    """One table under verification: what is found wrong with its rows goes into the report."""

    report: Report
    database: str
    name: str

    def wrong(
        self, check: str, key: object, problem: str, found: object = None, expected: object = None
    ) -> None:
        """A row that is not as it must be."""
        told = [None if value is None else str(value) for value in (found, expected)]
        self.report.add(Offence(check, self.database, self.name, str(key), problem, *told))

    def same(self, check: str, key: object, what: str, found: object, expected: object) -> None:
        """Nothing, if both are the same."""
        if found != expected:
            told = ["nothing" if value is None else value for value in (found, expected)]
            self.wrong(check, key, what, *told)
