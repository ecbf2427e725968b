"""`stakeline migrate`: the services' databases to the schema that their code needs."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from stakeline.bet_maker.migrations import SCHEMA as BETS
from stakeline.cli import databases
from stakeline.db import Database, schema
from stakeline.db.schema import Moved
from stakeline.db.unfit import WrongSchema
from stakeline.errors import Unavailable
from stakeline.line_provider.migrations import SCHEMA as LINE
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stakeline.cli.databases import ServiceName
    from stakeline.db.schema import Schema

SCHEMAS: dict[ServiceName, Schema] = {"line-provider": LINE, "bet-maker": BETS}


def run(service: ServiceName | None) -> None:
    """Migrate a service's database, or both, and say on stdout what was done.

    Raises:
        WrongSetting: one could not be migrated; the message names its setting and says why.
    """
    for name in SCHEMAS if service is None else (service,):
        moved = asyncio.run(migrate(name))
        if moved.before == moved.after:
            typer.echo(f"{name}: at schema {moved.after}, nothing to do")
        else:
            typer.echo(f"{name}: from schema {moved.before} to {moved.after}")


async def migrate(service: ServiceName, environment: Mapping[str, str] = os.environ) -> Moved:
    """Bring a service's database to the schema that its code needs; a newer one stays as it is.

    Args:
        service: whose.
        environment: its settings.

    Raises:
        WrongSetting: it could not be; the message names the setting and says why.
    """
    url = databases.url_of(service, environment=environment)
    try:
        return await _migrate(url, SCHEMAS[service])
    except WrongSchema as error:
        reason = str(error)
    except Unavailable as error:
        reason = error.cause
    except OSError as error:
        reason = error.strerror or str(error)
    raise WrongSetting(f"{databases.setting_of(service)}: {reason}")


async def _migrate(url: str, needed: Schema) -> Moved:
    database = Database(url)
    try:
        async with database.read() as conn:
            found = await schema.read(conn, needed.service)
    finally:
        await database.close()
    if found is not None and found.number >= needed.number:
        schema.check_compatible(found, needed)
        return Moved(found.number, found.number)
    from stakeline.db import migrating  # noqa: PLC0415 - Alembic's import is felt at each `up`

    return await migrating.migrate(url, needed)
