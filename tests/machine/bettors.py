"""What users ask for, and what they must be told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machine.clocks import S
from tests.machine.operators import MISHAPS, NAMES, SLOW, Operators
from tests.machine.oracle import Slip, Told, judge, possible
from tests.machine.scene import TALLY, body_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

    from tests.machine.storage import Mishap

MAKERS = st.integers(0, 1)
HEARD = st.sampled_from([True, True, True, False])
SEEN = st.sampled_from(["nothing", "nothing", "the price", "the price", "another"])
ACCEPTS = st.sampled_from([None, "exact", "better", "any"])
KEYS = st.sampled_from([None, "k", "new", "new", "new"])
DAWDLES = st.sampled_from([0, 0, 0, 1000, S, 2 * S])


class Bettors(Operators):
    """Bets, by HTTP, at either bet-maker."""

    def __init__(self) -> None:
        super().__init__()
        self.slips: list[Slip] = []

    def slip(self, name: str, seen: str, accept: str | None, key: str | None) -> Slip:
        """A new bet, with a stake that no other has."""
        name = self.name(name)
        cents = 101 + 37 * len(self.slips)
        event = self.checker.bets.events.get(name)
        price = 200 if event is None else event.coefficient
        price = {"nothing": None, "the price": price, "another": 195}[seen]
        key = f"key-{cents}" if key == "new" else key
        slip = Slip(name, cents, price, None if price is None else accept, key)
        self.slips.append(slip)
        return slip

    async def post(self, n: int, slip: Slip, dawdle_us: int = 0) -> Told:
        """One bet at one bet-maker; the answer goes into the log."""
        headers = {} if slip.key is None else {"Idempotency-Key": slip.key}
        at = self.house.time.now + dawdle_us
        answer: httpx2.Response = await self.house.makers[n].ask(
            "POST", "/bets", slip.body(), headers, dawdle_us
        )
        replayed = answer.headers.get("idempotent-replayed") == "true"
        return self.note(Told(slip, at, n, answer.status_code, body_of(answer), replayed))

    def note(self, told: Told) -> Told:
        """Put an answer into the log."""
        TALLY[f"bet {told.verdict}"] += 1
        self.checker.told.append(told)
        return told

    def ask(
        self, n: int, slip: Slip, mishap: Mishap = "none", slow_us: int = 0, dawdle_us: int = 0
    ) -> None:
        """One bet: what is told, and what is there after it, must be what it has to be."""
        storage, before = self.house.makers[n].storage, self.checker.bets
        storage.mishap, storage.slow_us = mishap, slow_us
        told: Told = self.run(self.post(n, slip, dawdle_us))
        struck = storage.mishap != mishap  # what is refused before it is judged writes nothing
        storage.mishap, storage.slow_us = "none", 0
        verdict = judge(slip, told.at, self.ears[n], before)
        assert told.verdict == ("unavailable" if struck else verdict), told
        if verdict == "price_changed" and not struck:
            assert told.body["coefficient"] == before.events[slip.event_id].coefficient
        made = self.checker.look().bets.keys() - before.bets.keys()
        assert len(made) == (verdict == "made" and mishap != "not committed")

    @rule(
        n=MAKERS,
        name=NAMES,
        seen=SEEN,
        accept=ACCEPTS,
        key=KEYS,
        mishap=MISHAPS,
        slow_us=SLOW,
        dawdle_us=DAWDLES,
        heard=HEARD,
    )
    def place(
        self,
        n: int,
        name: str,
        seen: str,
        accept: str | None,
        key: str | None,
        mishap: Mishap,
        slow_us: int,
        dawdle_us: int,
        *,
        heard: bool,
    ) -> None:
        """POST /bets, by a user who may be slow, on a database that may fail."""
        self.hears([n] if heard else [])
        self.ask(n, self.slip(name, seen, accept, key), mishap, slow_us, dawdle_us)

    @rule(n=MAKERS, name=NAMES)
    def place_at_any_price(self, n: int, name: str) -> None:
        """POST /bets, with nothing in its way."""
        self.hears([n])
        self.ask(n, self.slip(name, "nothing", None, "new"))

    @rule(n=MAKERS, name=NAMES, beside_us=st.integers(-1, 1))
    def place_at_the_closing(self, n: int, name: str, beside_us: int) -> None:
        """POST /bets, at the closing as bet-maker reckons it, or a microsecond beside it."""
        self.hears([n])
        for before_us in (3 * S, 0):  # first near it, and heard, so that the fix is still good then
            event = self.checker.bets.events.get(self.name(name))
            left_us = 0 if event is None else event.closed_at - before_us + beside_us
            left_us -= self.ears[n].placed_at(self.house.time.now)
            if 0 < left_us < 20 * S:
                self.house.time.passes(left_us)
                self.hears([n] if before_us else [])
        self.ask(n, self.slip(name, "nothing", None, "new"))

    @precondition(lambda self: any(slip.key for slip in self.slips))
    @rule(n=MAKERS, which=st.integers(0, 9), other=st.booleans(), mishap=MISHAPS)
    def repeat(self, n: int, which: int, mishap: Mishap, *, other: bool) -> None:
        """A bet with a key once more, perhaps at the other bet-maker, perhaps not the same."""
        keyed = [slip for slip in self.slips if slip.key is not None]
        slip = keyed[-1 - which % len(keyed)]
        if other:
            slip = replace(slip, cents=101 + 37 * len(self.slips))
            self.slips.append(slip)
        self.ask(n, slip, mishap)

    @rule(
        name=NAMES,
        makers=st.tuples(MAKERS, MAKERS),
        key=KEYS,
        same=st.booleans(),
        seen=SEEN,
        heard=HEARD,
    )
    def place_together(
        self,
        name: str,
        makers: tuple[int, int],
        key: str | None,
        seen: str,
        *,
        same: bool,
        heard: bool,
    ) -> None:
        """Two bets at once, perhaps one and the same: as if one came after the other."""
        self.hears(makers if heard else [])
        one = self.slip(name, "nothing", None, key)
        two = one if same and key is not None else self.slip(name, seen, "exact", one.key)
        slips, before, at = (one, two), self.checker.bets, self.house.time.now

        async def both() -> list[Told]:
            return await asyncio.gather(*map(self.post, makers, slips))

        told: list[Told] = self.run(both())
        ears = (self.ears[n] for n in makers)
        asked = [(slip, at, ear) for slip, ear in zip(slips, ears, strict=True)]
        assert [one.verdict for one in told] in possible(asked, before)

    @rule(
        n=MAKERS,
        names=st.lists(NAMES, min_size=1, max_size=3),
        keys=st.lists(KEYS, min_size=3, max_size=3),
        mishap=MISHAPS,
        heard=HEARD,
    )
    def place_batch(
        self,
        n: int,
        names: Sequence[str],
        keys: Sequence[str | None],
        mishap: Mishap,
        *,
        heard: bool,
    ) -> None:
        """POST /bets/batch: each gets its own answer, or all the one of the database."""
        self.hears([n] if heard else [])
        slips = [
            self.slip(name, "nothing", None, key) for name, key in zip(names, keys, strict=False)
        ]
        bets = [slip.body() | ({"key": slip.key} if slip.key else {}) for slip in slips]
        at, before, maker = self.house.time.now, self.checker.bets, self.house.makers[n]
        maker.storage.mishap = mishap
        answer = self.run(maker.ask("POST", "/bets/batch", {"bets": bets}))
        struck = maker.storage.mishap != mishap
        maker.storage.mishap = "none"
        told = [
            self._in_batch(slip, at, n, one)
            for slip, one in zip(slips, body_of(answer)["results"], strict=True)
        ]
        verdicts = possible([(slip, at, self.ears[n]) for slip in slips], before)
        if not struck:
            assert [one.verdict for one in told] in verdicts
            return
        assert {one.verdict for one in told} == {"unavailable"}
        made = self.checker.look().bets.keys() - before.bets.keys()
        wanted = {verdict.count("made") for verdict in verdicts}
        assert len(made) in (wanted if mishap == "answer lost" else {0})

    def _in_batch(self, slip: Slip, at: int, n: int, one: dict[str, Any]) -> Told:
        body = one.get("bet") or one["problem"]
        return self.note(Told(slip, at, n, one["status"], body, one.get("replayed", False)))

    @rule(n=MAKERS, limit=st.integers(1, 3), status=st.sampled_from([None, "WON", "VOID"]))
    def read_a_page(self, n: int, limit: int, status: str | None) -> None:
        """I13: one page of a list that is read while bets are being placed, from either."""
        if not hasattr(self, "reading"):
            self.reading: list[str] = []
            self.at_first = self.checker.bets.bets.keys()
            self.next_page = f"/bets?limit={limit}"
        answer = self.run(self.house.makers[n].ask("GET", self.next_page))
        self.reading += [bet["bet_id"] for bet in body_of(answer)]
        assert self.reading == sorted(set(self.reading), reverse=True), "twice, or not in order"
        if "next" in answer.links:
            self.next_page = urljoin("/bets", answer.links["next"]["url"])
            return
        assert self.at_first <= set(self.reading), "a bet was passed over"
        TALLY["lists read to their end"] += 1
        del self.reading
        if status is not None:
            listed = body_of(self.run(self.house.makers[n].ask("GET", f"/bets?status={status}")))
            wanted = [bet for bet in self.all_bets() if bet["status"] == status]
            assert listed == wanted
