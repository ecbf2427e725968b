"""Behind a pooler that gives every transaction another connection: the same as without it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.bet_maker.app import create_app as create_bet_maker
from stakeline.bet_maker.settings import Settings as BetMaker
from stakeline.db import Database, migrating
from stakeline.db.schema import Moved
from stakeline.line_provider.app import create_app as create_line_provider
from stakeline.line_provider.settings import Settings as LineProvider
from tests.cluster import Cluster, execute
from tests.databases import url_of
from tests.migrations.catalogs import catalog
from tests.migrations.schemas import schema_of, with_next
from tests.pooler import pooler
from tests.serving import Served, patiently, serving, until_known, until_ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USERS = 8
ROUNDS = 12


@pytest.fixture
def pooled(cluster: Cluster) -> Iterator[str]:
    """The URL of a pooler that shares two connections of each database among all."""
    with pooler(cluster, size=2) as url:
        yield url


async def test_two_of_each_service_share_two_connections(
    pooled: str, cluster: Cluster, tmp_path: Path
) -> None:
    """Events, bets with their repeats, results: all as it should be, and nothing stays behind."""
    past = [url_of(tmp_path, name, server=cluster.url) for name in ("line-provider", "bet-maker")]
    urls = [pooled.format(url.rpartition("/")[2]) for url in past]
    async with AsyncExitStack() as stack:
        lines = [
            await stack.enter_async_context(
                serving(create_line_provider(LineProvider(database_url=urls[0])))
            )
            for _ in range(2)
        ]
        makers = []
        for line in lines:
            settings = BetMaker(database_url=urls[1], line_provider_url=line.url)
            makers.append(await stack.enter_async_context(serving(create_bet_maker(settings))))
        for maker in makers:
            await until_ready(maker)

        async def use(user: int) -> None:
            line, bets = lines[user % 2], makers[(user + 1) % 2]
            for n in range(ROUNDS):
                event_id = f"{user}-{n}"
                body = {"event_id": event_id, "coefficient": 2}
                await made(line, "/events", body)
                await until_known(bets, event_id)
                bet = {"event_id": event_id, "amount": 1}
                key = {"Idempotency-Key": event_id}
                placed = [
                    await made(maker, "/bets", bet, headers=key)
                    for maker in makers
                    if await until_known(maker, event_id)
                ]
                assert len({one["bet_id"] for one in placed}) == 1
                await made(line, f"/events/{event_id}/result", {"status": "WIN"})
                assert (await patiently(partial(bets.get, "/bets?limit=5"))).status_code == 200
                await until_known(bets, event_id, status="WIN")

        async with asyncio.timeout(90):
            await asyncio.gather(*(use(user) for user in range(USERS)))
        listed = (await makers[0].get("/bets?limit=1000")).json()
    assert Counter(bet["event_id"] for bet in listed) == {
        f"{user}-{n}": 1 for user in range(USERS) for n in range(ROUNDS)
    }
    assert {bet["status"] for bet in listed} <= {"WON", "VOID"}


async def made(service: Served, path: str, body: Any, **more: Any) -> Any:  # noqa: ANN401 - JSON
    """What a request that must succeed gives; on a slow machine not all of many are in time."""
    answer = await patiently(partial(service.post, path, body, **more))
    assert answer.is_success, answer.text
    return answer.json()


async def test_nothing_prepared_or_set_stays_on_the_shared_connections(
    pooled: str, cluster: Cluster, tmp_path: Path
) -> None:
    """The next client of a connection finds it as the server gave it."""
    past = url_of(tmp_path, "line-provider", server=cluster.url)
    url = pooled.format(past.rpartition("/")[2])
    async with serving(create_line_provider(LineProvider(database_url=url))) as line:
        for n in range(20):
            body = {"event_id": str(n), "coefficient": 2}
            assert (await line.post("/events", body)).status_code == 201
        assert (await line.get("/events")).status_code == 200
    for _ in range(4):
        prepared = execute(url, "SELECT count(*) FROM pg_prepared_statements")
        assert prepared == [(0,)]
        (left,) = execute(url, "SELECT current_setting('statement_timeout')")
        assert left == ("0",)


async def test_migrations_take_the_shared_connections(
    pooled: str, cluster: Cluster, tmp_path: Path
) -> None:
    """Several at once, and one that stands apart: no lock is of the session, none is left."""
    url = url_of(tmp_path, "empty", server=cluster.url)
    through = pooled.format(url.rpartition("/")[2])
    index = "'events_by_name', 'events', ['name'], postgresql_concurrently=True"
    needed = with_next(
        schema_of("line-provider"),
        tmp_path,
        f"op.create_index({index})",
        more="stands_apart = True",
    )
    before = needed.number - 1
    moved = await asyncio.gather(*(migrating.migrate(through, needed, before) for _ in range(2)))
    begun = sorted(each.before for each in moved)  # the second may come to it half way
    assert begun[0] == 0 < begun[1] <= before
    assert await migrating.migrate(through, needed) == Moved(before, needed.number)
    made = {fact[2] for fact in catalog(url) if fact[0] == "index"}
    assert "events_by_name" in made
    held = execute(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert held == [(0,)]


async def test_without_a_pooler_statements_are_prepared_once(
    cluster: Cluster, pooled: str, tmp_path: Path
) -> None:
    """Which of the two it is, is found out when the database is opened."""
    url = url_of(tmp_path, "line-provider", server=cluster.url)
    through = pooled.format(url.rpartition("/")[2])
    counts = []
    for each in (url, through):
        opened = Database(each)
        await opened.open()
        for _ in range(3):
            async with opened.read() as conn:
                count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%prep%'"
                counts.append((await conn.exec_driver_sql(count)).scalar_one())
        await opened.close()
    assert counts == [1, 1, 1, 0, 0, 0]
