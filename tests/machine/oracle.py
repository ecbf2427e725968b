"""What bet-maker must answer, told from what it has heard, in a few lines of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from tests.machine.clocks import S
from tests.system.checker import instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.machine.feed_wire import Exchange
    from tests.machine.looking import Bets, Row

FRESH_US = 5 * S


def text(hundredths: int) -> str:
    """Money and prices as JSON takes them, exactly."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@dataclass(frozen=True)
class Slip:
    """A bet as its user asks for it; no two that differ have the same stake.

    Attributes:
        event_id: the event.
        cents: the stake.
        price: the price that its user saw, in hundredths.
        accept: which price they take.
        key: the idempotency key.
    """

    event_id: str
    cents: int
    price: int | None
    accept: str | None
    key: str | None

    @property
    def accepts(self) -> str:
        """Which price is taken, said or not."""
        return self.accept or ("any" if self.price is None else "exact")

    def body(self) -> dict[str, Any]:
        """As JSON, without the key."""
        said = {"coefficient": self.price and text(self.price), "accept": self.accept}
        given = {name: value for name, value in said.items() if value is not None}
        return {"event_id": self.event_id, "amount": text(self.cents), **given}

    def same_as(self, bet: Row) -> bool:
        """Whether that bet came of the same request."""
        said = (self.event_id, self.cents, self.price, self.accepts)
        return said == (bet.event_id, bet.amount, bet.asked_coefficient, bet.accept)


@dataclass(frozen=True)
class Told:
    """An answer about one bet, in the log of all answers.

    Attributes:
        slip: what was asked.
        at: the true time when bet-maker had read the request to its end.
        maker: which bet-maker.
        status: of the answer.
        body: the bet, or the problem.
        replayed: it says that the bet had been made before.
    """

    slip: Slip
    at: int
    maker: int
    status: int
    body: dict[str, Any]
    replayed: bool = False

    @property
    def verdict(self) -> str:
        """`made`, `replayed`, or the problem's code."""
        if self.status == 201:
            return "replayed" if self.replayed else "made"
        return str(self.body["code"])


@dataclass(frozen=True)
class Fix:
    """The newest answer whose head has been applied, by true time."""

    epoch: str
    received_at: int
    sent: int


@dataclass
class Ear:
    """What one bet-maker process has heard of the line.

    Attributes:
        fix: from the newest feed answer that counts.
        suspended: it was told `feed_changed` since.
    """

    fix: Fix | None = None
    suspended: bool = False

    def hears(self, exchange: Exchange, bets: Bets) -> None:
        """A feed request ended without an error of the database; `bets` is what was applied."""
        if exchange.given is not exchange or not exchange.path.endswith("/feed"):
            return
        page = json.loads(exchange.body)
        if exchange.status == 409:
            self.suspended = True
            return
        assert instant(page["received_at"]) == exchange.received
        if bets.epoch == page["epoch"] and bets.seq >= page["head"]:
            self.fix = Fix(page["epoch"], exchange.received, exchange.sent)
            self.suspended = False

    def placed_at(self, at: int) -> int:
        """When a bet counts as placed that was read to its end at `at`."""
        return 0 if self.fix is None else self.fix.received_at + at - self.fix.sent

    def fresh(self, at: int) -> bool:
        """Whether bets are taken at `at`."""
        return self.fix is not None and not self.suspended and at - self.fix.sent <= FRESH_US


def judge(slip: Slip, at: int, ear: Ear, bets: Bets) -> str:
    """The verdict on a slip, given what bet-maker's database holds."""
    old = None if slip.key is None else bets.by_key.get(slip.key)
    if old is not None:
        return "replayed" if slip.same_as(old) else "idempotency_key_reused"
    if not ear.fresh(at) or ear.fix is None or ear.fix.epoch != bets.epoch:
        return "feed_stale"
    event = bets.events.get(slip.event_id)
    if event is None:
        return "event_not_found"
    closed = event.status != "NEW" or event.frozen or event.epoch != bets.epoch
    if closed or ear.placed_at(at) >= event.closed_at:
        return "betting_closed"
    price, seen = event.coefficient, slip.price or 0
    good = {"any": True, "exact": price == seen, "better": price >= seen}
    return "made" if good[slip.accepts] else "price_changed"


def judge_all(asked: Iterable[tuple[Slip, int, Ear]], bets: Bets) -> list[str]:
    """The verdicts on slips that are judged one after another."""
    verdicts, used = [], dict[str, Slip]()
    for slip, at, ear in asked:
        first = used.get(slip.key or "")
        if first is not None:
            verdicts.append("replayed" if first == slip else "idempotency_key_reused")
            continue
        verdicts.append(judge(slip, at, ear, bets))
        if verdicts[-1] == "made" and slip.key is not None:
            used[slip.key] = slip
    return verdicts


def possible(asked: Sequence[tuple[Slip, int, Ear]], bets: Bets) -> list[list[str]]:
    """The verdicts on slips that are judged together: as if one after another, in some order."""
    found = []
    for order in permutations(range(len(asked))):
        verdicts = judge_all([asked[n] for n in order], bets)
        found.append([verdict for _, verdict in sorted(zip(order, verdicts, strict=True))])
    return found
