"""Which code runs on which schema: old code on a newer one, until that says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stakeline.db import migrating
from stakeline.db.unfit import WrongSchema
from tests.databases import url_of
from tests.migrations.schemas import SERVICES, schema_of, with_next
from tests.migrations.test_migrating import stakeline
from tests.serving import bet_maker, line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from stakeline.db.schema import Schema

pytestmark = pytest.mark.parametrize("service", SERVICES)


def app_of(service: str, folder: Path) -> FastAPI:
    """The service, on its database of this test."""
    return line_provider(folder) if service == "line-provider" else bet_maker(folder, None)


async def refusal(service: str, folder: Path) -> str:
    """The line with which the service refuses to start."""
    app = app_of(service, folder)
    with pytest.raises(WrongSchema) as refused:
        async with app.router.lifespan_context(app):
            pass
    return str(refused.value)


def setting_of(service: str) -> str:
    """The environment variable with its database's URL."""
    return f"{service.replace('-', '_').upper()}_DATABASE_URL"


async def test_an_empty_database_is_refused_in_one_line(tmp_path: Path, service: str) -> None:
    """Exit status 2, the setting, and the command to run; nothing is made there."""
    settings = {
        setting_of(service): url_of(tmp_path, "empty"),
        "BET_MAKER_STANDALONE": "1",
    }
    code, out, err = await stakeline(service, "--port", "0", **settings)
    assert (code, out) == (2, "")
    assert err == (
        f"{setting_of(service)}: the database has no tables yet, and schema"
        f" {schema_of(service).number} is needed: run `stakeline migrate {service}`\n"
    )


async def test_an_older_schema_is_refused(
    tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that needs a migration more says which command to run."""
    schema = schema_of(service)
    app = app_of(service, tmp_path)
    needed = with_next(schema, tmp_path, "pass")
    module = f"stakeline.{service.replace('-', '_')}.app.SCHEMA"
    monkeypatch.setattr(module, needed)
    with pytest.raises(WrongSchema) as refused:
        async with app.router.lifespan_context(app):
            pass
    assert str(refused.value) == (
        f"the database is at schema {schema.number}, and schema"
        f" {needed.number} is needed: run `stakeline migrate {service}`"
    )


async def further(folder: Path, service: str, compatible_from: int) -> Schema:
    """The database two migrations further; the last one says whose code it still takes."""
    schema = schema_of(service)
    add = "op.execute('ALTER TABLE events ADD COLUMN more INTEGER')"
    schema = with_next(schema, folder, add, "op.execute('ALTER TABLE events DROP COLUMN more')")
    schema = with_next(schema, folder, "pass", compatible_from=compatible_from)
    await migrating.migrate(url_of(folder, service), schema)
    return schema


async def test_a_newer_schema_is_run_on(tmp_path: Path, service: str) -> None:
    """What was only added to does not disturb the code from before; its `migrate` agrees."""
    newest = await further(tmp_path, service, compatible_from=schema_of(service).number)
    async with serving(app_of(service, tmp_path)) as served:
        assert (await served.get("/readyz")).is_success
    settings = {setting_of(service): url_of(tmp_path, service)}
    told = await stakeline("migrate", service, **settings)
    assert told == (0, f"{service}: at schema {newest.number}, nothing to do\n", "")


async def test_a_schema_that_is_marked_incompatible_is_refused(
    tmp_path: Path, service: str
) -> None:
    """By the service and by its `migrate`; when that migration is undone, both go on."""
    number = schema_of(service).number
    newest = await further(tmp_path, service, compatible_from=number + 1)
    told = (
        f"the database is at schema {newest.number}, which needs code for"
        f" schema {number + 1} at least, and this is for {number}: run a newer stakeline"
    )
    assert await refusal(service, tmp_path) == told
    settings = {setting_of(service): url_of(tmp_path, service)}
    refused = (2, "", f"{setting_of(service)}: {told}\n")
    assert await stakeline("migrate", service, **settings) == refused
    await migrating.downgrade(url_of(tmp_path, service), newest, newest.number - 1)
    async with serving(app_of(service, tmp_path)) as served:
        assert (await served.get("/readyz")).is_success
