"""The line as a list, as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stakeline import clock, contract, db
from stakeline.line_provider import events, feed
from stakeline.web.links import event_cursor
from stakeline.web.written import Moment, Page, WrittenPages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stakeline.contract import EventStatus
    from stakeline.db import Database
    from stakeline.line_provider.events import Event


class Query(NamedTuple):
    """Which events, as `events.page` takes it."""

    status: EventStatus | None
    bettable: bool | None
    after: tuple[int, str]
    limit: int


def line_pages(database: Database) -> WrittenPages[None, Query]:
    """The events of the line, soonest deadline first."""

    async def look(asking: set[None]) -> tuple[Moment, set[None]]:
        return Moment(*await feed.read_head_and_clock(database)), asking

    async def read(query: Query) -> Page:
        async with database.read(db.QUICK_S) as conn:
            moment = Moment(await feed.read_head(conn), await db.now(conn))
            found = await events.page(
                conn,
                status=query.status,
                bettable=query.bettable,
                now=moment.now,
                after=query.after,
                limit=query.limit + 1,
            )
        last = found[query.limit - 1] if len(found) > query.limit else None
        return Page.of(
            [contract.event_body(event) for event in found[: query.limit]],
            event_cursor(last.deadline, last.event_id) if last else None,
            moment,
            until=_until(query, moment, found),
        )

    return WrittenPages(look, read)


def _until(query: Query, moment: Moment, found: Sequence[Event]) -> int:
    """Until when a page holds while the line does not change."""
    if query.bettable is None:
        return clock.LATEST
    if query.bettable:  # until the first of its events has come to its deadline
        return found[0].deadline if found else clock.LATEST
    return moment.now  # others than its own may come to their deadlines, and be on it
