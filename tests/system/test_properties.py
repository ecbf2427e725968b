"""The rules of line and bets against a small model of them, in any order of what can happen."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stakeline import clock, ids
from stakeline.bet_maker.bets import Asked
from stakeline.line_provider import changes
from stakeline.line_provider.events import Ruling, Terms
from tests.system import model
from tests.system.house import House
from tests.system.model import Match, Slip

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from stakeline.bet_maker.bets import Accept
    from stakeline.contract import EventStatus
    from stakeline.line_provider.events import Change, Event

pytestmark = pytest.mark.timeout(600)  # some 10 s, but each step waits for a processor and the disk

# Few names, prices and instants: what happens together is what goes wrong.
S = clock.US_PER_S
START = clock.parse_instant("2026-08-01T18:00:00Z")
DEFAULT_S = model.DEFAULT_US // S
NAMES = st.sampled_from(["one", "one", "one", "two"])
PRICES = st.sampled_from([150, 200])
STEPS = st.sampled_from([None, None, -1, 0, 1, 2, 4])
STATUSES: st.SearchStrategy[EventStatus] = st.sampled_from(["NEW", "WIN", "LOSE", "VOID"])
TAGS = st.sampled_from(["none", "none", "none", "right", "wrong"])


class Rules(RuleBasedStateMachine):
    """Operators, users and the feed, each step told what must come of it."""

    @initialize()
    def open(self) -> None:
        """An empty line, and a bet-maker that follows it."""
        self.now = START
        self.line: dict[str, Match] = {}
        self.log: list[tuple[str, Match]] = []
        self.heard: dict[str, Match] = {}
        self.applied = 0
        self.slips: dict[str, Slip] = {}
        self.keys: dict[str, str] = {}
        self.runner, self.house = asyncio.Runner(), House()
        self.run(self.house.open(START))
        self.create("one", 200, 4)
        self.pull(1, 0)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work gives
        """Do something on the machine's own event loop."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Close everything."""
        if hasattr(self, "runner"):
            self.run(self.house.close())
            self.runner.close()

    def change(
        self,
        name: str,
        verdict: model.Verdict,
        act: Callable[[Event | None, int], Change],
    ) -> None:
        """Let an operator act, who must be told what the model says."""
        expected, match = verdict
        assert self.run(self.house.change(self.now, name, act)) == expected
        if expected == "made":
            assert match is not None
            self.line[name] = match
            self.log.append((name, match))

    def tag(self, name: str, kind: str) -> str | None:
        """An If-Match header."""
        version = self.line[name].version if name in self.line else 1
        return {"none": None, "right": f'"{version}"', "wrong": f'"{version + 1}"'}[kind]

    def at(self, step: int | None) -> int | None:
        """So many seconds from now."""
        return None if step is None else self.now + step * S

    @rule(seconds=st.integers(0, 2))
    def time_passes(self, seconds: int) -> None:
        """Or does not: what happens at one instant is told apart as well."""
        self.now += seconds * S

    @rule(name=NAMES, price=PRICES, step=STEPS)
    def create(self, name: str, price: int, step: int | None) -> None:
        """POST /events."""
        deadline = self.at(step)
        terms = Terms(price, deadline)
        self.change(
            name,
            model.create(self.line.get(name), self.now, price, deadline),
            partial(changes.create, event_id=name, terms=terms, default_deadline_s=DEFAULT_S),
        )

    @rule(name=NAMES, price=st.none() | PRICES, step=STEPS, kind=TAGS, put=st.booleans())
    def alter(
        self, name: str, price: int | None, step: int | None, kind: str, *, put: bool
    ) -> None:
        """PUT and PATCH /events/{event_id}."""
        deadline, tag = self.at(step), self.tag(name, kind)
        terms, old = Terms(price, deadline), self.line.get(name)

        def act(event: Event | None, now: int) -> Change:
            if put:
                return changes.put(event, now, name, terms, DEFAULT_S, tag)
            return changes.change(event, now, terms, tag)

        verdict = model.alter(old, self.now, price, deadline, kind, may_create=put)
        self.change(name, verdict, act)

    @rule(
        name=NAMES,
        status=STATUSES,
        step=STEPS,
        same=st.booleans(),
        kind=TAGS,
        correction=st.booleans(),
    )
    def decide(
        self,
        name: str,
        status: EventStatus,
        step: int | None,
        kind: str,
        *,
        same: bool,
        correction: bool,
    ) -> None:
        """POST /events/{event_id}/result, sometimes with the very closing that there is."""
        tag, old = self.tag(name, kind), self.line.get(name)
        said = old.closes if same and old is not None and step is not None else self.at(step)
        ruling = Ruling(status, said, correction)
        self.change(
            name,
            model.decide(old, self.now, status, said, kind, correction=correction),
            partial(changes.decide, ruling=ruling, if_match=tag),
        )

    @rule(limit=st.integers(1, 5), again=st.integers(0, 3))
    def pull(self, limit: int, again: int) -> None:
        """GET /feed, some of it for the second time, not always to its end."""
        after = max(0, self.applied - again)
        cursor = self.run(self.house.follow(self.now, after, limit + again))
        upto = min(after + limit + again, len(self.log))
        for name, match in self.log[self.applied : upto]:
            self.heard[name] = match
        self.applied = max(self.applied, upto)
        assert (cursor.epoch, cursor.seq) == (self.house.epoch, self.applied)

    @rule(
        name=NAMES,
        amount=st.integers(1, 333),
        price=st.sampled_from([None, None, 150, 200]),
        accept=st.sampled_from(["exact", "better", "any"]),
        key=st.none() | st.sampled_from(["k", "l"]),
        beside=st.sampled_from([None, -1, 0, 1]),
    )
    def place(
        self,
        name: str,
        amount: int,
        price: int | None,
        accept: Accept,
        key: str | None,
        beside: int | None,
    ) -> None:
        """POST /bets, on what has been heard of the line so far: now, or just at its closing."""
        match = self.heard.get(name)
        at = self.now if match is None or beside is None else match.closes + beside
        accept = "any" if price is None else accept
        body = (name, amount, price, accept)
        stamp = (self.house.epoch, at, at, True)
        asked = Asked(ids.new_bet_id(at), 1, key, name, amount, price, accept, *stamp)

        answer = self.run(self.house.place(asked))
        used = None if key is None else self.keys.get(key)
        verdict = model.judge(match, at, price, accept)
        if used is not None and self.slips[used].body == body:
            assert (answer.bet_id, answer.replayed) == (used, True)
        elif used is not None:
            assert answer.code == "idempotency_key_reused"
        elif verdict != "taken" or match is None:
            assert answer.code == verdict
        else:
            assert (answer.bet_id, answer.replayed) == (asked.bet_id, False)
            self.slips[answer.bet_id] = Slip(body, at, match.price)
            if key is not None:
                self.keys[key] = answer.bet_id

    @invariant()
    def the_line_is_the_models(self) -> None:
        """Every event has the model's price, status, closing and version."""
        shown = {
            event.event_id: (event.coefficient, event.status, event.closed_at, event.version)
            for event in self.run(self.house.events())
        }
        assert shown == {
            name: (match.price, match.status, match.closes, match.version)
            for name, match in self.line.items()
        }

    @invariant()
    def every_bet_stands_as_the_heard_line_says(self) -> None:
        """No bet is lost or doubled; status and payout follow the line as far as it was heard."""
        shown = {
            bet.bet_id: (bet.status, bet.payout, bet.placed_at, bet.coefficient)
            for bet in self.run(self.house.bets())
        }
        expected = {}
        for bet_id, slip in self.slips.items():
            fate = self.heard[slip.body[0]].fate(slip.placed_at)
            expected[bet_id] = (fate, slip.pays(fate), slip.placed_at, slip.price)
        assert shown == expected


TestRules = Rules.TestCase
# Without shrinking, which would outlast a test's time.
TestRules.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
)
