"""bet-maker as an application."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from stakeline import background, db
from stakeline.bet_maker import api, api_bets, events, users
from stakeline.bet_maker.follower import Follower
from stakeline.bet_maker.line import Line
from stakeline.bet_maker.migrations import SCHEMA
from stakeline.bet_maker.standalone import Standalone
from stakeline.bet_maker.writer import Writer
from stakeline.broker import Broker
from stakeline.db import Database, schema
from stakeline.errors import Unavailable
from stakeline.settings import WrongSetting
from stakeline.web import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

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
    heard = None if settings.line_provider_url is None else Line(settings.line_provider_url)
    follower = None if heard is None else Follower(database, heard, registry)
    line = Standalone(database) if follower is None else follower
    writer = Writer(database, registry, standalone=heard is None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            if heard is not None:
                stack.push_async_callback(heard.close)
            await database.open(allow_unsafe=settings.allow_unsafe_durability)
            await prepare(database, standalone=heard is None)
            await stack.enter_async_context(line.running())
            if follower is not None and settings.broker_url is not None:
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

    app = application.create(
        title="bet-maker",
        description="Bets on the line, and their fate.",
        version=version("stakeline"),
        root_path=settings.root_path,
        lifespan=lifespan,
        registry=registry,
        why_not_ready=why_not_ready,
        routers=[api.router, api_bets.router, api_bets.large_router],
    )
    app.state.desk = api.Desk(database, writer, line)
    return app


async def prepare(database: Database, *, standalone: bool) -> None:
    """Make what is missing in the database: the anonymous user, the cursor with the mode.

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
