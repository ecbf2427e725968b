"""`stakeline line-provider` and `stakeline bet-maker`: one service until a signal; and `resync`.

The service's application is imported when it is made: the other one's would be felt at each start.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog
import typer

from stakeline import log, settings
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.cli import workers
from stakeline.db import Database, UnfitDatabase, UnsafeDurability
from stakeline.errors import Problem, Unavailable
from stakeline.line_provider.settings import Settings as LineProviderSettings
from stakeline.settings import WrongSetting
from stakeline.web import binding, serving
from stakeline.web.shares import Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from stakeline.bet_maker.line import Line
    from stakeline.contract import Cursor

logger = structlog.get_logger(__name__)
S = TypeVar("S", bound=LineProviderSettings | BetMakerSettings)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says, in place of settings where it does.

    Attributes:
        host: to listen on.
        port: to listen on.
        workers: how many processes.
        insecure: whether others than this machine may reach it.
        fd: a socket that is bound already, in place of host and port.
        lifeline: the reading end of a pipe; the service ends when the pipe does.
        share: of a worker, where it is seen how many connections each has, and its number: `7:0`.
        wait: whether nothing is read and nothing done until standard input says so.
    """

    host: str | None
    port: int | None
    workers: int | None
    insecure: bool
    fd: int | None
    lifeline: int | None
    share: str | None
    wait: bool


def serve_line_provider(options: Options) -> int:
    """Serve line-provider until SIGTERM or SIGINT.

    Returns:
        The exit status.

    Raises:
        WrongSetting: it cannot start; the message names the setting.
    """
    _hold_hangups()
    if options.wait:
        _wait("stakeline.line_provider.app")
    chosen = _read(LineProviderSettings, options)
    log.configure(chosen.log_level, "line-provider")

    def create_app() -> FastAPI:
        from stakeline.line_provider import app

        return app.create_app(chosen)

    return _serve("LINE_PROVIDER", chosen, create_app, options)


def serve_bet_maker(options: Options) -> int:
    """Serve bet-maker until SIGTERM or SIGINT; as `serve_line_provider`."""
    _hold_hangups()
    if options.wait:
        _wait("stakeline.bet_maker.app")
    chosen = _read(BetMakerSettings, options)
    log.configure(chosen.log_level, "bet-maker")

    def create_app() -> FastAPI:
        from stakeline.bet_maker import app

        return app.create_app(chosen)

    return _serve("BET_MAKER", chosen, create_app, options)


def resync() -> int:
    """Take the line as it now is into bet-maker's database: 0, or 1 if nothing was changed.

    Raises:
        WrongSetting: the settings name no line-provider, or no database that follows one.
    """
    from stakeline.bet_maker.line import FeedUnreachable, Line
    from stakeline.contract import UnreadableItem

    # It listens nowhere, so a service's host does not matter.
    chosen = settings.read(BetMakerSettings, insecure=True)
    if chosen.line_provider_url is None:
        raise WrongSetting("BET_MAKER_LINE_PROVIDER_URL: must be set, to know which line to take")
    try:
        line = Line(chosen.line_provider_url, chosen.line_provider_token)
        cursor = asyncio.run(_resync(chosen.database_url, line))
    except (FeedUnreachable, UnreadableItem, Problem) as error:
        typer.echo(f"resync: {error} Nothing was changed.", err=True)
        return 1
    except UnfitDatabase as error:
        raise WrongSetting(f"BET_MAKER_DATABASE_URL: {error}") from None
    typer.echo(f"following epoch {cursor.epoch} from seq {cursor.seq}")
    return 0


def _hold_hangups() -> None:
    """Let SIGHUP wait until the settings can be read anew, so that none is lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def _wait(app: str) -> None:
    """Import what takes longest, and wait for a byte; without one this process ends."""
    importlib.import_module(app)
    if not os.read(sys.stdin.fileno(), 1):
        sys.exit()


def _read(kind: type[S], options: Options) -> S:
    return settings.read(
        kind,
        host=options.host,
        port=options.port,
        workers=options.workers,
        insecure=options.insecure or None,
    )


def _serve(
    prefix: str,
    chosen: LineProviderSettings | BetMakerSettings,
    create_app: Callable[[], FastAPI],
    options: Options,
) -> int:
    fd = options.fd
    try:
        sock = binding.bind(chosen.host, chosen.port) if fd is None else socket.socket(fileno=fd)
    except OSError as error:
        names = f"{prefix}_HOST, {prefix}_PORT"
        raise WrongSetting(f"{names}: {chosen.host} {chosen.port}: {error.strerror}") from None
    if options.lifeline is not None:
        threading.Thread(target=_end_with, args=[options.lifeline], daemon=True).start()
    if chosen.workers > 1 and options.share is None:
        service = prefix.lower().replace("_", "-")
        insecure = ["--insecure"] if chosen.insecure else []
        with sock:
            return asyncio.run(workers.run(service, sock, chosen.workers, *insecure))
    try:
        with sock:
            app = create_app()
            share = Share.read(options.share) if options.share else None
            serving.run(app, sock, lambda: _take_anew(app, type(chosen), options), share)
    except OSError as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error.strerror}") from None
    except Unavailable as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error.cause}") from None
    except UnsafeDurability as error:
        hint = f"{prefix}_ALLOW_UNSAFE_DURABILITY=1 takes the risk"
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error}; {hint}") from None
    except UnfitDatabase as error:
        raise WrongSetting(f"{prefix}_DATABASE_URL: {error}") from None
    return 0


def _take_anew(
    app: FastAPI, kind: type[LineProviderSettings | BetMakerSettings], options: Options
) -> None:
    """Exchange tokens and secrets for those that settings have now; a wrong one changes none."""
    try:
        app.state.take_secrets(_read(kind, options))
    except WrongSetting as error:
        logger.error("tokens and secrets are kept as they are", why=str(error))  # noqa: TRY400 - one line
    else:
        logger.info("tokens and secrets were read anew")


def _end_with(lifeline: int) -> None:
    """Stop when the command that holds the other end is gone and can no longer do it."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


async def _resync(database_url: str, line: Line) -> Cursor:
    from stakeline.bet_maker import app, follower

    database = Database(database_url)
    try:
        await app.prepare(database, standalone=False)
        return await follower.resync(database, line)
    finally:
        await line.close()
        await database.close()
