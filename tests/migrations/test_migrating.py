"""How a migration is carried out: whole or not at all, and by one process at a time."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from stakeline.bet_maker.app import prepare
from stakeline.db import Database, migrating
from stakeline.db.schema import Moved
from stakeline.db.unfit import WrongSchema
from stakeline.errors import Unavailable
from tests import databases
from tests.databases import url_of
from tests.migrations.catalogs import catalog
from tests.migrations.schemas import SERVICES, schema_of, with_next
from tests.processes import clean_environment
from tests.serving import bet_maker, line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Both


async def stakeline(*words: str, **settings: str) -> tuple[int, str, str]:
    """The exit status, output and complaints of a `stakeline` command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stakeline", *words),
        env=clean_environment() | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def on_empty_databases(folder: Path) -> dict[str, str]:
    """The settings of both services, whose databases have nothing in them."""
    return {
        "LINE_PROVIDER_DATABASE_URL": url_of(folder, "empty-line"),
        "BET_MAKER_DATABASE_URL": url_of(folder, "empty-bets"),
    }


async def test_the_command_migrates_both_and_says_so(tmp_path: Path) -> None:
    """Once; then there is nothing to do. It can be told to do one of them."""
    settings = on_empty_databases(tmp_path)
    one = await stakeline("migrate", "bet-maker", **settings)
    assert one == (0, f"bet-maker: from schema 0 to {schema_of('bet-maker').number}\n", "")
    assert not catalog(settings["LINE_PROVIDER_DATABASE_URL"])
    code, told, _ = await stakeline("migrate", **settings)
    line, bets = told.splitlines()
    assert (code, line) == (
        0,
        f"line-provider: from schema 0 to {schema_of('line-provider').number}",
    )
    assert bets.endswith("nothing to do")


async def test_several_at_once_migrate_once(tmp_path: Path) -> None:
    """All succeed, and each migration is carried out by one of them."""
    settings = on_empty_databases(tmp_path)
    ended = await asyncio.gather(*(stakeline("migrate", **settings) for _ in range(3)))
    assert [(code, err) for code, _, err in ended] == [(0, "")] * 3
    for service in SERVICES:
        number = schema_of(service).number
        told = [line for _, out, _ in ended for line in out.splitlines() if service in line]
        begun = [line.partition(" from schema ")[2] for line in told if "nothing to do" not in line]
        rest = {line for line in told if "nothing to do" in line}
        assert rest <= {f"{service}: at schema {number}, nothing to do"}, told
        # Who comes to it half way takes the rest: nobody begins where another has begun.
        assert len(begun) == len(set(begun)) >= 1, told
        assert all(one.endswith(f" to {number}") for one in begun), told


@pytest.mark.parametrize("service", SERVICES)
async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, service: str) -> None:
    """What it did before it failed is undone, its number too; mended, it is carried out."""
    url = url_of(tmp_path, service)
    before = catalog(url)
    statement = "op.execute('CREATE TABLE more (id INTEGER PRIMARY KEY)')"
    broken = with_next(schema_of(service), tmp_path, f"{statement}; op.execute('SELECT nothing')")
    with pytest.raises(Unavailable) as failed:
        await migrating.migrate(url, broken)
    assert "nothing" in failed.value.cause
    assert catalog(url) == before
    (tmp_path / "mended").mkdir()
    mended = with_next(schema_of(service), tmp_path / "mended", statement)
    number = mended.number
    assert await migrating.migrate(url, mended) == Moved(number - 1, number)
    assert len(catalog(url)) > len(before)


async def test_an_index_can_be_made_outside_of_a_transaction(tmp_path: Path) -> None:
    """What stands apart is a step of its own, as PostgreSQL wants it for CONCURRENTLY."""
    url, schema = url_of(tmp_path, "bet-maker"), schema_of("bet-maker")
    index = "'bets_by_price', 'bets', ['coefficient']"
    apart = with_next(
        schema,
        tmp_path,
        f"op.create_index({index}, postgresql_concurrently=True)",
        "op.drop_index('bets_by_price', 'bets', postgresql_concurrently=True)",
        more="stands_apart = True",
    )
    before = catalog(url)
    assert await migrating.migrate(url, apart) == Moved(schema.number, apart.number)
    (made,) = catalog(url) - before - {("index", "bets_by_price")}
    assert made[:3] == ("index", "bets", "bets_by_price")
    assert await migrating.downgrade(url, apart, schema.number) == Moved(
        apart.number, schema.number
    )
    assert catalog(url) == before


