"""With 100,000 bets every query of bet-maker's API leads over the index that is meant for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from stakeline import clock, ids
from stakeline.auth import Principal
from stakeline.bet_maker import acceptance, bets, events, history, logins, reasons, reports, users
from stakeline.bet_maker.history import Selection
from tests import databases
from tests.bet_maker.replica import NOW, Replica, asked, event, open_replica
from tests.bet_maker.test_reports import BET_ID
from tests.plans import plans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

BETS, EVENTS, BETTORS, USERS, LOGINS = 100_000, 2000, 10, 20_000, 5000
NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {BETS - 1})"
FILL = (
    f"""
INSERT INTO users (user_id, username) {NUMBERS}
SELECT i + 1, 'user' || i FROM n WHERE i > 0 AND i < {USERS}
""",
    f"""
INSERT INTO logins (login_id, account, address, at, failed) {NUMBERS}
SELECT 'login' || i, 'user' || (i / 4), 'address' || (i / 4), {NOW} + i, 1 FROM n
WHERE i < {LOGINS}
""",
    f"""
INSERT INTO bets (bet_id, user_id, key, event_id, amount, coefficient, accept, placed_at,
                  event_version, feed_seq, snapshot, fix_at) {NUMBERS}
SELECT {BET_ID}, 1 + i % {BETTORS}, 'key' || i, 'e' || (i % {EVENTS}), 1000, 195, 'any', us, 1, 0,
       1, us FROM (SELECT i, {NOW} + i * CAST(60000000 AS BIGINT) AS us FROM n) AS at
