"""`stakeline up`: both services until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import typer

from stakeline import settings
from stakeline.cli import databases, services
from stakeline.cli.services import Running, ServiceFailed
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from pathlib import Path


def run(data_dir: Path | None, line_provider_port: int, bet_maker_port: int) -> int:
    """Serve both until SIGINT or SIGTERM.

    Neither service does anything before the settings of both have been read, so a wrong one is one
    line.

    Returns:
        0; 1 if one of them ended by itself; 2 if a port is taken, or a database cannot be opened.

    Raises:
        WrongSetting: a setting cannot be used; the message names it.
    """
    if data_dir is not None:
        if data_dir.exists() and not data_dir.is_dir():
            raise WrongSetting("--data-dir: is not a folder")
        databases.url_in(data_dir, "line-provider")  # or it cannot be named
    return asyncio.run(_up(data_dir, line_provider_port, bet_maker_port))


def _read_settings() -> None:
    from stakeline.bet_maker.settings import Settings as BetMakerSettings
    from stakeline.line_provider.settings import Settings as LineProviderSettings

    settings.read(LineProviderSettings)
    settings.read(BetMakerSettings, line_provider_url=f"http://{services.HOST}")


async def _up(data_dir: Path | None, line_provider_port: int, bet_maker_port: int) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, told.set)
    stop = asyncio.create_task(told.wait())
    serve = asyncio.create_task(_serve(data_dir, line_provider_port, bet_maker_port))
    await asyncio.wait({stop, serve}, return_when=asyncio.FIRST_COMPLETED)
    if serve.done():
        stop.cancel()
        return serve.result()
    serve.cancel()
    await asyncio.wait({serve})
    return 0


async def _serve(data_dir: Path | None, line_provider_port: int, bet_maker_port: int) -> int:
    try:
        async with services.running(
            data_dir, line_provider_port, bet_maker_port, check=_read_settings
        ) as running:
            _greet(running)
            ended = await running.wait()
            typer.echo(f"stakeline up: {ended} ended by itself; stopping the other", err=True)
    except OSError as error:
        typer.echo(
            f"stakeline up: port {line_provider_port} or {bet_maker_port}: {error.strerror}",
            err=True,
        )
        return services.WRONG_SETTING
    except ServiceFailed as error:
        if error.told:
            return services.WRONG_SETTING
        typer.echo(f"stakeline up: {error}", err=True)
    return 1


def _greet(running: Running) -> None:
    typer.echo(f"line-provider  {running.line_provider}  docs {running.line_provider}/docs")
    typer.echo(f"bet-maker      {running.bet_maker}  docs {running.bet_maker}/docs")
    typer.echo("Ctrl-C stops both.")
