"""The `stakeline` command: what it takes, and which module does it."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stakeline import log, settings
from stakeline.bet_maker import app as bet_maker
from stakeline.bet_maker import follower
from stakeline.bet_maker.line import FeedUnreachable, Line
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.cli import importing, replay, up
from stakeline.contract import UnreadableItem
from stakeline.db import Database
from stakeline.errors import Problem, Unavailable
from stakeline.line_provider import app as line_provider
from stakeline.line_provider.settings import Settings as LineProviderSettings
from stakeline.settings import WrongSetting
from stakeline.web import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from stakeline.contract import Cursor

stakeline = typer.Typer(
    help="Takes bets on events at fixed decimal odds and settles each exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
bet_maker_commands = typer.Typer(help="Take bets, following a line-provider or standalone.")
stakeline.add_typer(bet_maker_commands, name="bet-maker")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Descriptor = Annotated[int | None, typer.Option("--fd", hidden=True)]
LINE_PROVIDER = "http://127.0.0.1:8000"


def main() -> None:
    """Run the command; a wrong setting is one line on standard error and exit status 2."""
    try:
        stakeline()
    except WrongSetting as error:
        typer.echo(error, err=True)
        sys.exit(2)


@stakeline.command("up")
def run_both(
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the databases are; ./stakeline-data by default.")
    ] = None,
    line_provider_port: Annotated[int, typer.Option()] = 8000,
    bet_maker_port: Annotated[int, typer.Option()] = 8001,
) -> None:
    """Run both services on this machine, on SQLite, until Ctrl-C."""
    raise typer.Exit(up.run(data_dir, line_provider_port, bet_maker_port))


@stakeline.command("line-provider")
def run_line_provider(host: Host = None, port: Port = None, fd: Descriptor = None) -> None:
    """Run the line: events, their coefficient, deadline and result."""
    chosen = settings.read(LineProviderSettings, host=host, port=port)
    log.configure(chosen.log_level, "line-provider")
    _serve("LINE_PROVIDER", chosen, lambda: line_provider.create_app(chosen), fd)


@bet_maker_commands.callback(invoke_without_command=True)
def run_bet_maker(
    context: typer.Context, host: Host = None, port: Port = None, fd: Descriptor = None
) -> None:
    """Take bets, following a line-provider (BET_MAKER_LINE_PROVIDER_URL) or standalone."""
    if context.invoked_subcommand is not None:
        return
    chosen = settings.read(BetMakerSettings, host=host, port=port)
    log.configure(chosen.log_level, "bet-maker")
    _serve("BET_MAKER", chosen, lambda: bet_maker.create_app(chosen), fd)


@bet_maker_commands.command("resync")
def resync() -> None:
    """Take the line as it now is, after it was lost, restored or replaced."""
    chosen = settings.read(BetMakerSettings)
    if chosen.line_provider_url is None:
        raise WrongSetting("BET_MAKER_LINE_PROVIDER_URL: must be set, to know which line to take")
    try:
        cursor = asyncio.run(_resync(chosen.database_url, chosen.line_provider_url))
    except (FeedUnreachable, UnreadableItem, Problem) as error:
        typer.echo(f"resync: {error} Nothing was changed.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"following epoch {cursor.epoch} from seq {cursor.seq}")


@stakeline.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A football-data.co.uk CSV.")],
    line_provider: Annotated[str, typer.Option(help="Where line-provider is.")] = LINE_PROVIDER,
    price: Annotated[str, typer.Option(help="The column of the home win's odds.")] = "B365H",
) -> None:
    """Bring fixtures and results from a file into a running line-provider."""
    raise typer.Exit(importing.run(file, _url("--line-provider", line_provider), price))


@stakeline.command("replay")
def replay_file(
    file: Annotated[Path, typer.Argument(help="A football-data.co.uk CSV.")],
    users: Annotated[int, typer.Option(min=1, max=10_000, help="Who bet on every event.")] = 1,
    stake: Annotated[str, typer.Option(help="The amount of every bet.")] = "10.00",
    price: Annotated[str, typer.Option(help="The column of the home win's odds.")] = "B365H",
    line_provider: Annotated[str | None, typer.Option(help="A running one, with...")] = None,
    bet_maker: Annotated[str | None, typer.Option(help="...its bet-maker; else own ones.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Events in flight.")] = 32,
) -> None:
    """Play a season through running services and check every bet against the file."""
    options = replay.Options(
        file=file,
        users=users,
        stake=stake,
        price=price,
        line_provider=line_provider and _url("--line-provider", line_provider),
        bet_maker=bet_maker and _url("--bet-maker", bet_maker),
        concurrency=concurrency,
    )
    raise typer.Exit(replay.run(options))


def _serve(
    prefix: str,
    chosen: LineProviderSettings | BetMakerSettings,
    create_app: Callable[[], FastAPI],
    fd: int | None,
) -> None:
    try:
        sock = serving.bind(chosen.host, chosen.port) if fd is None else socket.socket(fileno=fd)
    except OSError as error:
        names = f"{prefix}_HOST, {prefix}_PORT"
        raise WrongSetting(f"{names}: {chosen.host} {chosen.port}: {error.strerror}") from None
    try:
        serving.run(create_app(), sock)
    except OSError as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error.strerror}") from None
    except Unavailable as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {_cause(error)}") from None


def _cause(error: Unavailable) -> str:
    return str(error.__cause__ or error).splitlines()[0]


async def _resync(database_url: str, line_provider_url: str) -> Cursor:
    database, line = Database(database_url), Line(line_provider_url)
    try:
        await bet_maker.prepare(database, standalone=False)
        return await follower.resync(database, line)
    finally:
        await line.close()
        await database.close()


def _url(option: str, url: str) -> str:
    try:
        return settings.http_url(url)
    except ValueError as error:
        raise WrongSetting(f"{option}: {error}") from None