REMAKE_USERS = """
    op.execute("CREATE TABLE anew (user_id INTEGER NOT NULL PRIMARY KEY, username TEXT) STRICT")
    op.execute("INSERT INTO anew SELECT user_id, username FROM users {where}")
    op.execute("DROP TABLE users")
    op.execute("ALTER TABLE anew RENAME TO users")
"""


async def bet_placed(folder: Path) -> str:
    """The URL of a bet-maker's database with a bet in it."""
    async with serving(bet_maker(folder, None)) as bets:
        answer = await bets.post("/bets", {"event_id": "open", "amount": 1})
        assert answer.status_code == 201
    return url_of(folder, "bet-maker")


@pytest.mark.sqlite
async def test_a_table_that_others_refer_to_can_be_made_anew(tmp_path: Path) -> None:
    """SQLite changes little in a table that is there; who is referred to keeps those who do."""
    url = await bet_placed(tmp_path)
    anew = with_next(schema_of("bet-maker"), tmp_path, REMAKE_USERS.format(where=""))
    await migrating.migrate(url, anew)
    query = "SELECT username FROM bets JOIN users USING (user_id)"
    assert databases.execute(url, query) == [("anonymous",)]


@pytest.mark.sqlite
async def test_a_row_that_others_refer_to_is_not_lost(tmp_path: Path) -> None:
    """A migration after which a bet had no user is undone."""
    url = await bet_placed(tmp_path)
    before = catalog(url)
    losing = with_next(schema_of("bet-maker"), tmp_path, REMAKE_USERS.format(where="WHERE false"))
    with pytest.raises(WrongSchema, match="a row of `bets` would refer to nothing"):
        await migrating.migrate(url, losing)
    assert catalog(url) == before


@pytest.mark.parametrize("service", SERVICES)
async def test_a_database_from_before_migrations_is_left_alone(
    tmp_path: Path, service: str
) -> None:
    """It has tables that no migration made: one line says so, and nothing is done by halves."""
    url = url_of(tmp_path, "old")
    database = Database(url)
    async with database.write() as conn:
        await conn.run_sync(schema_of(service).tables.create_all)
    await database.close()
    before = catalog(url)
    setting = f"{service.replace('-', '_').upper()}_DATABASE_URL"
    code, out, err = await stakeline("migrate", service, **{setting: url})
    assert (code, out) == (2, "")
    assert err.startswith(f"{setting}: the database has a table `")
    assert err.count("\n") == 1
    assert catalog(url) == before


async def test_a_database_is_one_services(tmp_path: Path) -> None:
    """The other one's is neither migrated nor served."""
    url = url_of(tmp_path, "line-provider")
    code, _, err = await stakeline("migrate", "bet-maker", BET_MAKER_DATABASE_URL=url)
    assert code == 2
    assert err == (
        "BET_MAKER_DATABASE_URL: this is line-provider's database: bet-maker needs one of its own\n"
    )


async def test_a_migration_waits_for_its_turn(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody holds the database it is tried again and again, and then carried out."""
    del both
    monkeypatch.setattr(migrating, "_PAUSE_S", 0.05)
    url = url_of(tmp_path, "bet-maker")
    later = with_next(
        schema_of("bet-maker"),
        tmp_path,
        "op.execute('ALTER TABLE bets ADD COLUMN more INTEGER')",
    )
    async with databases.held(url):
        monkeypatch.setattr(migrating, "PATIENCE_S", 0.5)
        with pytest.raises(Unavailable):
            await migrating.migrate(url, later)
        monkeypatch.setattr(migrating, "PATIENCE_S", 60)
        waiting = asyncio.create_task(migrating.migrate(url, later))
        done, _ = await asyncio.wait({waiting}, timeout=1)
        assert not done
    assert await waiting == Moved(later.number - 1, later.number)


async def test_services_start_on_what_was_migrated(tmp_path: Path) -> None:
    """An empty database, migrated by the command, is all that they need."""
    settings = on_empty_databases(tmp_path)
    await stakeline("migrate", **settings)
    for service, url in zip(SERVICES, settings.values(), strict=True):
        assert catalog(url) == catalog(url_of(tmp_path, service))
    database = Database(settings["BET_MAKER_DATABASE_URL"])
    await prepare(database, standalone=True)
    await database.close()
    async with serving(line_provider(tmp_path)) as line:
        assert (await line.get("/readyz")).is_success


async def test_alembic_is_imported_where_migrations_run() -> None:
    """Its import would be felt at every start of a service."""
    code = "import sys, stakeline.cli.serve, stakeline.cli.up; sys.exit('alembic' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0
