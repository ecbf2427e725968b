"""Bets by the million, put into the table in SQL: what is measured begins after them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bets
from benchmarks.house import house
from tests import cluster, databases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.house import Ground, House
    from benchmarks.table import Row

# A millisecond apart, in the order of their ids; keys are spread over all that there can be, so
# that new ones fall between them.
_POSTGRESQL = """
SET session_replication_role = replica;
INSERT INTO bets (bet_id, user_id, key, event_id, amount, coefficient, asked_coefficient, accept,
                  placed_at, event_version, feed_seq, snapshot, fix_at)
SELECT left(ms, 8) || '-' || right(ms, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'),
       (ARRAY{users})[1 + n % {user_count}],
       lpad(to_hex(n * (9223372036854775807 / {count})), 16, '0'),
       (ARRAY{events})[1 + n % {event_count}], 1050, 195, 195, 'exact', {began} + n * 1000, 1, 1, 1,
       {began} + n * 1000
FROM (SELECT n, lpad(to_hex({began} / 1000 + n), 12, '0') AS ms
      FROM generate_series(1::bigint, {count}) AS n) AS drawn;
"""
_SQLITE = """
WITH RECURSIVE drawn (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM drawn WHERE n < {count})
INSERT INTO bets (bet_id, user_id, key, event_id, amount, coefficient, asked_coefficient, accept,
                  placed_at, event_version, feed_seq, snapshot, fix_at)
SELECT printf('%08x-%04x-7000-8000-%012x', ({began} / 1000 + n) >> 16,
              ({began} / 1000 + n) & 65535, n),
       json_extract('{users}', '$[' || (n % {user_count}) || ']'),
       printf('%016x', n * (9223372036854775807 / {count})),
       json_extract('{events}', '$[' || (n % {event_count}) || ']'), 1050, 195, 195, 'exact',
       {began} + n * 1000, 1, 1, 1, {began} + n * 1000
FROM drawn
"""
MILLION = 1_000_000
_DAYS_US = 7 * 86_400_000_000


def fill(house: House, count: int, events: Sequence[str]) -> None:
    """Put so many bets on these events into the table, by all users in turn, a week ago."""
    users = list(house.users)
    postgresql = house.database.startswith("postgresql")
    values = {
        "count": count,
        "began": time.time_ns() // 1000 - _DAYS_US,
        "users": users,
        "user_count": len(users),
        "events": str(list(events)) if postgresql else str(list(events)).replace("'", '"'),
        "event_count": len(events),
    }
    if postgresql:
        cluster.run_script(house.database, _POSTGRESQL.format(**values))
        cluster.execute(house.database, "VACUUM ANALYZE bets")
    else:
        databases.execute(house.database, _SQLITE.format(**values))
        databases.execute(house.database, "ANALYZE")


def large(ground: Ground) -> list[Row]:
    """Bets a second with 10 million in the table, beside an empty one."""
    with house(ground, "large-full") as full, house(ground, "large-empty") as empty:
        fill(full, 10 * MILLION, full.events)
        bets.place(full, bets.WARM_S)
        bets.place(empty, bets.WARM_S)
        outcomes = bets.pairs(ground, partial(bets.place, empty), partial(bets.place, full))
    what = "POST /bets with 10 M bets stored, of an empty table"
    return [bets.beside(ground, what, 0.8, outcomes)]
