"""What a replay found: every bet checked against the file alone, and the table at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from stakeline import money
from stakeline.strictjson import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stakeline.fixtures import Counted, Fixture

_CENT = Decimal("0.01")
_MOST = Decimal(10) ** 15
_NARROWEST = 80
_US_PER_MS = 1000


@dataclass(slots=True)
class Tally:
    """A replay so far.

    Attributes:
        counted: what `Fixture.line` counts.
        events: how many were played to their end.
        bets: how many were acknowledged.
        staked: the amounts of the bets that bet-maker lists.
        returned: their payouts.
        refusals: how many bets were refused, by code.
        latencies: for each event the time from line-provider's answer to its result until
            bet-maker showed its bets settled, in microseconds.
        differences: one line for everything that is not as the file says.
        happened: with faults, how often which came to pass.
        must_stake: what all users together stake, by the file.
        must_return: what that returns, by the file.
        took: how long it all took, in microseconds.
    """

    counted: Counted = "line"
    events: int = 0
    bets: int = 0
    staked: Decimal = Decimal(0)
    returned: Decimal = Decimal(0)
    refusals: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    must_stake: Decimal = Decimal(0)
    must_return: Decimal = Decimal(0)
    took: int = 0

    def expect(self, fixture: Fixture, amounts: Iterable[int]) -> None:
        """Count what the file alone says of bets on this fixture; amounts in cents."""
        for amount in amounts:
            must = outcome(fixture, amount)
            self.must_stake += _money(must["amount"])
            self.must_return += _money(must["payout"])

    def check(
        self,
        fixture: Fixture,
        acknowledged: Sequence[tuple[str, int]],
        listed: Sequence[dict[str, Any]],
    ) -> None:
        """Count an event's bets, and note what differs from the file.

        Args:
            fixture: the event as the file has it, with its result.
            acknowledged: the bets that were answered with 201: their ids, and amounts in cents.
            listed: the event's bets as bet-maker lists them, after the result.
        """
        self.events += 1
        self.bets += len(acknowledged)
        amounts = dict(acknowledged)
        times = Counter(str(bet.get("bet_id")) for bet in listed)
        for bet_id, count in Counter(bet_id for bet_id, _ in acknowledged).items():
            if not times[bet_id]:
                self.differs(fixture, f"bet {bet_id} is not among the bets of its event")
            if count > 1:
                self.differs(fixture, f"bet {bet_id} was acknowledged to {count} users")
        for bet_id, count in times.items():
            if bet_id not in amounts:
                what = f"bet {bet_id} is among the bets, but was never acknowledged"
                self.differs(fixture, what)
            if count > 1:
                self.differs(fixture, f"bet {bet_id} is listed {count} times")
        for bet in listed:
            bet_id = str(bet.get("bet_id"))
            must = outcome(fixture, amounts[bet_id]) if bet_id in amounts else {}
            for name, value in must.items():
                found = _value(bet.get(name))
                if found != value:
                    what = f"bet {bet_id} has {name} {found}, by the file {value}"
                    self.differs(fixture, what)
            self.staked += _money(bet.get("amount"))
            self.returned += _money(bet.get("payout"))

    def differs(self, fixture: Fixture, what: str) -> None:
        """Note something that is not as the file says."""
        self.differences.append(f"{self.counted} {fixture.line}, {fixture.name}: {what}")

    def print(self) -> None:
        """Write every difference to stdout, a line each, then the table.

        Nothing is wrapped or cut, however narrow the output is.
        """
        console = Console()
        console.width = max(console.width, _NARROWEST)
        for difference in self.differences:
            console.print(difference, markup=False, highlight=False, soft_wrap=True)
        table = Table(
            box=box.ROUNDED if console.is_terminal else None,
            show_header=False,
            pad_edge=console.is_terminal,
        )
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        for name, value in self._rows():
            table.add_row(name, value)
        console.print(table)

    def _rows(self) -> list[tuple[str, str]]:
        margin = self.staked - self.returned
        percent = f" ({_round(margin * 100 / self.staked)} %)" if self.staked else ""
        seconds = Decimal(max(self.took, 1)).scaleb(-6)
        ordered = sorted(self.latencies)
        refusals = [(f"refused, {code}", count) for code, count in sorted(self.refusals.items())]
        return [
            ("events", str(self.events)),
            ("bets", str(self.bets)),
            ("staked", str(_round(self.staked))),
            ("returned", str(_round(self.returned))),
            ("staked, by the file", str(_round(self.must_stake))),
            ("returned, by the file", str(_round(self.must_return))),
            ("house margin", f"{_round(margin)}{percent}"),
            *((name, str(count)) for name, count in refusals or [("refused", 0)]),
            ("bets/s", str(_round(self.bets / seconds))),
            ("result to settled, p50", _milliseconds(ordered, 50)),
            ("result to settled, p99", _milliseconds(ordered, 99)),
            ("result to settled, max", _milliseconds(ordered, 100)),
            *((what, str(count)) for what, count in sorted(self.happened.items())),
            ("differences", str(len(self.differences))),
        ]


def outcome(fixture: Fixture, amount: int) -> dict[str, Decimal | str]:
    """What the file alone says of a bet on this fixture, in the words of a bet's body.

    Args:
        fixture: with its result.
        amount: the stake, in cents.
    """
    staked, coefficient = money.decimal(amount), money.decimal(fixture.coefficient)
    won = fixture.status == "WIN"
    return {
        "amount": staked,
        "coefficient": coefficient,
        "status": "WON" if won else "LOST",
        "payout": _round(staked * coefficient) if won else Decimal("0.00"),
    }


def _value(value: object) -> object:
    """A member of a bet's body, to compare and to show; a numeric string is no number."""
    if isinstance(value, Number):
        return Decimal(value.text)
    return "nothing" if value is None else value


def _money(value: object) -> Decimal:
    """An amount of money to add up; nothing, where it is none, which is a difference already."""
    number = _value(value)
    return number if isinstance(number, Decimal) and abs(number) < _MOST else Decimal(0)


def _round(number: Decimal) -> Decimal:
    return number.quantize(_CENT, ROUND_HALF_UP)


def _milliseconds(ordered: Sequence[int], percentile: int) -> str:
    """A percentile of ordered times, by nearest rank."""
    if not ordered:
        return "-"
    rank = -(-len(ordered) * percentile // 100)
    return f"{ordered[rank - 1] / _US_PER_MS:.1f} ms"
