"""bet-maker as an application."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from stakeline import background, db
from stakeline.auth.passwords import Passwords, hash_now, parse
from stakeline.auth.signing import Signing
from stakeline.auth.static_tokens import StaticTokens
from stakeline.auth.tokens import Tokens
from stakeline.bet_maker import (
    api,
    api_bets,
    api_reports,
    api_token,
    api_users,
    events,
    limits,
    listing,
    users,
)
from stakeline.bet_maker.api_token import Entrance
from stakeline.bet_maker.follower import Follower
from stakeline.bet_maker.limits import Limits
from stakeline.bet_maker.line import Line
from stakeline.bet_maker.migrations import SCHEMA
from stakeline.bet_maker.pace import Pace
from stakeline.bet_maker.standalone import Standalone
from stakeline.bet_maker.writer import Writer
from stakeline.db import Database, schema
from stakeline.errors import Unauthenticated, Unavailable, UserExists
from stakeline.settings import WrongSetting
from stakeline.sharing import Shared
from stakeline.web import application, guarding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from stakeline.auth import Admission, Principal
    from stakeline.bet_maker.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The service, with a database of its own that it opens when it starts.

    Raises:
        OSError: the database's file cannot be opened.
        UnfitDatabase: at its start, if the database will not do.
        WrongSetting: at its start, if the database was made in the other mode.
    """
    registry = CollectorRegistry()
    database = Database(settings.database_url)
    tokens = Tokens(*_tokens(settings))
    heard = _line(settings)
    follower = None if heard is None else Follower(database, heard, registry)
    line = Standalone(database) if follower is None else follower
    limited = Limits.of(settings)
    writer = Writer(
        *(database, registry),
        standalone=heard is None,
        limits=limited,
        is_one_of_many=settings.workers > 1,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            if heard is not None:
                stack.push_async_callback(heard.close)
            await database.open(allow_unsafe=settings.allow_unsafe_durability)
            await prepare(database, standalone=heard is None, limited=limited)
            await _admit_first(database, settings)
            await stack.enter_async_context(line.running())
            if follower is not None and settings.broker_url is not None:
                from stakeline.broker import Broker  # noqa: PLC0415 - its import is felt at each start

                doorbell = Broker(settings.broker_url, "stakeline doorbell", registry)
                hear = doorbell.hear_for_ever(follower.ring)
                await stack.enter_async_context(background.running(hear))
            await stack.enter_async_context(writer.running())
            yield

    async def why_not_ready() -> str | None:
        try:
            async with database.read(db.QUICK_S) as conn:
                await events.read_cursor(conn)
            await database.check_writable()
        except Unavailable:
            return "the database cannot be used"
        return line.why_stale()

    is_open = settings.is_open
    app = application.create(
        title="bet-maker",
        description="Bets on the line, and their fate.",
        version=version("stakeline"),
        root_path=settings.root_path,
        host=settings.host,
        outside=settings,
        lifespan=lifespan,
        registry=registry,
        why_not_ready=why_not_ready,
        routers=[
            api.lean_router,
            api.router,
            api_bets.router,
            api_bets.lean_router,
            api_bets.large_router,
            api_reports.router,
            *([] if is_open else [api_token.router, api_users.router]),
        ],
        is_open=is_open,
        token_model=guarding.BY_PASSWORD,
    )
    open_events = listing.open_events(database, line)
    app.state.desk = api.Desk(database, writer, line, open_events, Pace.of(settings))
    app.state.admit = _open if is_open else _admission(database, tokens)
    if not is_open:
        app.state.entrance = Entrance(database, tokens, Passwords())

    def take_secrets(anew: Settings) -> None:
        if anew.is_open != is_open:
            raise WrongSetting(
                "BET_MAKER_JWT_SECRET: open mode begins and ends with a restart only"
            )
        tokens.hold(*_tokens(anew))
        if heard is not None:
            heard.token = anew.line_provider_token

    app.state.take_secrets = take_secrets
    return app


async def prepare(database: Database, *, standalone: bool, limited: Limits | None = None) -> None:
    """Make what is missing in the database: the anonymous user, the cursor with the mode.

    Totals that limits are judged by are summed anew.

    Raises:
        WrongSchema: its schema is not one that this code runs on.
        WrongSetting: it was made in the other mode.
    """
    await schema.check(database, SCHEMA)
    async with database.write() as conn:
        await users.found(conn)
        mode = await events.found_cursor(conn, "standalone" if standalone else "following")
    if (mode == "standalone") != standalone:
        raise WrongSetting(f"BET_MAKER_DATABASE_URL: this database was made in {mode} mode")
    if limited is not None:
        await limits.forget(database, limited)


async def _admit_first(database: Database, settings: Settings) -> None:
    """Make the first operator, where settings name one and nobody was there before.

    Raises:
        WrongSetting: there are users, but no secret to know them by.
    """
    async with database.read() as conn:
        if await users.any_yet(conn):
            if settings.jwt_secret is None:
                raise WrongSetting(
                    "BET_MAKER_JWT_SECRET: must be set, since this database has users; without it"
                    " anybody could do anything"
                )
            return
    if settings.first_user_username is None or settings.first_user_password is None:
        return
    hashed = hash_now(parse(settings.first_user_password.get_secret_value()))
    with suppress(UserExists):  # another process was quicker
        async with database.write() as conn:
            now = await db.now(conn)
            await users.add(conn, now, settings.first_user_username, hashed, "operator")


def _line(settings: Settings) -> Line | None:
    if settings.line_provider_url is None:
        return None
    return Line(settings.line_provider_url, settings.line_provider_token)


def _tokens(settings: Settings) -> tuple[StaticTokens, Signing | None]:
    static = StaticTokens({"service": settings.metrics_tokens})
    if settings.jwt_secret is None:
        return static, None
    signing = Signing(settings.jwt_secret, settings.jwt_previous_secret, settings.token_lifetime_s)
    return static, signing


def _admission(database: Database, tokens: Tokens) -> Admission:
    shared = Shared(partial(users.good, database))

    async def admit(token: str | None, *, look_up: bool) -> Principal:
        who = tokens.read(token)
        if look_up and who.role != "service" and who not in await shared.get(who):
            raise Unauthenticated
        return who

    return admit


async def _open(_: str | None, *, look_up: bool) -> Principal:  # noqa: ARG001 - there is nothing to
    return users.ANYBODY
