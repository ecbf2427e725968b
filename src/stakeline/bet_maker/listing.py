"""The list of events that can be bet on, as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline import clock, contract, db
from stakeline.bet_maker import events, users
from stakeline.bet_maker.standalone import Standalone
from stakeline.web.links import event_cursor
from stakeline.web.written import Moment, Page, WrittenPages

if TYPE_CHECKING:
    from stakeline.auth import Principal
    from stakeline.bet_maker.follower import Follower
    from stakeline.db import Database

Query = tuple[int, tuple[int, str]]
"""How many events, and after which (closed_at, id)."""
OpenEvents = WrittenPages["Principal", Query]

# Both at once: with two look-ups, one after the other, PostgreSQL took a sixth longer.
_LOOK = {
    dialect: f"SELECT * FROM ({events.STATE}) AS line LEFT JOIN ({good}) AS good ON true"  # noqa: S608 - constants
    for dialect, good in users.GOOD.items()
}


def open_events(database: Database, line: Follower | Standalone) -> OpenEvents:
    """The events that can be bet on now, soonest deadline first.

    A page holds until the line is changed, or betting on the first one of its events closes: the
    others close later.
    """
    decides = isinstance(line, Standalone)  # its events, without a number that would tell of it

    async def look(asking: set[Principal]) -> tuple[Moment, set[Principal]]:
        dialect = database.engine.dialect.name
        rows = await database.read_alone(_LOOK[dialect], users.among(dialect, asking))
        moment = Moment(None, 0) if decides else Moment(tuple(rows[0][:-2]), await line.time())
        return moment, users.named(asking, [row[-2:] for row in rows])

    async def read(query: Query) -> Page:
        limit, after = query
        now = await line.time()
        async with database.read(db.QUICK_S) as conn:
            state = None if decides else await events.state(conn)
            found = await events.page(conn, now, after, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return Page.of(
            [contract.event_body(event) for event in found[:limit]],
            event_cursor(last.closed_at, last.event_id) if last else None,
            Moment(state, now),
            until=found[0].closed_at if found else clock.LATEST,
        )

    return WrittenPages(look, read)
