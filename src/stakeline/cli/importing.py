"""`stakeline import`: a file of fixtures into a running line-provider."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from stakeline import clock, contract, errors, money
from stakeline.cli import calls
from stakeline.fixtures import Fixture, Refused, Season, UnreadableFile, files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stakeline.fixtures.files import Wanted

AT_ONCE = 16
"""How many fixtures are under way at the same time."""
MOST_TOLD = 100
"""How many refused rows the report names; the rest are only counted."""

TAKEN, SOME_REFUSED, FAILED = 0, 1, 2
_OUTCOMES = ("created", "changed", "unchanged")


def run(file: Path, line_provider: str, wanted: Wanted) -> int:
    """Bring the fixtures of a file into the line; again changes nothing.

    Writes a report to stdout: how many rows were taken, and of each refused one its place and why,
    up to `MOST_TOLD`.

    Args:
        file: of any format that `files` knows.
        line_provider: the URL of a running line-provider.
        wanted: what to take from the file.

    Returns:
        The exit code: 0 if all rows were taken, 1 if some were refused, 2 if nothing could be done
        (one line on stderr says why).
    """
    try:
        season = files.load(file, wanted)
        outcomes, refused = asyncio.run(_bring_all(season, line_provider))
    except (UnreadableFile, calls.Unusable) as error:
        typer.echo(f"stakeline import: {error}", err=True)
        return FAILED
    return _report(season, outcomes, refused)


def _report(season: Season, outcomes: Counter[str], refused: list[Refused]) -> int:
    counts = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in _OUTCOMES)
    typer.echo(f"{outcomes.total()} rows taken ({counts}), {len(refused)} refused")
    if season.rounded:
        typer.echo(f"{season.rounded} prices had more than two decimals and were rounded")
    tell_refused(season, refused)
    return SOME_REFUSED if refused else TAKEN


def tell_refused(season: Season, refused: Sequence[Refused]) -> None:
    """Write of each refused row its place and why, up to `MOST_TOLD`; then how many more."""
    for row in refused[:MOST_TOLD]:
        typer.echo(f"{season.counted} {row.line}: {row.reason}")
    if len(refused) > MOST_TOLD:
        typer.echo(f"and {len(refused) - MOST_TOLD:,} more")


async def _bring_all(season: Season, line_provider: str) -> tuple[Counter[str], list[Refused]]:
    """What became of the rows, and those that the reader or line-provider refused, by line."""
    outcomes: Counter[str] = Counter()
    refused = list(season.refused)
    token = calls.given_token()
    async with calls.service("line-provider", line_provider, AT_ONCE, token=token) as line:
        await line.greet()
        await _expect_feed(line, line_provider)
        with calls.progress() as bar:
            task = bar.add_task("importing", total=len(season.fixtures))

            async def bring(fixture: Fixture) -> None:
                outcome = await _bring(line, fixture)
                if isinstance(outcome, Refused):
                    refused.append(outcome)
                else:
                    outcomes[outcome] += 1
                bar.advance(task)

            await calls.each(season.fixtures, bring, AT_ONCE)
    return outcomes, sorted(refused, key=lambda row: row.line)


async def _expect_feed(line: calls.Service, url: str) -> None:
    """Nothing, if this is a line-provider; bet-maker has events too, and would find no change.

    Raises:
        calls.Unusable: it has no feed.
    """
    feed = await line.call("GET", "feed?limit=1&wait=0", patience_s=calls.FIRST_PATIENCE_S)
    if feed.status == 404:  # noqa: PLR2004 - HTTP
        raise calls.Unusable(f"line-provider at {url} answers, but has no feed: is it bet-maker?")


async def _bring(line: calls.Service, fixture: Fixture) -> str | Refused:
    """Make the event as the file has it: `created`, `changed`, `unchanged`, or why it cannot be."""
    path = f"events/{fixture.event_id}"
    found = await line.call("GET", path)
    if found.status == 200 and _agrees(found.body, fixture):  # noqa: PLR2004 - HTTP
        return "unchanged"
    terms = {
        "coefficient": money.decimal(fixture.coefficient),
        "deadline": clock.text(fixture.deadline),
        "name": fixture.name,
    }
    steps: list[tuple[str, str, dict[str, Any]]] = [("PUT", path, terms)]
    if fixture.status is not None:
        steps.append(("POST", f"{path}/result", {"status": fixture.status}))
    for method, where, body in steps:
        answer = await line.call(method, where, body)
        if answer.status in calls.LATER:
            raise calls.Unusable(f"line-provider cannot go on: {answer.reason}")
        if answer.status not in {200, 201}:
            return Refused(fixture.line, f"line-provider: {answer.reason}")
    # Not by the status of PUT: repeated after a lost answer, it would find its own event.
    return "created" if found.code == errors.EventNotFound.code else "changed"


def _agrees(body: object, fixture: Fixture) -> bool:
    """Whether the line has all that the file says of a fixture."""
    try:
        event = contract.Event.model_validate(body)
    except ValidationError:
        return False
    return (
        event.coefficient == fixture.coefficient
        and event.deadline == fixture.deadline
        and event.name == fixture.name
        and fixture.status in {None, event.status}
    )
