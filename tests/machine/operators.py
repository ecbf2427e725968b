"""What operators do to the line, and what they must be told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from stakeline import clock
from tests.machine.clocks import S
from tests.machine.oracle import text
from tests.machine.scene import TALLY, Scene, body_of
from tests.system import model

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.storage import Mishap
    from tests.system.model import Match, Verdict

# Few names, prices and instants: what happens together is what goes wrong.
NEWEST = "the newest"
NAMES = st.sampled_from(["one", "one", "two", "three", NEWEST, NEWEST, NEWEST, NEWEST])
PRICES = st.sampled_from([150, 195, 200])
AHEAD = st.sampled_from([None, None, -1, 0, 1, 2, 4, 10, 60, 60])
TAGS = st.sampled_from(["none", "none", "none", "none", "right", "wrong"])
MISHAPS: st.SearchStrategy[Mishap] = st.sampled_from(
    [*["none"] * 8, "not committed", "answer lost"]
)
SLOW = st.sampled_from([0, 0, 0, 0, 1000, S])


class Operators(Scene):
    """The line's rules, by HTTP, on a database that fails now and then."""

    def change(
        self,
        name: str,
        judge: Callable[[Match | None, int], Verdict],
        request: tuple[str, str, dict[str, Any], dict[str, str]],
        mishap: Mishap = "none",
        slow_us: int = 0,
    ) -> None:
        """Let an operator ask for a change; the answer must be what the model says."""
        self.asked_before = partial(self.change, name, judge, request)
        storage = self.house.line.storage
        storage.mishap, storage.slow_us = mishap, slow_us
        answer = self.run(self.house.line.ask(*request))
        storage.mishap, storage.slow_us = "none", 0
        body = body_of(answer)
        old = self.matches.get(name)
        verdict, match = judge(old, self.house.time.now)
        TALLY[f"line {verdict}"] += 1
        if verdict not in {"made", "same"}:
            assert body.get("code") == verdict, body
            return
        if mishap != "not committed" and match is not None:
            self.matches[name] = match
        if mishap != "none":
            assert body.get("code") == "unavailable"
        elif match is not None:  # else it is decided to be NEW, which it is
            creates = verdict == "made" and old is None
            assert answer.status_code == (201 if creates else 200), body
            assert answer.headers["etag"] == f'"{match.version}"'

    def put_some(self, aheads: list[int]) -> None:
        """Some events to begin with."""
        self.newest = "one"
        for name, ahead in zip(("one", "two", "three"), aheads, strict=False):
            self.put(name, 200, ahead)

    def decide_all(self) -> None:
        """Give every event a result that has none."""
        for n, (name, match) in enumerate(list(self.matches.items())):
            if match.status == "NEW":
                self.result(name, given(status=("WIN", "LOSE")[n % 2], correction=True))

    def name(self, name: str) -> str:
        """The event's id."""
        return self.newest if name == NEWEST else name

    def at(self, ahead: int | None) -> str | None:
        """So many seconds from now."""
        return None if ahead is None else clock.text(self.house.time.now + ahead * S)

    def us(self, ahead: int | None) -> int | None:
        """The same, in microseconds."""
        return None if ahead is None else self.house.time.now + ahead * S

    def tag(self, name: str, kind: str) -> dict[str, str]:
        """An If-Match header."""
        version = self.matches[name].version if name in self.matches else 1
        wanted = {"right": f'"{version}"', "wrong": f'"{version + 1}"'}
        return {} if kind == "none" else {"If-Match": wanted[kind]}

    @rule(name=NAMES, price=PRICES, ahead=AHEAD, mishap=MISHAPS)
    def create(self, name: str, price: int, ahead: int | None, mishap: Mishap) -> None:
        """POST /events."""
        name = self.name(name)
        terms = given(event_id=name, coefficient=text(price), deadline=self.at(ahead))
        deadline = self.us(ahead)
        self.change(
            name,
            lambda old, now: model.create(old, now, price, deadline),
            ("POST", "/events", terms, {}),
            mishap,
        )

    @rule(price=PRICES, ahead=st.sampled_from([4, 10, 60, 60]))
    def put_on_the_line(self, price: int, ahead: int) -> None:
        """PUT /events/{event_id} of an event that there was not."""
        self.newest = f"event-{len(self.matches)}"
        self.put(self.newest, price, ahead)

    @rule(
        name=NAMES,
        price=st.none() | PRICES,
        ahead=AHEAD,
        kind=TAGS,
        put=st.booleans(),
        mishap=MISHAPS,
        slow_us=SLOW,
    )
    def alter(
        self,
        name: str,
        price: int | None,
        ahead: int | None,
        kind: str,
        mishap: Mishap,
        slow_us: int,
        *,
        put: bool,
    ) -> None:
        """PUT and PATCH /events/{event_id}: deadlines that pass, or passed."""
        self.put(name, price, ahead, kind, mishap, slow_us, method="PUT" if put else "PATCH")

    def put(
        self,
        name: str,
        price: int | None,
        ahead: int | None,
        kind: str = "none",
        mishap: Mishap = "none",
        slow_us: int = 0,
        *,
        method: str = "PUT",
    ) -> None:
        """Other terms."""
        name = self.name(name)
        terms = given(coefficient=price and text(price), deadline=self.at(ahead))
        deadline, tag = self.us(ahead), self.tag(name, kind)

        def judge(old: Match | None, now: int) -> Verdict:
            kind = word(tag, old)
            return model.alter(old, now, price, deadline, kind, may_create=method == "PUT")

        self.change(name, judge, (method, f"/events/{name}", terms, tag), mishap, slow_us)

    @rule(
        name=NAMES,
        status=st.sampled_from(["NEW", "WIN", "WIN", "LOSE", "VOID"]),
        ahead=st.sampled_from([None, None, None, -4, -2, -1, 0, 1]),
        kind=TAGS,
        correction=st.booleans(),
        mishap=MISHAPS,
        slow_us=SLOW,
    )
    def decide(
        self,
        name: str,
        status: str,
        ahead: int | None,
        kind: str,
        mishap: Mishap,
        slow_us: int,
        *,
        correction: bool,
    ) -> None:
        """POST /events/{event_id}/result: a result, or a correction, also to NEW."""
        name = self.name(name)
        ruling = given(status=status, closed_at=self.at(ahead), correction=correction)
        self.result(name, ruling, self.us(ahead), self.tag(name, kind), mishap, slow_us)

    def result(
        self,
        name: str,
        ruling: dict[str, Any],
        said: int | None = None,
        tag: dict[str, str] | None = None,
        mishap: Mishap = "none",
        slow_us: int = 0,
    ) -> None:
        """A result, which the model must agree with; `said` is its closed_at."""
        status, correction = ruling["status"], ruling.get("correction", False)

        def judge(old: Match | None, now: int) -> Verdict:
            return model.decide(old, now, status, said, word(tag, old), correction=correction)

        request = ("POST", f"/events/{name}/result", ruling, tag or {})
        self.change(name, judge, request, mishap, slow_us)

    @rule(name=NAMES, status=st.sampled_from(["WIN", "LOSE"]))
    def first_result(self, name: str, status: str) -> None:
        """POST /events/{event_id}/result, as it mostly is."""
        self.result(self.name(name), given(status=status))

    @precondition(lambda self: hasattr(self, "asked_before"))
    @rule(mishap=MISHAPS)
    def ask_again(self, mishap: Mishap) -> None:
        """The last request once more, as a client does that got no answer."""
        self.asked_before(mishap)


def word(tag: dict[str, str] | None, match: Match | None) -> str:
    """The model's word for an If-Match header."""
    if not tag:
        return "none"
    return "right" if match and tag["If-Match"] == f'"{match.version}"' else "wrong"


def given(**fields: object) -> dict[str, Any]:
    """Only what is said."""
    return {name: value for name, value in fields.items() if value is not None}