""",
)
LATER = clock.parse_instant("2090-01-01T00:00:00Z")
SCANS = ("SCAN bets", "Seq Scan on bets", "SCAN users", "SCAN logins")
IN_ORDER = ids.first_bet_id(NOW + 10**11)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def many(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Replica]:
    """Bets of ten users, among many, on two thousand events, half of which are open."""
    async with open_replica(tmp_path_factory.mktemp("many")) as replica:
        await replica.resync(
            *(
                event(f"e{n}", status="NEW" if n % 2 else "LOSE", deadline=LATER + n)
                for n in range(EVENTS)
            )
        )
        async with replica.database.write(within_s=None) as conn:
            for statement in FILL:
                await conn.exec_driver_sql(statement)
        if databases.ENGINE == "postgresql":  # as it does by itself in time, and SQLite does not
            async with replica.database.write(within_s=None) as conn:
                await conn.exec_driver_sql("ANALYZE")
        yield replica


def a_page(**chosen: Any) -> Callable[[AsyncConnection], Awaitable[Any]]:  # noqa: ANN401 - any column
    """A page in the middle of a selection of bets."""
    selection = Selection(**({"user_id": None} | chosen))
    return lambda conn: history.page(conn, IN_ORDER, 100, chosen=selection)


def a_part(**chosen: Any) -> Callable[[AsyncConnection], Awaitable[Any]]:  # noqa: ANN401 - any column
    """The first part of an export of a selection of bets: where it ends, and its lines."""
    selection = Selection(**({"user_id": None} | chosen))

    async def read(conn: AsyncConnection) -> None:
        end = await history.end_of_part(conn, None, 5, chosen=selection)
        assert end is not None
        lines = await history.part(conn, None, end, chosen=selection)
        assert len(lines.splitlines()) == 5 or selection.status is not None

    return read


OF_USER, OF_EVENT, BY_ID = "bets_of_user", "bets_of_event", "bets_pkey sqlite_autoindex_bets_1"
BY_KEY = "bets_user_id_key_key sqlite_autoindex_bets_2"
KNOWN = [asked("e1", user_id=1 + n % 10, key=f"key{n}") for n in range(50)]
CASES: dict[str, tuple[Callable[[AsyncConnection], Awaitable[Any]], str]] = {
    "bets of a user": (a_page(user_id=3), OF_USER),
    "bets of a user by status": (a_page(user_id=3, status="LOST"), OF_USER),
    "bets of a user in a time": (
        a_page(user_id=3, placed_from=NOW, placed_to=NOW + 10**12),
        OF_USER,
    ),
    "bets on an event": (a_page(event_id="e3"), OF_EVENT),
    "bets of a user on an event": (a_page(user_id=3, event_id="e3"), f"{OF_USER} {OF_EVENT}"),
    "everybody's bets": (a_page(), BY_ID),
    "everybody's bets in a time": (a_page(placed_from=NOW, placed_to=NOW + 10**12), BY_ID),
    "a part of a user": (a_part(user_id=3), OF_USER),
    "a part of a user by status": (a_part(user_id=3, status="LOST"), OF_USER),
    "a part on an event": (a_part(event_id="e3"), OF_EVENT),
    "a part of everybody": (a_part(), BY_ID),
    "a part in a time": (a_part(placed_from=NOW, placed_to=NOW + 10**12), BY_ID),
    "a bet": (lambda conn: bets.find(conn, 1, IN_ORDER), f"{BY_ID} {OF_USER}"),
    "repeated keys": (lambda conn: acceptance.repeated(conn, KNOWN), BY_KEY),
    "reasons": (lambda conn: reasons.Reasons.look_up(conn, KNOWN), BY_KEY),
    "open events": (lambda conn: events.page(conn, NOW, (LATER, "e"), 100), "events_open"),
    "an event": (lambda conn: events.find(conn, "e3"), "events_pkey sqlite_autoindex_events_1"),
    "report": (lambda conn: reports.report(conn, NOW, NOW + 10**11, None, 100), BY_ID),
    "users": (lambda conn: users.page(conn, 500, 100), "users_pkey PRIMARY"),
    "who asks": (
        lambda conn: users.check(conn, Principal("", "user", 5)),
        "users_pkey PRIMARY",
    ),
    "a name": (
        lambda conn: users.credentials(conn, "user3"),
        "users_username_key sqlite_autoindex_users_1",
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES)
async def test_a_query_leads_over_its_index(many: Replica, name: str) -> None:
    """And reads no table from its beginning to its end, whatever the values are."""
    ask, index = CASES[name]
    plan = await plans(many.database, ask)
    assert any(one in plan for one in index.split()), plan
    assert not any(scan in plan for scan in SCANS), plan


@pytest.mark.asyncio(loop_scope="module")
async def test_logins_are_counted_over_their_indexes(many: Replica) -> None:
    """Those of an account, and those of an address."""
    plan = await plans(many.database, lambda conn: logins.begin(conn, NOW, "user3", "address7"))
    assert "logins_of_account" in plan
    assert "logins_of_address" in plan


@pytest.mark.asyncio(loop_scope="module")
async def test_accepting_leads_over_keys(many: Replica) -> None:
    """Of users and events; and with SQLite what was inserted is read by its ids."""
    plan = await plans(
        many.database, lambda _: acceptance.accept(many.database, KNOWN, standalone=False)
    )
    used = {
        "postgresql": ["users_pkey", "events_pkey", "bets_user_id_key_key"],
        "sqlite": ["SEARCH users", "sqlite_autoindex_events_1", "sqlite_autoindex_bets_1"],
    }
    assert [index for index in used[databases.ENGINE] if index not in plan] == [], plan
    assert not any(scan in plan for scan in SCANS), plan


@pytest.mark.asyncio(loop_scope="module")
async def test_looking_up_who_asks_leads_over_the_index_of_users(many: Replica) -> None:
    """Of many at once, by a statement that is sent alone."""
    asking = [Principal("", "user", n) for n in range(2, 22)]
    assert await users.good(many.database, asking) == set(asking)
    plan = await plans(many.database, lambda _: users.good(many.database, asking))
    assert "users_pkey" in plan or "PRIMARY" in plan, plan
    assert not any(scan in plan for scan in SCANS), plan
