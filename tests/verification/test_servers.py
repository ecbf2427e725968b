"""PostgreSQL's databases as `stakeline verify` finds them: not there, cut off, pooled, changing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from stakeline.bet_maker.app import create_app as create_bet_maker
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.verification import proof
from stakeline.verification.opening import opened
from stakeline.verification.source import Databases, Unverifiable
from tests import databases
from tests.bet_maker.calls import placed, published
from tests.cluster import Cluster
from tests.conftest import Both
from tests.databases import url_of
from tests.faults.betting import both_in
from tests.pooler import pooler
from tests.ports import HOST, free_port
from tests.serving import line_provider, serving, until_ready
from tests.verification import season
from tests.verification.damage import at, complaint, do, run, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stakeline.verification.report import Report
    from tests.verification.conftest import Played

pytestmark = pytest.mark.postgresql
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A server of the test's own, on which its databases are."""
    server = Cluster()
    databases.make_templates(server.url)
    monkeypatch.setenv(databases.SERVER, server.url)
    yield server
    server.close()


def test_a_server_that_is_down() -> None:
    """One line says where it ought to be."""
    port = free_port()
    url = f"postgresql://stakeline:secret@{HOST}:{port}/bets"
    told = complaint("--only", "bet-maker", BET_MAKER_DATABASE_URL=url)
    assert told.startswith(f"bet-maker: {HOST}:{port}/bets: ")
    assert "secret" not in told


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """One line says so."""
    server = url_of(tmp_path, BETS).rpartition("/")[0]
    told = complaint("--only", "bet-maker", BET_MAKER_DATABASE_URL=f"{server}/nowhere")
    assert 'database "nowhere" does not exist' in told


def test_a_database_without_tables(tmp_path: Path) -> None:
    """It is no service's."""
    url = url_of(tmp_path, "empty")
    told = complaint("--only", "line-provider", LINE_PROVIDER_DATABASE_URL=url)
    assert told.endswith(": is not a database of line-provider")


