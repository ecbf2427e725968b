"""`stakeline replay`: a season in the file's order through running services, every bet checked."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stakeline import clock, ids, money
from stakeline.cli import calls, importing, replay_script, services, verifying
from stakeline.cli.replay_play import Play
from stakeline.cli.replay_report import Tally
from stakeline.cli.replay_script import SERVICES, Stakes
from stakeline.cli.replay_wire import BadWire
from stakeline.fixtures import Fixture, Season, UnreadableFile, drawing, files
from stakeline.fixtures.files import Wanted
from stakeline.verification import proof
from stakeline.verification.source import Unverifiable

if TYPE_CHECKING:
    from collections.abc import Sequence

AS_THE_FILE_SAYS, DIFFERENT, FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Options:
    """What a replay is to do.

    Attributes:
        file: of any format that `files` knows.
        users: how many bet on every event.
        stakes: what each of them stakes, such as `10.00`, or anything between two amounts, such as
            `0.50-100.00`.
        wanted: what to take from the file.
        line_provider: the URL of a running line-provider; None to start own services.
        bet_maker: the URL of the bet-maker that follows it; None to start own services.
        concurrency: how many events are in flight at once.
        faults: whether much goes wrong on the way.
        seed: what is drawn by: faults, random stakes, and the results where the format of the file
            has none.
    """

    file: Path
    users: int = 1
    stakes: str = "10.00"
    wanted: Wanted = field(default_factory=Wanted)
    line_provider: str | None = None
    bet_maker: str | None = None
    concurrency: int = 32
    faults: bool = False
    seed: int = 0


def run(options: Options) -> int:
    """Play the season: publish each event, take a bet of every user, bring the result, check.

    With faults, requests are doubled and lost, answers dropped, keys used again, prices and
    deadlines moved and moved back, results corrected and corrected back, and both services killed
    and started again; at the end the money must be the same to the cent, and `stakeline verify`
    finds nothing. What goes wrong is the same for the same seed, file and users; when it does,
    against the work of the services, is not.

    Writes the rows that the reader refused, every difference from the file, and a table to stdout.

    Returns:
        The exit code: 0 if everything is as the file says, 1 if anything differs or a bet was
        refused, 2 if the season could not be played (one line on stderr says why).
    """
    try:
        stakes = _stakes(options)
        season = drawing.with_results(files.load(options.file, options.wanted), options.seed)
        with tempfile.TemporaryDirectory(prefix="stakeline-replay-") as folder:
            tally = asyncio.run(_play_all(season, stakes, options, Path(folder)))
    except (UnreadableFile, calls.Unusable, services.ServiceFailed, Unverifiable) as error:
        typer.echo(f"stakeline replay: {error}", err=True)
        return FAILED
    return _report(season, tally, options.seed)


def _stakes(options: Options) -> Stakes:
    """The stakes, once all options make sense."""
    if (options.line_provider is None) != (options.bet_maker is None):
        raise calls.Unusable("--line-provider and --bet-maker go together: give both, or none")
    if options.faults and options.line_provider is not None:
        raise calls.Unusable("--faults kills services, and so starts its own: give no addresses")
    if options.users < 1 or options.concurrency < 1:
        raise calls.Unusable("--users and --concurrency must be at least 1")
    try:
        return Stakes.parse(options.stakes)
    except ValueError as error:
        raise calls.Unusable(f"--stakes {error}") from None


def _report(season: Season, tally: Tally, seed: int) -> int:
    if not season.results:
        typer.echo(f"the file has no results: they are drawn by seed {seed}")
    if season.refused:
        typer.echo(f"{len(season.refused)} rows of the file were left out:")
    importing.tell_refused(season, season.refused)
    if unplayed := sum(fixture.status is None for fixture in season.fixtures):
        typer.echo(f"{unplayed} fixtures have no result yet and were left out")
    tally.print()
    return DIFFERENT if tally.differences or tally.refusals else AS_THE_FILE_SAYS


async def _play_all(season: Season, stakes: Stakes, options: Options, folder: Path) -> Tally:
    played = [fixture for fixture in season.fixtures if fixture.status is not None]
    if not played:
        raise calls.Unusable(f"{options.file}: no fixture with a result and a price")
    tally = Tally(season.counted)
    for fixture in played:
        users = range(1, options.users + 1)
        tally.expect(fixture, (stakes.of(options.seed, fixture, user) for user in users))
    async with AsyncExitStack() as stack:
        own: services.Running | None = None
        line_url, bet_maker_url = options.line_provider, options.bet_maker
        token = None
        if line_url is None or bet_maker_url is None:
            own = await stack.enter_async_context(
                services.running(folder, private=True, hold=options.faults)
            )
            line_url, bet_maker_url = own.line_provider, own.bet_maker
        else:
            token = calls.given_token()
        wire = partial(BadWire, seed=options.seed, happened=tally.happened)
        reach = partial(calls.service, token=token)
        if options.faults:
            reach = partial(reach, wire=wire)
        at_once = options.concurrency
        line = await stack.enter_async_context(reach("line-provider", line_url, at_once))
        bet_maker = await stack.enter_async_context(reach("bet-maker", bet_maker_url, at_once))
        await line.greet()
        await bet_maker.greet()
        play = Play(
            # With faults: what befalls a request hangs on its path. Nobody else is here then.
            f"seed-{options.seed}" if options.faults else ids.new_event_id(),
            line,
            bet_maker,
            options.users,
            partial(stakes.of, options.seed),
            at_once,
            tally,
        )
        began = clock.steady()
        await _play(play, played, options, own)
        tally.took = clock.steady() - began
    if options.faults:
        await _verify(folder, tally)
    return tally


async def _verify(folder: Path, tally: Tally) -> None:
    """Note what is wrong in the databases, and money that is not as the file says."""
    report = await proof.verify(verifying.databases_of(folder))
    tally.happened["rows verified"] = report.checked.total()
    tally.differences += [f"verify: {offence}" for offence in report.offences]
    tally.differences += [f"verify: {check}: {n} more" for check, n in report.unnamed().items()]
    totals = report.totals.values()
    for what, cents, must in (
        ("staked", sum(total.staked for total in totals), tally.must_stake),
        ("paid", sum(total.paid for total in totals), tally.must_return),
    ):
        if (found := money.decimal(cents)) != must:
            tally.differences.append(f"verify: {found} {what}, by the file {must}")


async def _play(
    play: Play, played: Sequence[Fixture], options: Options, own: services.Running | None
) -> None:
    faults = own if options.faults else None
    kills = replay_script.kills(options.seed, len(played))

    async def kill(service: str) -> None:
        if faults is not None:
            try:
                await faults.restart(service)
            except services.ServiceFailed as error:
                raise calls.Unusable(str(error)) from None
            play.tally.happened[f"kills of {service}"] += 1

    with calls.progress() as bar:
        task = bar.add_task("replay", total=len(played))

        async def play_event(fixture: Fixture) -> None:
            if faults is None:
                script = replay_script.plain(fixture)
            else:
                script = replay_script.faulty(options.seed, fixture)
            await play.event(fixture, script)
            bar.advance(task)
            for service in kills.get(len(play.events), ()):
                await kill(service)

        await calls.each(played, play_event, options.concurrency)
        if faults is not None:
            await calls.each(SERVICES, kill, len(SERVICES))
            await calls.each(play.events, play.again, options.concurrency)
