"""Auto-result: events that nobody has decided by their deadline get a result at random.

For demonstrations, and tests of what is built on Stakeline. What is to be decided is read from the
line itself, so there is nothing to remember over a restart; under the head's lock one process
decides, however many there are.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import structlog

from stakeline import clock, db
from stakeline.errors import Unavailable
from stakeline.line_provider import changes, events
from stakeline.line_provider.events import Change, Ruling

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.contract import EventStatus
    from stakeline.line_provider.line import Line

log = structlog.get_logger(__name__)

BY = "auto-result"
"""Who it is in an event's history."""
LOOK_S = 0.5
"""How often it looks for deadlines that were moved, by whichever process."""
MOST = 100
"""How many events one look takes up."""
_OUTCOMES: tuple[EventStatus, ...] = ("WIN", "LOSE")


async def decide_for_ever(line: Line) -> None:
    """Decide every event at its deadline, `WIN` or `LOSE` with even chances; has no end.

    It keeps off events that an operator has decided, also when corrected to `NEW` later, and off
    those that came with a deadline that had passed: nobody could bet on them, and whoever brings
    them (an import) brings their results, too.
    """
    while True:
        try:
            wait_s = await _decide_due(line)
        except Unavailable as problem:
            log.warning("auto-result cannot reach the database", cause=problem.cause)
            wait_s = LOOK_S
        except Exception as error:
            log.exception("auto-result failed", exc_info=error)
            wait_s = LOOK_S
        await asyncio.sleep(wait_s)


async def _decide_due(line: Line) -> float:
    """Decide what is due; how long there is nothing else to do, in seconds."""
    async with line.database.read() as conn:
        now = await db.now(conn)
        soonest = await events.undecided(conn, MOST)
    for event_id, deadline in soonest:
        if deadline > now:
            return min(LOOK_S, (deadline - now) / clock.US_PER_S)
        await _decide(line, event_id)
    return LOOK_S if len(soonest) < MOST else 0


async def _decide(line: Line, event_id: str) -> None:
    status = secrets.choice(_OUTCOMES)

    async def decide(conn: AsyncConnection, now: int) -> Change:
        # Again, now that nobody else can change the line: another process may have been quicker,
        # or an operator, or the deadline may have been moved.
        event = await events.find(conn, event_id)
        if event.decided_at is not None or event.deadline > now:
            return Change(event, made=False)
        return await changes.decide(conn, now, event_id, Ruling(status), None)

    if (await line.change(decide, BY)).made:
        log.info("decided at its deadline", event_id=event_id, status=status)
