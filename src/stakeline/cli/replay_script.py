"""What happens in a replay: who stakes what and, with faults, what goes wrong on the way.

All of it is drawn by a seed and the event's place in the file, so that it can be played again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from stakeline import clock, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stakeline.contract import EventStatus
    from stakeline.fixtures import Fixture

AHEAD_S = 3600
"""How far ahead the deadline of a played event is."""
_MOST_MOVES = 3
_LONGEST_PAUSE_S = 0.05
_MOST_KILLS = 3

ServiceName = Literal["line-provider", "bet-maker"]
SERVICES: tuple[ServiceName, ...] = ("line-provider", "bet-maker")


@dataclass(frozen=True, slots=True)
class Stakes:
    """The amounts that users stake, in cents: anything from `least` to `most`."""

    least: int
    most: int

    @classmethod
    def parse(cls, text: str) -> Stakes:
        """One amount for all such as `10.00`, or two with a hyphen between: `0.50-100.00`.

        Raises:
            ValueError: not so; the message says what is wrong.
        """
        least, hyphen, most = text.partition("-")
        stakes = cls(
            money.parse_hundredths(least, money.MAX_AMOUNT),
            money.parse_hundredths(most if hyphen else least, money.MAX_AMOUNT),
        )
        if stakes.least > stakes.most:
            raise ValueError("must name the smaller amount first: 0.50-100.00")
        return stakes

    def of(self, seed: int, fixture: Fixture, user: int) -> int:
        """What this user stakes on this fixture."""
        return _drawn(seed, fixture.line, f"stake {user}").randint(self.least, self.most)


@dataclass(frozen=True, slots=True)
class Move:
    """The price or the deadline is changed; None for what stays.

    Attributes:
        coefficient: in hundredths.
        ahead_s: the deadline, so many seconds from then.
        pause_s: before it.
    """

    coefficient: int | None
    ahead_s: int | None
    pause_s: float

    def terms(self) -> dict[str, Any]:
        """What line-provider is asked for: one of both, a deadline reckoned from now."""
        if self.coefficient is not None:
            return {"coefficient": money.decimal(self.coefficient)}
        return {"deadline": ahead(self.ahead_s or 0)}


@dataclass(frozen=True, slots=True)
class Ruling:
    """A result, or the correction of one.

    Attributes:
        status: the result.
        closes: `early`, if it says that the outcome was known before any bet was placed;
            `as decided`, if it takes that back.
        heard: whether bet-maker has to have heard it before the next one comes.
    """

    status: EventStatus
    closes: Literal["early", "as decided"] | None = None
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """What is done to one event; the last ruling is the file's, and no move outlasts the bets.

    Attributes:
        moves: while bets are placed.
        rulings: after that.
        repeats: how many users repeat their bets after that, with the same keys.
    """

    moves: Sequence[Move]
    rulings: Sequence[Ruling]
    repeats: int


def ahead(seconds: int) -> str:
    """The instant so many seconds from now."""
    return clock.text(clock.now() + seconds * clock.US_PER_S)


def plain(fixture: Fixture) -> Script:
    """Nothing but the result."""
    return Script((), (_ruling_of_the_file(fixture),), 0)


def faulty(seed: int, fixture: Fixture) -> Script:
    """Prices and deadlines move and move back, results are corrected, and corrected back."""
    chance = _drawn(seed, fixture.line, "script")
    moves: list[Move] = []
    for _ in range(chance.randint(0, _MOST_MOVES)):
        if chance.random() < 0.5:  # noqa: PLR2004 - a coin
            there, back = chance.choice([101, 250, money.MAX_COEFFICIENT]), fixture.coefficient
            moves += (_move(chance, coefficient=there), _move(chance, coefficient=back))
        else:
            there = chance.choice([-AHEAD_S, -1, 0, 60, 24 * AHEAD_S])
            moves += (_move(chance, ahead_s=there), _move(chance, ahead_s=AHEAD_S))
    last = _ruling_of_the_file(fixture)
    other: EventStatus = "LOSE" if last.status == "WIN" else "WIN"
    before: list[Ruling] = chance.choice(
        [
            [],
            [Ruling(other)],
            [last, Ruling(other)],
            [Ruling("VOID")],
            [last, Ruling("NEW"), Ruling("VOID")],
            [Ruling(other), Ruling(last.status, "early"), Ruling(other, "as decided")],
        ]
    )
    rulings = [
        Ruling(ruling.status, ruling.closes, heard=chance.random() < 0.5)  # noqa: PLR2004 - a coin
        for ruling in before
    ]
    return Script(moves, [*rulings, last], chance.randint(0, 2))


def kills(seed: int, events: int) -> dict[int, list[ServiceName]]:
    """Which services are killed and started again once so many events have been played."""
    points: dict[int, list[ServiceName]] = {}
    for service in SERVICES:
        chance = _drawn(seed, events, service)
        for after in chance.sample(range(1, events + 1), min(_MOST_KILLS, events)):
            points.setdefault(after, []).append(service)
    return points


def _ruling_of_the_file(fixture: Fixture) -> Ruling:
    if fixture.status is None:
        raise ValueError("a fixture without a result cannot be played")
    return Ruling(fixture.status)


def _move(chance: Random, *, coefficient: int | None = None, ahead_s: int | None = None) -> Move:
    return Move(coefficient, ahead_s, chance.uniform(0, _LONGEST_PAUSE_S))


def _drawn(seed: int, line: int, what: str) -> Random:
    return Random(f"{seed} {line} {what}")  # noqa: S311 - a game that can be repeated
