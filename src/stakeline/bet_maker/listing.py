"""The list of events that can be bet on, as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline import clock, contract, db
from stakeline.bet_maker import events
from stakeline.bet_maker.standalone import Standalone
from stakeline.web.links import event_cursor
from stakeline.web.written import Moment, Page, WrittenPages

if TYPE_CHECKING:
    from stakeline.bet_maker.follower import Follower
    from stakeline.db import Database

Query = tuple[int, tuple[int, str]]
"""How many events, and after which (closed_at, id)."""


def open_events(database: Database, line: Follower | Standalone) -> WrittenPages[Query]:
    """The events that can be bet on now, soonest deadline first.

    A page holds until the line is changed, or betting on the first one of its events closes: the
    others close later.
    """
    decides = isinstance(line, Standalone)  # its events, without a number that would tell of it

    async def look() -> Moment:
        if decides:
            return Moment(None, 0)
        return Moment(await events.state_alone(database), await line.time())

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