def test_a_wrong_password_is_not_told(cluster: Cluster, tmp_path: Path) -> None:
    """Who was refused is, but not with which password."""
    do(url_of(tmp_path, BETS), "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    access = cluster.folder / "data" / "pg_hba.conf"
    access.write_text(f"host all guarded all scram-sha-256\n{access.read_text()}")
    do(url_of(tmp_path, BETS), "SELECT pg_reload_conf()")
    url = url_of(tmp_path, BETS).replace("stakeline@", "guarded:secret@")
    told = complaint("--only", "bet-maker", BET_MAKER_DATABASE_URL=url)
    assert told.endswith('password authentication failed for user "guarded"')
    assert "secret" not in told


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_connection_that_breaks_off(
    season_played: Played, tmp_path: Path, *, damaged: bool
) -> None:
    """It says so, and what had been found before is not lost."""
    season_played.copied(tmp_path)
    line, bets = url_of(tmp_path, LINE), url_of(tmp_path, BETS)
    if damaged:
        do(line, "UPDATE head SET seq = seq + 1")
    watch = proof.Watch(begin=lambda _: do(bets, TERMINATE))
    if not damaged:
        with pytest.raises(Unverifiable, match=r"bet-maker: .*/t\w+: .*(terminat|closed)"):
            await proof.verify(Databases(line, bets), watch)
        return
    report = await proof.verify(Databases(line, bets), watch)
    assert report.counts == {"head-seq": 1, "unreadable": 1}


def test_one_state_is_read(season_played: Played, tmp_path: Path) -> None:
    """What is committed after the start changes nothing, however it is read."""
    season_played.copied(tmp_path)
    line, bets = url_of(tmp_path, LINE), url_of(tmp_path, BETS)

    def spoil(_: int) -> None:
        do(line, "UPDATE head SET seq = 0; UPDATE events SET coefficient = 777")
        do(bets, "DELETE FROM users; UPDATE bets SET amount = 7; DELETE FROM cursor")

    report = asyncio.run(proof.verify(Databases(line, bets), proof.Watch(begin=spoil)))
    assert list(report.lines())[-1] == "nothing is wrong"
    assert verify(tmp_path)[0] == 1


async def test_nothing_can_be_written(season_played: Played) -> None:
    """The server itself would refuse it."""
    async with opened(BETS, url_of(season_played.folder, BETS)) as source:
        with pytest.raises(Unverifiable, match="read-only transaction"):
            await source.all("DELETE FROM bets")


def test_limits_of_the_server_s_are_put_off(season_played: Played, tmp_path: Path) -> None:
    """A statement of a millisecond would not do for millions of rows."""
    season_played.copied(tmp_path)
    for name in (LINE, BETS):
        database = url_of(tmp_path, name).rpartition("/")[2]
        do(
            url_of(tmp_path, name),
            f"ALTER DATABASE {database} SET idle_in_transaction_session_timeout = 1;"
            f"ALTER DATABASE {database} SET statement_timeout = 1;",
        )
    environment = at(tmp_path)
    assert run(**environment).exit_code == 0


def test_a_pooler_between(cluster: Cluster, tmp_path: Path) -> None:
    """Several verifications share a few connections, and leave nothing on them."""
    asyncio.run(season.play(tmp_path))
    names = {name: url_of(tmp_path, name).rpartition("/")[2] for name in (LINE, BETS)}
    with pooler(cluster, size=2) as pooled:
        urls = Databases(*(pooled.format(names[name]) for name in (LINE, BETS)))

        async def verify_at_once() -> list[Report]:
            return await asyncio.gather(*(proof.verify(urls) for _ in range(6)))

        for report in asyncio.run(verify_at_once()):
            assert (report.clean, report.checked["bets"]) == (True, 11)
        for name in names.values():
            left = "SELECT name FROM pg_prepared_statements UNION ALL SELECT name FROM pg_cursors"
            assert databases.execute(pooled.format(name), left) in ([], [("",)])


async def test_ids_that_a_language_would_sort_otherwise(tmp_path: Path) -> None:
    """Byte by byte is the order, also where columns have another."""
    knows = "SELECT collname FROM pg_collation WHERE collname = 'en-x-icu'"
    if not databases.execute(url_of(tmp_path, LINE), knows):
        pytest.skip("this PostgreSQL knows no language's order (it was built without ICU)")
    async with both_in(tmp_path) as both:
        for event_id in ("Zebra", "ant", "an-t", "an.t", "Ant"):
            await published(both, event_id)
            await placed(both.bets, event_id)
    in_english = 'ALTER TABLE {} ALTER event_id TYPE text COLLATE "en-x-icu"'
    do(url_of(tmp_path, BETS), "ALTER TABLE bets DROP CONSTRAINT bets_event_id_fkey")
    for name, tables in ((LINE, ("events", "feed")), (BETS, ("events", "bets"))):
        for table in tables:
            do(url_of(tmp_path, name), in_english.format(table))
    sort = "SELECT event_id FROM feed ORDER BY event_id"
    found = [event_id for (event_id,) in databases.execute(url_of(tmp_path, LINE), sort)]
    assert found != sorted(found)
    report = await proof.verify(Databases(url_of(tmp_path, LINE), url_of(tmp_path, BETS)))
    assert list(report.lines())[-1] == "nothing is wrong"


async def test_two_engines(tmp_path: Path) -> None:
    """The line on PostgreSQL, the bets in a file."""
    file = tmp_path / "bets.sqlite3"
    file.write_bytes(databases.migrated_file(BETS))
    bets_url = f"sqlite:///{file}"
    async with serving(line_provider(tmp_path)) as line:
        settings = BetMakerSettings(database_url=bets_url, line_provider_url=line.url)
        async with serving(create_bet_maker(settings)) as bets:
            await until_ready(bets)
            await published(Both(line, bets), "derby")
            await placed(bets, "derby")
    report = await proof.verify(Databases(url_of(tmp_path, LINE), bets_url))
    assert list(report.lines())[-1] == "nothing is wrong"
    assert report.checked["receipts held against the log"] == 1
