"""The `stakeline` command: what it takes, and which module does it.

A command imports what it needs when it runs: `up` starts three processes, and their start is felt.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stakeline import money, settings
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from stakeline.fixtures.files import Wanted

stakeline = typer.Typer(
    help="Takes bets on events at fixed decimal odds and settles each exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
bet_maker_commands = typer.Typer(help="Take bets, following a line-provider or standalone.")
stakeline.add_typer(bet_maker_commands, name="bet-maker")
user_commands = typer.Typer(help="Who may log in.", no_args_is_help=True)
stakeline.add_typer(user_commands, name="user")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Workers = Annotated[int | None, typer.Option(help="How many processes serve; 1 by default.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Let others than this machine reach it, and do anything.")
]
Descriptor = Annotated[int | None, typer.Option("--fd", hidden=True)]
Lifeline = Annotated[int | None, typer.Option("--lifeline", hidden=True)]
Share = Annotated[str | None, typer.Option("--share", hidden=True)]
Wait = Annotated[bool, typer.Option("--wait", hidden=True)]
File = Annotated[
    Path, typer.Argument(help="A football-data.co.uk CSV, or JSON of OpenLigaDB or The Odds API.")
]
Price = Annotated[
    str | None, typer.Option(help="CSV: the column of the home win's odds.", show_default="B365H")
]
Coefficient = Annotated[
    str | None, typer.Option(help="OpenLigaDB: the odds of every match.", show_default="2.00")
]
Bookmaker = Annotated[
    str | None,
    typer.Option(
        help="The Odds API: whose odds.", show_default="the first that has them, match by match"
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="The folder of both databases, in place of their settings.")
]
Only = Annotated[
    Literal["line-provider", "bet-maker"] | None, typer.Option(help="Read this database alone.")
]


def main() -> None:
    """Run the command; a wrong setting is one line on standard error and exit status 2."""
    # Imports make what stays: to go through it again and again took a tenth of a start.
    gc.set_threshold(100_000, 20, 100)
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
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    insecure: Insecure = False,  # noqa: FBT002 - a flag of the command line
    fd: Descriptor = None,
    lifeline: Lifeline = None,
    share: Share = None,
    wait: Wait = False,  # noqa: FBT002 - likewise
) -> None:
    """Run the line: events, their coefficient, deadline and result."""
    from stakeline.cli import serve

    options = serve.Options(host, port, workers, insecure, fd, lifeline, share, wait)
    raise typer.Exit(serve.serve_line_provider(options))


@bet_maker_commands.callback(invoke_without_command=True)
def run_bet_maker(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    insecure: Insecure = False,  # noqa: FBT002 - a flag of the command line
    fd: Descriptor = None,
    lifeline: Lifeline = None,
    share: Share = None,
    wait: Wait = False,  # noqa: FBT002 - likewise
) -> None:
    """Take bets, following a line-provider (BET_MAKER_LINE_PROVIDER_URL) or standalone."""
    from stakeline.cli import serve

    if context.invoked_subcommand is None:
        options = serve.Options(host, port, workers, insecure, fd, lifeline, share, wait)
        raise typer.Exit(serve.serve_bet_maker(options))


@bet_maker_commands.command("resync")
def resync() -> None:
    """Take the line as it now is, after it was lost, restored or replaced."""
    from stakeline.cli import serve

    raise typer.Exit(serve.resync())


@user_commands.command("add")
def add_user(
    username: Annotated[str, typer.Argument(metavar="NAME")],
    role: Annotated[
        Literal["user", "operator"], typer.Option(help="Who bets, or who runs the line.")
    ] = "user",
    data_dir: DataDir = None,
) -> None:
    """Add a user to bet-maker's database; the password comes from a prompt, or standard input."""
    from stakeline.cli import adding

    raise typer.Exit(adding.run(username, role, data_dir))


@stakeline.command("migrate")
def migrate_databases(
    service: Annotated[
        Literal["line-provider", "bet-maker"] | None,
        typer.Argument(help="Whose database; both by default.", show_default=False),
    ] = None,
) -> None:
    """Bring databases to the schema that the services need; safe while services run."""
    from stakeline.cli import migrate

    migrate.run(service)


@stakeline.command("import")
def import_file(
    file: File,
    line_provider: Annotated[
        str, typer.Option(help="Where line-provider is.")
    ] = "http://127.0.0.1:8000",
    price: Price = None,
    coefficient: Coefficient = None,
    bookmaker: Bookmaker = None,
) -> None:
    """Bring fixtures and results from a file into a running line-provider."""
    from stakeline.cli import importing

    wanted = _wanted(price, coefficient, bookmaker)
    raise typer.Exit(importing.run(file, _url("--line-provider", line_provider), wanted))


@stakeline.command("replay")
def replay_file(
    file: File,
    users: Annotated[int, typer.Option(min=1, max=10_000, help="Who bet on every event.")] = 1,
    stakes: Annotated[
        str, typer.Option(help="The amount of every bet, or two to draw between: 0.50-100.00.")
    ] = "10.00",
    price: Price = None,
    coefficient: Coefficient = None,
    bookmaker: Bookmaker = None,
    line_provider: Annotated[
        str | None, typer.Option(help="A running line-provider; by default an own one.")
    ] = None,
    bet_maker: Annotated[str | None, typer.Option(help="The bet-maker that follows it.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Events in flight.")] = 32,
    faults: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--faults", help="Let much go wrong on the way, kills included.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=999_999_999,
            help="What faults, stakes and results that a file lacks are drawn by.",
        ),
    ] = 0,
) -> None:
    """Play a season through running services and check every bet against the file."""
    from stakeline.cli import replay

    options = replay.Options(
        file=file,
        users=users,
        stakes=stakes,
        wanted=_wanted(price, coefficient, bookmaker),
        line_provider=line_provider and _url("--line-provider", line_provider),
        bet_maker=bet_maker and _url("--bet-maker", bet_maker),
        concurrency=concurrency,
        faults=faults,
        seed=seed,
    )
    raise typer.Exit(replay.run(options))


def _wanted(price: str | None, coefficient: str | None, bookmaker: str | None) -> Wanted:
    from stakeline.fixtures.files import Wanted

    if coefficient is None:
        return Wanted(price, None, bookmaker)
    try:
        hundredths = money.parse_hundredths(coefficient, money.MAX_COEFFICIENT)
    except ValueError as error:
        raise WrongSetting(f"--coefficient {error}") from None
    return Wanted(price, hundredths, bookmaker)


def _url(option: str, url: str) -> str:
    try:
        return settings.http_url(url)
    except ValueError as error:
        raise WrongSetting(f"{option}: {error}") from None


@stakeline.command("verify")
def verify_databases(
    data_dir: DataDir = None,
    only: Only = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Prove from the log up that the databases are as they must be, while services run or not.

    Nothing is changed. Exit status 0: nothing is wrong; 1: something is; 2: a database cannot be
    read, and standard error alone says why.
    """
    from stakeline.cli import verifying

    raise typer.Exit(verifying.verify(data_dir, only, as_json=as_json))


@stakeline.command("explain")
def explain_bet(
    bet_id: Annotated[str, typer.Argument(metavar="BET_ID")],
    data_dir: DataDir = None,
    only: Only = None,
) -> None:
    """Tell in words how a bet came to stand as it does."""
    from stakeline.cli import verifying

    raise typer.Exit(verifying.explain(bet_id, data_dir, only))
