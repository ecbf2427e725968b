"""What the rules of the machine share: the house, what is known of it, and the checks."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.machine.checker import Checker
from tests.machine.clocks import S
from tests.machine.feed_wire import Fate
from tests.machine.house import House
from tests.machine.looking import hundredths
from tests.machine.oracle import Ear

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    import httpx2

    from tests.machine.feed_wire import Fault
    from tests.machine.house import BetMaker
    from tests.machine.storage import Mishap
    from tests.system.model import Match

TALLY: Counter[str] = Counter()
"""How often what happened, over all runs."""
PAGE = 2
"""How many items a feed page has here at the most, so that one is often not enough."""


def body_of(answer: httpx2.Response) -> Any:  # noqa: ANN401 - any JSON value
    """The answer's JSON, money in cents; and what holds of every answer.

    I17: there is no 5xx but 503, which says when to come back.
    """
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
    problem = answer.headers["content-type"] == "application/problem+json"
    assert problem == (answer.status_code >= 400)
    return json.loads(answer.content, parse_float=hundredths)


class Scene(RuleBasedStateMachine):
    """Two bet-makers that follow a line; every step ends with every check.

    Attributes:
        house: the services.
        matches: the line, as the operators were told it is.
        ears: what each bet-maker has heard.
        checker: what must be true.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matches: dict[str, Match] = {}
        self.ears = [Ear(), Ear()]
        self.runner = asyncio.Runner()
        self.house = House()
        self.run(self.house.open())
        self.checker = Checker(self.house.line.file, self.house.makers[0].file)
        self.listed_by, self.listed = 0, self.checker.bets.fates()
        self.steps = 0
        TALLY["runs"] += 1

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work gives
        """Do something on the machine's own event loop."""
        return self.runner.get_loop().run_until_complete(work)

    @invariant()
    def everything_holds(self) -> None:
        """All that must be true at any time, and what `GET /bets` shows of it."""
        TALLY["steps"] += 1
        self.steps += 1
        self.checker.check(self.matches, self.ears)
        state = self.checker.bets.fates()
        if state != self.listed:
            self.listed = state
            self.listed_by = 1 - self.listed_by
            self.listing(self.house.makers[self.listed_by])

    def listing(self, maker: BetMaker) -> None:
        """One bet-maker's list of all bets, which must be right."""
        listed = body_of(self.run(maker.ask("GET", "/bets?limit=1000")))
        self.checker.i6_i8_bets_stand_as_the_events_say(listed)

    def follow(self, n: int, fate: Fate, mishap: Mishap = "none", slow_us: int = 0) -> None:
        """One step of a bet-maker's follower; what it hears is noted."""
        maker, before = self.house.makers[n], self.checker.look()
        maker.storage.mishap = "none" if fate.hold != "nowhere" else mishap
        self.house.line.storage.slow_us = slow_us
        if maker.wire.holding:
            self.run(maker.wire.go_on())
        else:
            self.run(maker.follow(fate))
        self.house.line.storage.slow_us = 0
        struck = mishap != "none" and maker.storage.mishap == "none" and fate.hold == "nowhere"
        maker.storage.mishap = "none"
        if maker.wire.holding:
            return
        now = self.checker.look()
        if before.epoch is None and now.epoch is not None:
            self.took_snapshot(maker)
        if not struck and maker.wire.exchanges:
            self.ears[n].hears(maker.wire.exchanges[-1], now)
        TALLY["items applied"] += now.seq - before.seq

    def connect(self, good: Fate, weather: list[Fault]) -> None:
        """How feed requests fare that nothing else happens to, one after another."""
        self.good = good
        self.weather = cycle([good, *(replace(good, fault=fault) for fault in weather)])

    def hears(self, makers: Iterable[int]) -> None:
        """These bet-makers hear the line until they take bets, unless they hang on the wire."""
        for n in makers:
            if not self.house.makers[n].wire.holding:
                self.follow(n, next(self.weather))
                for _ in range(8):  # pages are small
                    if not self.ears[n].fresh(self.house.time.now):
                        self.follow(n, self.good)
        self.checker.check(self.matches, self.ears)

    def took_snapshot(self, maker: BetMaker) -> None:
        """Note which version of each event the replica began with."""
        taken = [one.given for one in maker.wire.exchanges if one.path.endswith("snapshot")][-1]
        assert taken is not None
        events = [json.loads(line) for line in taken.body.splitlines()[1:]]
        self.checker.snapshot = {event["event_id"]: event["version"] for event in events}

    def settle(self) -> None:
        """Let every bet-maker hear everything; then all must be as line-provider says."""
        for n, maker in enumerate(self.house.makers):
            while maker.wire.holding:
                self.follow(n, Fate())
        for n in range(len(self.house.makers)):
            self.catch_up(n)
        self.checker.check(self.matches, self.ears)
        self.checker.i6_i10_all_is_settled()
        for ear, maker in zip(self.ears, self.house.makers, strict=True):
            assert ear.fresh(self.house.time.now)
            assert self.run(maker.ask("GET", "/readyz")).status_code == 200
            self.listing(maker)

    def teardown(self) -> None:
        """Settle, if nothing has failed, and close everything."""
        try:
            if sys.exc_info()[0] is None:
                self.house.time.passes(S)
                self.settle()
                self.decide_all()
                self.settle()
                bets = self.all_bets()
                TALLY.update(f"bet {bet['status']}" for bet in bets)
                TALLY["runs of 40 steps or more"] += self.steps >= 40
                TALLY["runs with bets"] += bool(bets)
                TALLY["runs with 5 bets or more"] += len(bets) >= 5
        finally:
            self.checker.close()
            self.run(self.house.close())
            self.runner.close()

    def catch_up(self, n: int) -> None:
        """Let a bet-maker hear the line page by page, until it has heard all of it."""
        for _ in range(1000):
            self.ears[n].fix = None
            self.follow(n, Fate())
            if self.ears[n].fix is not None:
                return

    def decide_all(self) -> None:
        """Give every event a result that has none."""

    def all_bets(self) -> list[dict[str, Any]]:
        """Every bet, as it now stands."""
        bets: list[dict[str, Any]] = body_of(
            self.run(self.house.makers[0].ask("GET", "/bets?limit=1000"))
        )
        return bets
