"""`stakeline replay`: a season in the file's order through running services, every bet checked."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from stakeline import clock, ids, money
from stakeline.cli import calls, services
from stakeline.cli.replay_report import Tally
from stakeline.fixtures import Fixture, Season, UnreadableFile, football_data

AS_THE_FILE_SAYS, DIFFERENT, FAILED = 0, 1, 2

_AHEAD_S = 3600
_PAGE = 1000
_LONGEST_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """What a replay is to do.

    Attributes:
        file: the CSV file.
        users: how many bet on every event.
        stake: what each of them stakes, such as `10.00`.
        price: the column with the home win prices.
        line_provider: the URL of a running line-provider; None to start own services.
        bet_maker: the URL of the bet-maker that follows it; None to start own services.
        concurrency: how many events are in flight at once.
    """

    file: Path
    users: int = 1
    stake: str = "10.00"
    price: str = football_data.DEFAULT_PRICE
    line_provider: str | None = None
    bet_maker: str | None = None
    concurrency: int = 32


def run(options: Options) -> int:
    """Play the season: publish each event, take a bet of every user, bring the result, check.

    Writes the rows that the reader refused, every difference from the file, and a table to stdout.

    Returns:
        The exit code: 0 if everything is as the file says, 1 if anything differs or a bet was
        refused, 2 if the season could not be played (one line on stderr says why).
    """
    try:
        amount = _amount(options)
        season = football_data.load(options.file, options.price)
        with tempfile.TemporaryDirectory(prefix="stakeline-replay-") as folder:
            tally = asyncio.run(_play_all(season, amount, options, Path(folder)))
    except (UnreadableFile, calls.Unusable, services.ServiceFailed) as error:
        typer.echo(f"stakeline replay: {error}", err=True)
        return FAILED
    return _report(season, tally)


def _amount(options: Options) -> int:
    """The stake in cents, once all options make sense."""
    if (options.line_provider is None) != (options.bet_maker is None):
        raise calls.Unusable("--line-provider and --bet-maker go together: give both, or none")
    if options.users < 1 or options.concurrency < 1:
        raise calls.Unusable("--users and --concurrency must be at least 1")
    try:
        return money.parse_hundredths(options.stake, money.MAX_AMOUNT)
    except ValueError as error:
        raise calls.Unusable(f"--stake {error}") from None


def _report(season: Season, tally: Tally) -> int:
    if season.refused:
        typer.echo(f"{len(season.refused)} rows of the file were left out:")
    for row in season.refused:
        typer.echo(f"line {row.line}: {row.reason}")
    if unplayed := sum(fixture.status is None for fixture in season.fixtures):
        typer.echo(f"{unplayed} fixtures have no result yet and were left out")
    tally.print()
    return DIFFERENT if tally.differences or tally.refusals else AS_THE_FILE_SAYS


async def _play_all(season: Season, amount: int, options: Options, folder: Path) -> Tally:
    played = [fixture for fixture in season.fixtures if fixture.status is not None]
    if not played:
        raise calls.Unusable(f"{options.file}: no fixture with a result and a price")
    async with AsyncExitStack() as stack:
        line_url, bet_maker_url = options.line_provider, options.bet_maker
        if line_url is None or bet_maker_url is None:
            own = await stack.enter_async_context(services.running(folder, quiet=True))
            line_url, bet_maker_url = own.line_provider, own.bet_maker
        at_once = options.concurrency
        line = await stack.enter_async_context(calls.service("line-provider", line_url, at_once))
        bet_maker = await stack.enter_async_context(
            calls.service("bet-maker", bet_maker_url, at_once)
        )
        await line.greet()
        await bet_maker.greet()
        play = _Play(options, amount, line, bet_maker)
        bar = stack.enter_context(calls.progress())
        task = bar.add_task("replay", total=len(played))

        async def play_event(fixture: Fixture) -> None:
            await play.event(fixture)
            bar.advance(task)

        began = clock.steady()
        await calls.each(played, play_event, at_once)
        play.tally.took = clock.steady() - began
        return play.tally


@dataclass(slots=True)
class _Play:
    """One run: its own event ids, both services, and what was found so far."""

    options: Options
    amount: int
    line: calls.Service
    bet_maker: calls.Service
    run_id: str = field(default_factory=ids.new_event_id)
    tally: Tally = field(default_factory=Tally)

    async def event(self, fixture: Fixture) -> None:
        """Play one fixture from its publication to the check of its bets.

        Raises:
            Unusable: a service does not do its part, so that there is nothing to check.
        """
        event_id = f"replay-{self.run_id}-{fixture.line}"
        await self._must(
            "events",
            {
                "event_id": event_id,
                "coefficient": money.decimal(fixture.coefficient),
                "deadline": clock.text(clock.now() + _AHEAD_S * clock.US_PER_S),
                "name": fixture.name,
            },
        )
        acknowledged, placed_at = await self._bets(event_id, fixture)
        await self._pass(placed_at)
        await self._must(f"events/{event_id}/result", {"status": fixture.status})
        decided_at = clock.steady()
        listed, settled_at = await self._settled(event_id)
        if settled_at is not None:
            self.tally.latencies.append(settled_at - decided_at)
        self.tally.check(fixture, self.amount, acknowledged, listed)

    async def _must(self, path: str, body: dict[str, Any]) -> None:
        answer = await self.line.call("POST", path, body)
        if answer.status not in {200, 201}:
            raise calls.Unusable(f"line-provider refuses {path}: {answer.reason}")

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

    async def _bets(self, event_id: str, fixture: Fixture) -> tuple[list[str], int]:
        """A bet of every user: the ids of those acknowledged, and when the last was placed."""
        acknowledged: list[str] = []
        placed_at = 0
        bet = {
            "event_id": event_id,
            "amount": money.decimal(self.amount),
            "coefficient": money.decimal(fixture.coefficient),
        }

        async def place(user: int) -> None:
            nonlocal placed_at
            answer = await self.bet_maker.call(
                "POST", "bets", bet, key=f"{event_id}-{user}", until_known=True
            )
            if answer.status == 201:  # noqa: PLR2004 - HTTP
                acknowledged.append(str(answer.body["bet_id"]))
                placed_at = max(placed_at, clock.parse_instant(answer.body["placed_at"]))
            else:
                self.tally.refusals[answer.code] += 1

        # The first one waits until bet-maker knows the event; the others need not all ask again.
        await place(1)
        await calls.each(range(2, self.options.users + 1), place, self.options.concurrency)
        return acknowledged, placed_at

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
