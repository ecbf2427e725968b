"""`stakeline verify` and `stakeline explain`: which databases are meant, and how they are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import typer

from stakeline import ids
from stakeline.cli import calls, databases
from stakeline.settings import WrongSetting
from stakeline.verification import proof, telling
from stakeline.verification.proof import Watch
from stakeline.verification.source import Databases, Unverifiable

if TYPE_CHECKING:
    from pathlib import Path

    from stakeline.verification.report import Report

Only = Literal["line-provider", "bet-maker"]

CLEAN, WRONG, UNVERIFIABLE = 0, 1, 2


def verify(data_dir: Path | None, only: Only | None, *, as_json: bool) -> int:
    """Verify the databases, and write the report to stdout.

    Args:
        data_dir: the folder of both, in place of their settings.
        only: the one to verify, None for both.
        as_json: write `Report.json` in place of lines for people.

    Returns:
        The exit code: 0 if nothing is wrong, 1 if something is, 2 if a database could not be read
        (one line on stderr says why).

    Raises:
        WrongSetting: a setting names no database.
    """
    chosen = databases_of(data_dir, only)
    try:
        report = asyncio.run(_verify(chosen))
    except Unverifiable as error:
        typer.echo(f"stakeline verify: {error}", err=True)
        return UNVERIFIABLE
    if as_json:
        typer.echo(report.json())
    else:
        for line in report.lines():
            typer.echo(line)
    return CLEAN if report.clean else WRONG


def explain(bet_id: str, data_dir: Path | None, only: Only | None) -> int:
    """Tell a bet's story on stdout.

    Args:
        bet_id: the bet.
        data_dir: the folder of both databases, in place of their settings.
        only: `bet-maker` to do without the line's.

    Returns:
        The exit code: 0; 1 if there is no such bet, 2 if a database could not be read (one line on
        stderr says which).

    Raises:
        WrongSetting: no bet's id, a setting that names no database, or the bets' is left out.
    """
    if only == "line-provider":
        raise WrongSetting("--only: a bet is in bet-maker's database")
    bets = databases.url_of("bet-maker", data_dir)
    line = None if only else databases.url_of("line-provider", data_dir)
    try:
        bet_id = ids.parse_bet_id(bet_id)
    except ValueError as error:
        raise WrongSetting(f"BET_ID: {error}") from None
    try:
        told = asyncio.run(telling.tell(bets, line, bet_id))
    except Unverifiable as error:
        typer.echo(f"stakeline explain: {error}", err=True)
        return UNVERIFIABLE
    if told is None:
        typer.echo("stakeline explain: there is no bet with this id", err=True)
        return WRONG
    for line in told:
        typer.echo(line)
    return CLEAN


async def _verify(chosen: Databases) -> Report:
    with calls.progress() as bar:
        task = bar.add_task("verifying", total=None)
        watch = Watch(
            begin=lambda rows: bar.update(task, total=rows),
            advance=lambda rows: bar.advance(task, rows),
        )
        return await proof.verify(chosen, watch)


def databases_of(data_dir: Path | None, only: Only | None = None) -> Databases:
    """The URLs of both services' databases, or of one: in a folder, or as their settings say.

    Raises:
        WrongSetting: a setting names no database.
    """
    line = bets = None
    if only != "bet-maker":
        line = databases.url_of("line-provider", data_dir)
    if only != "line-provider":
        bets = databases.url_of("bet-maker", data_dir)
    return Databases(line, bets)
