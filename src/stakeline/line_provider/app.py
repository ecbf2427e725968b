"""line-provider as an application."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from stakeline import background, db
from stakeline.auth import Principal
from stakeline.auth.signing import Signing
from stakeline.auth.static_tokens import StaticTokens
from stakeline.auth.tokens import Tokens
from stakeline.db import Database, schema
from stakeline.errors import Unavailable
from stakeline.line_provider import api, api_feed, auto_result, feed, listing
from stakeline.line_provider.line import Line
from stakeline.line_provider.migrations import SCHEMA
from stakeline.settings import WrongSetting
from stakeline.web import application, guarding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from stakeline.line_provider.settings import Settings

ANYBODY = Principal("anonymous", "anybody")
"""Who asks in open mode."""


def create_app(settings: Settings) -> FastAPI:
    """The service, with a database of its own that it opens when it starts.

    Raises:
        OSError: the database's file cannot be opened.
        UnfitDatabase: at its start, if the database will not do.
    """
    registry = CollectorRegistry()
    database = Database(settings.database_url)
    line = Line(database, settings.default_deadline_s, registry)
    tokens = Tokens(*_tokens(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            await database.open(allow_unsafe=settings.allow_unsafe_durability)
            await schema.check(database, SCHEMA)
            await feed.found_log(database)
            await stack.enter_async_context(line.running())
            if settings.auto_result == "random":
                decide = auto_result.decide_for_ever(line)
                await stack.enter_async_context(background.running(decide))
            if settings.broker_url is not None:
                from stakeline.line_provider.relay import Relay  # noqa: PLC0415 - felt at each start

                relay = Relay(line, settings.broker_url, registry)
                await stack.enter_async_context(relay.running())
            yield

    async def why_not_ready() -> str | None:
        try:
            async with database.read(db.QUICK_S) as conn:
                await feed.read_head(conn)
            await database.check_writable()
        except Unavailable:
            return "the database cannot be used"
        return None

    app = application.create(
        title="line-provider",
        description="The line: events, their coefficient, deadline and result.",
        version=version("stakeline"),
        root_path=settings.root_path,
        host=settings.host,
        outside=settings,
        lifespan=lifespan,
        registry=registry,
        why_not_ready=why_not_ready,
        routers=[api.lean_router, api.router, api_feed.router],
        is_open=settings.is_open,
        token_model=guarding.STATIC,
    )
    app.state.line = line
    app.state.pages = listing.line_pages(database)

    async def admit(token: str | None, *, look_up: bool) -> Principal:  # noqa: ARG001 - no users here
        return ANYBODY if settings.is_open else tokens.read(token)

    def take_secrets(anew: Settings) -> None:
        if anew.is_open != settings.is_open:
            raise WrongSetting(
                "LINE_PROVIDER_JWT_SECRET: open mode begins and ends with a restart only"
            )
        tokens.hold(*_tokens(anew))

    app.state.admit = admit
    app.state.take_secrets = take_secrets
    return app


def _tokens(settings: Settings) -> tuple[StaticTokens, Signing | None]:
    static = StaticTokens({"operator": settings.operator_tokens, "service": settings.feed_tokens})
    if settings.jwt_secret is None:
        return static, None
    return static, Signing(settings.jwt_secret, settings.jwt_previous_secret)
