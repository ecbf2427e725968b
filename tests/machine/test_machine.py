"""Both services together, in any order of what can happen: every promise is kept at every step.

On SQLite only: a server's answers take real time, which virtual time does not wait for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from structlog.testing import LogCapture

from stakeline.bet_maker import follower, line
from stakeline.line_provider import api_feed, feed
from tests.machine.bettors import MAKERS, Bettors
from tests.machine.clocks import S, virtual_time
from tests.machine.feed_wire import Fate, Fault, Hold
from tests.machine.operators import MISHAPS, PRICES, SLOW
from tests.machine.oracle import Ear
from tests.machine.scene import PAGE, TALLY
from tests.machine.storage import no_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.storage import Mishap

EXAMPLES = int(os.environ.get("STAKELINE_EXAMPLES", "60"))
STEPS = int(os.environ.get("STAKELINE_STEPS", "50"))
PHASES = [Phase.reuse, Phase.generate]
if "STAKELINE_SHRINK" in os.environ:  # takes minutes
    PHASES.append(Phase.shrink)
FAULTS: st.SearchStrategy[Fault] = st.sampled_from(
    ["none", "none", "none", "none", "request lost", "answer lost", "cut", "doubled"]
)
HOLDS: st.SearchStrategy[Hold] = st.sampled_from(
    ["nowhere", "nowhere", "nowhere", "request", "midway", "answer"]
)
DELAYS = st.sampled_from([0, 0, 0, 0, 1000, S, 6 * S])
FATES = st.builds(Fate, FAULTS, HOLDS, DELAYS, DELAYS, st.integers(0, 3))


class Machine(Bettors):
    """Both services, their operators and users, time, and what goes wrong between them."""

    @initialize(
        aheads=st.lists(st.sampled_from([2, 10, 60, 600]), min_size=2, max_size=3),
        good=st.builds(
            Fate, there_us=st.sampled_from([0, 1000]), back_us=st.sampled_from([0, 1000])
        ),
        weather=st.lists(FAULTS, max_size=3),
        bets=st.sampled_from([0, 1, 2, 2, 2, 2]),
        hold=st.sampled_from(["nowhere", "nowhere", "midway"]),
    )
    def begin(
        self, aheads: list[int], good: Fate, weather: list[Fault], bets: int, hold: Hold
    ) -> None:
        """A line that may change while its first snapshot is read, and mostly some bets."""
        self.connect(good, weather)
        self.put_some(aheads)
        if hold == "midway":
            self.follow(0, Fate(hold=hold))
            for name in [*self.matches, "one"]:
                self.put(name, 195, 60)
                self.put(name, 200, 60)
            self.follow(0, Fate())
            self.everything_holds()
            self.ask(0, self.slip("one", "nothing", None, "new"))  # the line is not all heard yet
        for name in list(self.matches) * bets:
            self.place_at_any_price(bets - 1, name)
            self.everything_holds()

    @rule(n=MAKERS, fate=FATES, mishap=MISHAPS, slow_us=SLOW)
    def follow_with_trouble(self, n: int, fate: Fate, mishap: Mishap, slow_us: int) -> None:
        """A bet-maker asks for the feed, and something happens to it; what is held goes on."""
        holding = self.house.makers[n].wire.holding
        self.follow(n, Fate() if holding else fate, mishap, slow_us)
        TALLY[f"feed {'goes on' if holding else fate.fault}"] += 1

    @rule(n=MAKERS, us=st.sampled_from([0, S]), earlier=st.integers(0, 3))
    def follow_twice(self, n: int, us: int, earlier: int) -> None:
        """A bet-maker hears the line, and later the same again, or what the other one heard."""
        self.hears([n])
        self.house.time.passes(us)
        if not self.house.makers[n].wire.holding:
            self.follow(n, Fate("doubled", earlier=earlier))

    @rule(n=MAKERS, price=PRICES, hold=st.sampled_from(["request", "midway", "answer"]))
    def overtake(self, n: int, price: int, hold: Hold) -> None:
        """A bet-maker hears late what the other one has heard, and more."""
        if not self.house.makers[n].wire.holding:
            self.put_on_the_line(price, 10)
            self.follow(n, Fate(hold=hold))
            self.put(self.newest, 150, 60)
        self.hears([1 - n])
        if self.house.makers[n].wire.holding:
            self.follow(n, Fate())

    @rule(us=st.sampled_from([1, 1000, S, S, 2 * S, 5 * S, 10 * S]), heard=st.integers(0, 4))
    def time_passes(self, us: int, heard: int) -> None:
        """While the bet-makers follow the line, or none does, or one."""
        self.house.time.passes(us)
        self.hears({0: [], 1: [0], 2: [1]}.get(heard, [0, 1]))

    @rule(
        n=MAKERS, what=st.sampled_from(["wall clock", "wall clock", "bet-maker", "line-provider"])
    )
    def host_fails(self, n: int, what: str) -> None:
        """A bet-maker's wall clock is set to another wrong time, or a service is killed.

        It is started again, a bet-maker on a host that was, too; what line-provider had answered
        may still be under way.
        """
        maker = self.house.makers[n]
        if what == "wall clock":
            maker.host.wall_off_us -= 5 * 3600 * S
            return
        killed = maker if what == "bet-maker" else self.house.line
        self.run(killed.kill())
        self.run(killed.start())
        if killed is maker:
            self.ears[n] = Ear()
        TALLY[f"{what} killed"] += 1

    @precondition(lambda self: len(self.checker.bets.bets) > 1)
    @rule()
    def settles(self) -> None:
        """I6, I10: whenever all have heard everything, all is as line-provider says."""
        self.settle()


@pytest.fixture
def log() -> Iterator[LogCapture]:
    """What the services log as a warning or worse."""
    capture, before = LogCapture(), structlog.get_config()
    structlog.configure(
        processors=[capture], wrapper_class=structlog.make_filtering_bound_logger("warning")
    )
    with virtual_time(), no_threads():
        yield capture
    structlog.configure(**before)


@pytest.mark.sqlite
@pytest.mark.no_cover  # it would take twice as long
@pytest.mark.timeout(EXAMPLES * STEPS // 4)
def test_every_promise_is_kept_at_every_step(
    log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to both services, the invariants hold after each step of it."""
    monkeypatch.setattr(follower, "PAUSE_S", 0)
    monkeypatch.setattr(line, "ANSWER_S", 3600.0)  # the machine may stop on the way, in a debugger
    monkeypatch.setattr(line, "PAGE", PAGE)
    monkeypatch.setattr(api_feed, "SNAPSHOT_PAGE", 2)
    monkeypatch.setattr(feed, "LOOK_S", 1.0)  # there is no other process to look for
    TALLY.clear()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )
    print(*(f"{count:>9} {what}" for what, count in sorted(TALLY.items())), sep="\n")  # noqa: T201
    assert TALLY["bet made"] >= EXAMPLES, "a machine in which nothing happens proves nothing"
    # Answers that come seconds late look like a clock that jumps; nothing else may go wrong inside.
    errors = {entry["event"] for entry in log.entries if entry["log_level"] == "error"}
    assert errors <= {"line-provider's clock has jumped"}
