"""Playing one event of a replay, from its publication to the check of its bets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stakeline import clock, money
from stakeline.cli import calls
from stakeline.cli.replay_script import AHEAD_S, ahead
from stakeline.errors import BettingClosed, EventNotFound, IdempotencyKeyReused, PriceChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from stakeline.cli.replay_report import Tally
    from stakeline.cli.replay_script import Ruling, Script
    from stakeline.fixtures import Fixture

CREATED, CONFLICT, UNPROCESSABLE = 201, 409, 422
_TAKEN = {200, CREATED}
_PAGE = 1000
_LONGEST_PAUSE_S = 0.1
_UNTIL_IT_STANDS = (EventNotFound.code, PriceChanged.code, BettingClosed.code)
"""A price or deadline that was moved is moved back before the event is decided."""


@dataclass(slots=True)
class Played:
    """An event under way: its bets by their ids, with user and amount in cents."""

    event_id: str
    fixture: Fixture
    script: Script
    acknowledged: list[tuple[str, int, int]] = field(default_factory=list)
    placed_at: int = 0
    settled: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Play:
    """One run through both services.

    Attributes:
        run_id: what tells its events and keys from those of other runs.
        line: line-provider.
        bet_maker: the bet-maker that follows it.
        users: how many bet on every event.
        stake: what a user stakes on a fixture, in cents.
        at_once: how many bets on one event are under way at once.
        tally: what was found so far.
        events: those played so far.
    """

    run_id: str
    line: calls.Service
    bet_maker: calls.Service
    users: int
    stake: Callable[[Fixture, int], int]
    at_once: int
    tally: Tally
    events: list[Played] = field(default_factory=list)

    async def event(self, fixture: Fixture, script: Script) -> None:
        """Play one fixture by its script.

        Raises:
            Unusable: a service does not do its part, so that there is nothing to check.
        """
        played = Played(f"replay-{self.run_id}-{fixture.line}", fixture, script)
        await self._must(
            "POST",
            "events",
            {
                "event_id": played.event_id,
                "coefficient": money.decimal(fixture.coefficient),
                "deadline": ahead(AHEAD_S),
                "name": fixture.name,
            },
        )
        await calls.each([self._move, self._bet], lambda work: work(played), 2)
        await self._pass(played.placed_at)
        for ruling in script.rulings:
            answered = await self._rule(played, ruling)
        decided_at = clock.steady()
        if script.moves or len(script.rulings) > 1:  # or what is settled may be an earlier state
            await self._heard(played.event_id, answered)
        played.settled, settled_at = await self._settled(played.event_id)
        if settled_at is not None:
            self.tally.latencies.append(settled_at - decided_at)
        acknowledged = [(bet_id, amount) for bet_id, _, amount in played.acknowledged]
        self.tally.check(fixture, acknowledged, played.settled)
        await self._repeat(played)
        self.events.append(played)

    async def again(self, played: Played) -> None:
        """Look at a played event's bets once more: nothing may have become of them since."""
        now = await self._all_bets(played.event_id)
        if list(map(_told, now)) != list(map(_told, played.settled)):
            self.tally.differs(played.fixture, "its bets changed after they were settled")

    async def _must(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.line.call(method, path, body)
        if answer.status not in _TAKEN:
            raise calls.Unusable(f"line-provider refuses {path}: {answer.reason}")
        return dict(answer.body)

    async def _move(self, played: Played) -> None:
        """Change the event's price and deadline, as the script says, and change them back."""
        for move in played.script.moves:
            await asyncio.sleep(move.pause_s)
            await self._must("PATCH", f"events/{played.event_id}", move.terms())
            self.tally.happened["prices moved" if move.coefficient else "deadlines moved"] += 1

    async def _bet(self, played: Played) -> None:
        """A bet of every user."""

        async def place(user: int) -> None:
            answer = await self._ask(played, user, self.stake(played.fixture, user))
            if answer.status == CREATED:
                bet_id = str(answer.body["bet_id"])
                played.acknowledged.append((bet_id, user, self.stake(played.fixture, user)))
                placed_at = clock.parse_instant(answer.body["placed_at"])
                played.placed_at = max(played.placed_at, placed_at)
            else:
                self.tally.refusals[answer.code] += 1

        # The first one waits until bet-maker knows the event; the others need not all ask again.
        await place(1)
        await calls.each(range(2, self.users + 1), place, self.at_once)

    async def _ask(
        self, played: Played, user: int | str, amount: int, *, until_it_stands: bool = True
    ) -> calls.Answer:
        bet = {
            "event_id": played.event_id,
            "amount": money.decimal(amount),
            "coefficient": money.decimal(played.fixture.coefficient),
        }
        moved = _UNTIL_IT_STANDS if played.script.moves else (EventNotFound.code,)
        return await self.bet_maker.call(
            "POST",
            "bets",
            bet,
            key=f"{played.event_id}-{user}",
            again_on=moved if until_it_stands else (),
        )

    async def _pass(self, placed_at: int) -> None:
        """Return once line-provider's clock has passed `placed_at`, if that is ever to come.

        A bet counts as placed up to a round trip later than it was: a result that is brought within
        that time voids it. No match ends so soon after a bet, except in a replay.
        """
        give_up_at = clock.steady() + calls.PATIENCE_S * clock.US_PER_S
        while clock.steady() < give_up_at:
            page = await self.line.call("GET", "feed?limit=1&wait=0")
            if page.status != 200:  # noqa: PLR2004 - HTTP
                raise calls.Unusable(f"line-provider does not give its feed: {page.reason}")
            if clock.parse_instant(page.body["received_at"]) > placed_at:
                return
            await asyncio.sleep(_LONGEST_PAUSE_S)

    async def _rule(self, played: Played, ruling: Ruling) -> dict[str, Any]:
        """Bring a result; the event's body after it."""
        body: dict[str, Any] = {"status": ruling.status}
        if len(played.script.rulings) > 1:
            body["correction"] = True
            self.tally.happened["results and corrections"] += 1
        if ruling.closes is not None:
            body["closed_at"] = ahead(-AHEAD_S if ruling.closes == "early" else 24 * AHEAD_S)
        event = await self._must("POST", f"events/{played.event_id}/result", body)
        if ruling.heard:
            await self._heard(played.event_id, event)
        return event

    async def _heard(self, event_id: str, event: dict[str, Any]) -> None:
        """Return once bet-maker knows this version of the event, if that is ever to come."""
        give_up_at = clock.steady() + calls.PATIENCE_S * clock.US_PER_S
        while clock.steady() < give_up_at:
            known = await self.bet_maker.call("GET", f"events/{event_id}")
            if known.status == 200 and _version(known.body) >= _version(event):  # noqa: PLR2004
                return
            await asyncio.sleep(_LONGEST_PAUSE_S / 10)

    async def _repeat(self, played: Played) -> None:
        """Ask for bets again with their keys, as who lost the answers, and once too late."""
        for bet_id, user, amount in played.acknowledged[: played.script.repeats]:
            again = await self._ask(played, user, amount)
            if again.status != CREATED or again.body.get("bet_id") != bet_id:
                what = f"bet {bet_id} was not found again by its key: {again.reason}"
                self.tally.differs(played.fixture, what)
            other = await self._ask(played, user, amount + 1)
            if (other.status, other.code) != (UNPROCESSABLE, IdempotencyKeyReused.code):
                what = f"the key of bet {bet_id} was taken for another bet: {other.reason}"
                self.tally.differs(played.fixture, what)
            late = await self._ask(played, f"late-{user}", amount, until_it_stands=False)
            if (late.status, late.code) != (CONFLICT, BettingClosed.code):
                self.tally.differs(played.fixture, f"a bet came after the result: {late.reason}")
            self.tally.happened["keys used again"] += 2
            self.tally.happened["bets asked for too late"] += 1

    async def _settled(self, event_id: str) -> tuple[list[dict[str, Any]], int | None]:
        """The event's bets once none is pending, and when that was seen; None if it never was."""
        pause_s = 0.01
        give_up_at = clock.steady() + calls.PATIENCE_S * clock.US_PER_S
        while True:
            newest = await self._page(f"bets?event_id={event_id}&limit=1")
            seen_at = clock.steady()
            if not _pending(newest.body):
                bets = await self._all_bets(event_id)
                if not _pending(bets):
                    return bets, seen_at if bets else None
            if seen_at > give_up_at:
                return await self._all_bets(event_id), None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    async def _all_bets(self, event_id: str) -> list[dict[str, Any]]:
        bets: list[dict[str, Any]] = []
        where: str | None = f"bets?event_id={event_id}&limit={_PAGE}"
        while where is not None:
            page = await self._page(where)
            bets += page.body
            where = page.next
        return bets

    async def _page(self, where: str) -> calls.Answer:
        page = await self.bet_maker.call("GET", where)
        if page.status != 200 or not isinstance(page.body, list):  # noqa: PLR2004 - HTTP
            raise calls.Unusable(f"bet-maker does not list the bets: {page.reason}")
        return page


def _pending(bets: list[dict[str, Any]]) -> bool:
    return any(bet.get("status") == "PENDING" for bet in bets)


def _version(event: dict[str, Any]) -> int:
    return int(event["version"].text)


def _told(bet: dict[str, Any]) -> dict[str, Any]:
    """The bet with its numbers as their text, which can be compared."""
    return {name: getattr(value, "text", value) for name, value in bet.items()}
