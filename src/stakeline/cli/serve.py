"""`stakeline line-provider` and `stakeline bet-maker`: one service until a signal; and `resync`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import typer

from stakeline import log, settings
from stakeline.bet_maker import app as bet_maker
from stakeline.bet_maker import follower
from stakeline.bet_maker.line import FeedUnreachable, Line
from stakeline.bet_maker.settings import Settings as BetMakerSettings
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


def serve_line_provider(
    host: str | None, port: int | None, fd: int | None, lifeline: int | None
) -> None:
    """Serve line-provider until SIGTERM or SIGINT.

    Args:
        host: in place of its setting.
        port: in place of its setting.
        fd: a socket that is bound already, in place of both.
        lifeline: the reading end of a pipe; the service ends when the pipe does.

    Raises:
        WrongSetting: it cannot start; the message names the setting.
    """
    chosen = settings.read(LineProviderSettings, host=host, port=port)
    log.configure(chosen.log_level, "line-provider")
    _serve("LINE_PROVIDER", chosen, lambda: line_provider.create_app(chosen), fd, lifeline)


def serve_bet_maker(
    host: str | None, port: int | None, fd: int | None, lifeline: int | None
) -> None:
    """Serve bet-maker until SIGTERM or SIGINT; as `serve_line_provider`."""
    chosen = settings.read(BetMakerSettings, host=host, port=port)
    log.configure(chosen.log_level, "bet-maker")
    _serve("BET_MAKER", chosen, lambda: bet_maker.create_app(chosen), fd, lifeline)


def resync() -> int:
    """Take the line as it now is into bet-maker's database: 0, or 1 if nothing was changed.

    Raises:
        WrongSetting: the settings name no line-provider, or no database that follows one.
    """
    chosen = settings.read(BetMakerSettings)
    if chosen.line_provider_url is None:
        raise WrongSetting("BET_MAKER_LINE_PROVIDER_URL: must be set, to know which line to take")
    try:
        cursor = asyncio.run(_resync(chosen.database_url, chosen.line_provider_url))
    except (FeedUnreachable, UnreadableItem, Problem) as error:
        typer.echo(f"resync: {error} Nothing was changed.", err=True)
        return 1
    typer.echo(f"following epoch {cursor.epoch} from seq {cursor.seq}")
    return 0


def _serve(
    prefix: str,
    chosen: LineProviderSettings | BetMakerSettings,
    create_app: Callable[[], FastAPI],
    fd: int | None,
    lifeline: int | None,
) -> None:
    try:
        sock = serving.bind(chosen.host, chosen.port) if fd is None else socket.socket(fileno=fd)
    except OSError as error:
        names = f"{prefix}_HOST, {prefix}_PORT"
        raise WrongSetting(f"{names}: {chosen.host} {chosen.port}: {error.strerror}") from None
    if lifeline is not None:
        threading.Thread(target=_end_with, args=[lifeline], daemon=True).start()
    try:
        with sock:
            serving.run(create_app(), sock)
    except OSError as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error.strerror}") from None
    except Unavailable as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error.cause}") from None


def _end_with(lifeline: int) -> None:
    """Stop when the command that holds the other end is gone and can no longer do it."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


async def _resync(database_url: str, line_provider_url: str) -> Cursor:
    database, line = Database(database_url), Line(line_provider_url)
    try:
        await bet_maker.prepare(database, standalone=False)
        return await follower.resync(database, line)
    finally:
        await line.close()
        await database.close()
