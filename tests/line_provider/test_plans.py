"""With 100,000 events every query of line-provider's API leads over the index meant for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from stakeline import clock
from stakeline.db import Database
from stakeline.line_provider import events, feed
from tests import databases
from tests.plans import plans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

EVENTS = 100_000
NOW = clock.parse_instant("2026-08-01T18:00:00Z")
NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS - 1})"
FILL = (
    f"""
INSERT INTO events (event_id, coefficient, deadline, status, decided_at, version, created_at,
                    updated_at) {NUMBERS}
SELECT 'e' || i, 195, {NOW} + i, CASE i % 10 WHEN 0 THEN 'NEW' ELSE 'WIN' END,
       CASE i % 10 WHEN 0 THEN NULL ELSE {NOW} END, 1, {NOW} - 1, {NOW} FROM n
""",
    f"""
INSERT INTO feed (seq, at, event_id, version, event, by) {NUMBERS}
SELECT i + 1, {NOW} + i, 'e' || (i / 4), 1 + i % 4, '{{}}', 'operator' FROM n
""",
    f"UPDATE head SET seq = {EVENTS}, at = {NOW + EVENTS - 1}",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def many(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """A long line, a tenth of which is undecided, and a log of as many items."""
    database = Database(databases.url_of(tmp_path_factory.mktemp("many"), "line-provider"))
    await feed.found_log(database)
    async with database.write(within_s=None) as conn:
        for statement in FILL:
            await conn.exec_driver_sql(statement)
    if databases.ENGINE == "postgresql":  # as it does by itself in time, and SQLite does not
        async with database.write(within_s=None) as conn:
            await conn.exec_driver_sql("ANALYZE")
    yield database
    await database.close()


async def followed(conn: AsyncConnection) -> None:
    """What a request of a follower reads."""
    head = await feed.read_head(conn)
    await feed.check(conn, head, 50_000, NOW + 49_999)
    await feed.items(conn, head.epoch, 50_000, 100)


a_page = partial(
    events.page, status=None, bettable=None, now=NOW + 50_000, after=(NOW + 50_000, "e"), limit=100
)
SCANS = ("SCAN events", "SCAN feed", "Seq Scan on events", "Seq Scan on feed")
BY_DEADLINE, BY_ID = "events_by_deadline", "events_pkey sqlite_autoindex_events_1"
CASES: dict[str, tuple[Callable[[AsyncConnection], Awaitable[object]], str]] = {
    "the line": (a_page, BY_DEADLINE),
    "of a status": (partial(a_page, status="NEW"), BY_DEADLINE),
    "bettable": (partial(a_page, bettable=True), f"{BY_DEADLINE} events_undecided"),
    "not bettable": (partial(a_page, bettable=False), BY_DEADLINE),
    "an event": (lambda conn: events.look_up(conn, "e5"), BY_ID),
    "a snapshot's page": (lambda conn: events.in_id_order(conn, "e5", 500), BY_ID),
    "what is due": (lambda conn: events.due(conn, NOW + 100, 100), "events_undecided"),
    "what is due next": (events.soonest_undecided, "events_undecided"),
    "the feed": (followed, "feed_pkey PRIMARY"),
    "a history": (
        lambda conn: feed.history(conn, "e5", 0, 100),
        "feed_event_id_version_key sqlite_autoindex_feed_1",
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES)
async def test_a_query_leads_over_its_index(many: Database, name: str) -> None:
    """And reads no table from its beginning to its end."""
    ask, index = CASES[name]
    plan = await plans(many, ask)
    assert any(one in plan for one in index.split()), plan
    assert not [scan for scan in SCANS if scan in plan], plan
