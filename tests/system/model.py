"""The rules of the house in a few lines, written apart from the code that they judge.

Times in microseconds, money in cents, prices in hundredths. Every verdict is what a caller must be
told, and what the line must be then: the same match, if it is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DEFAULT_US = 5_000_000
"""How far ahead the deadline of a match is that came without one."""


@dataclass(frozen=True)
class Match:
    """An event: what was said of it, and since when its outcome is known."""

    price: int
    deadline: int
    status: str = "NEW"
    known_at: int | None = None
    said: int | None = None
    version: int = 1

    @property
    def closes(self) -> int:
        """From when no bet can stand."""
        return min(x for x in (self.deadline, self.known_at, self.said) if x is not None)

    def fate(self, placed_at: int) -> str:
        """What becomes of a bet placed then."""
        if placed_at < self.closes:
            return {"NEW": "PENDING", "WIN": "WON", "LOSE": "LOST", "VOID": "VOID"}[self.status]
        return "VOID"

    def next(self, **changes: object) -> Match:
        """The match, changed."""
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Slip:
    """A bet: what its user asked for, and what they were given."""

    body: tuple[str, int, int | None, str]
    placed_at: int
    price: int

    def pays(self, fate: str) -> int | None:
        """What it returns, half a cent rounded up."""
        amount = self.body[1]
        won = amount * self.price // 100 + (amount * self.price % 100 >= 50)
        return {"PENDING": None, "WON": won, "LOST": 0, "VOID": amount}[fate]


Verdict = tuple[str, Match | None]


def create(old: Match | None, now: int, price: int, deadline: int | None) -> Verdict:
    """Putting a match on the line: an id names one match for ever."""
    if old is not None:
        same = price == old.price and deadline in {None, old.deadline}
        return ("same" if same else "event_exists"), old
    if deadline is not None and deadline <= now:
        return "invalid_request", None
    return "made", Match(price, now + DEFAULT_US if deadline is None else deadline)


def alter(
    old: Match | None,
    now: int,
    price: int | None,
    deadline: int | None,
    tag: str,
    *,
    may_create: bool,
) -> Verdict:
    """Changing its terms: not after the first result, not on a version that is over."""
    if old is None and may_create and tag == "none":
        new = Match(price or 1, now + DEFAULT_US if deadline is None else deadline)
        return ("invalid_request", None) if price is None else ("made", new)
    if old is None:
        return ("stale_version" if may_create else "event_not_found"), None
    new = replace(old, price=price or old.price, deadline=deadline or old.deadline)
    told = "made" if old.known_at is None else "already_decided"
    told = "same" if new == old else told
    told = "stale_version" if tag == "wrong" else told
    return told, new.next() if told == "made" else old


def decide(
    old: Match | None, now: int, status: str, said: int | None, tag: str, *, correction: bool
) -> Verdict:
    """Giving the result: known once, known for ever; another word must be a correction."""
    if old is None:
        return "event_not_found", None
    first = old.known_at is None
    if first and status == "NEW":
        return ("same" if said is None else "invalid_request"), old
    if not first and status == old.status and said in {None, old.closes, old.said}:
        return "same", old
    if tag == "wrong":
        return "stale_version", old
    if not first and not correction:
        return "already_decided", old
    heard_anew = said is not None and (first or said != old.closes)
    return "made", old.next(
        status=status,
        known_at=now if first else old.known_at,
        said=said if heard_anew else old.said,
    )


def judge(match: Match | None, placed_at: int, price: int | None, accept: str) -> str:
    """Whether a bet is taken on a match as it was heard."""
    if match is None:
        return "event_not_found"
    if match.status != "NEW" or placed_at >= match.closes:
        return "betting_closed"
    good = {"any": True, "exact": match.price == price, "better": match.price >= (price or 0)}
    return "taken" if good[accept] else "price_changed"
