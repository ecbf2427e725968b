"""The `stakeline` command: what it takes, and which module does it.

A command imports what it needs when it runs: `up` starts three processes, and their start is felt.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stakeline import settings
from stakeline.settings import WrongSetting

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
Lifeline = Annotated[int | None, typer.Option("--lifeline", hidden=True)]
File = Annotated[Path, typer.Argument(help="A football-data.co.uk CSV.")]
Price = Annotated[str, typer.Option(help="The column of the home win's odds.")]


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
    line_provider_port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    bet_maker_port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
) -> None:
    """Run both services on this machine, on SQLite, until Ctrl-C."""
    from stakeline.cli import up

    raise typer.Exit(up.run(data_dir, line_provider_port, bet_maker_port))


@stakeline.command("line-provider")
def run_line_provider(
    host: Host = None, port: Port = None, fd: Descriptor = None, lifeline: Lifeline = None
) -> None:
    """Run the line: events, their coefficient, deadline and result."""
    from stakeline.cli import serve

    serve.serve_line_provider(host, port, fd, lifeline)


@bet_maker_commands.callback(invoke_without_command=True)
def run_bet_maker(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    fd: Descriptor = None,
    lifeline: Lifeline = None,
) -> None:
    """Take bets, following a line-provider (BET_MAKER_LINE_PROVIDER_URL) or standalone."""
    from stakeline.cli import serve

    if context.invoked_subcommand is None:
        serve.serve_bet_maker(host, port, fd, lifeline)


@bet_maker_commands.command("resync")
def resync() -> None:
    """Take the line as it now is, after it was lost, restored or replaced."""
    from stakeline.cli import serve

    raise typer.Exit(serve.resync())


@stakeline.command("import")
def import_file(
    file: File,
    line_provider: Annotated[
        str, typer.Option(help="Where line-provider is.")
    ] = "http://127.0.0.1:8000",
    price: Price = "B365H",
) -> None:
    """Bring fixtures and results from a file into a running line-provider."""
    from stakeline.cli import importing

    raise typer.Exit(importing.run(file, _url("--line-provider", line_provider), price))


@stakeline.command("replay")
def replay_file(
    file: File,
    users: Annotated[int, typer.Option(min=1, max=10_000, help="Who bet on every event.")] = 1,
    stake: Annotated[str, typer.Option(help="The amount of every bet.")] = "10.00",
    price: Price = "B365H",
    line_provider: Annotated[
        str | None, typer.Option(help="A running line-provider; by default an own one.")
    ] = None,
    bet_maker: Annotated[str | None, typer.Option(help="The bet-maker that follows it.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Events in flight.")] = 32,
) -> None:
    """Play a season through running services and check every bet against the file."""
    from stakeline.cli import replay

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


def _url(option: str, url: str) -> str:
    try:
        return settings.http_url(url)
    except ValueError as error:
        raise WrongSetting(f"{option}: {error}") from None
