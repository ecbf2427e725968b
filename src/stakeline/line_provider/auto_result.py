"""Auto-result: events that nobody has decided by their deadline get a result at random.

For demonstrations, and tests of what is built on Stakeline. What is to be decided is read from the
line itself, so there is nothing to remember over a restart; under the head's lock one process
decides, however many there are.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING

import structlog

from stakeline import clock, db
from stakeline.errors import Overloaded, Problem, Unavailable
from stakeline.line_provider import changes, events
from stakeline.line_provider.events import Ruling
from stakeline.line_provider.line import Asked

if TYPE_CHECKING:
    from stakeline.contract import EventStatus
    from stakeline.line_provider.line import Line

log = structlog.get_logger(__name__)

BY = "auto-result"
"""Who it is in an event's history."""
LOOK_S = 0.5
"""How often it looks for deadlines that were moved, by whichever process."""
MOST = 100
"""How many events share one transaction."""
_OUTCOMES: tuple[EventStatus, ...] = ("WIN", "LOSE")


async def decide_for_ever(line: Line) -> None:
    """Decide every event at its deadline, `WIN` or `LOSE` with even chances; has no end.

    It keeps off events that an operator has decided, also when corrected to `NEW` later, and off
    those whose deadline is not after their creation: mostly an import has brought them, and brings
    their results, too.
    """
    while True:
        try:
            wait_s = await _decide_due(line)
        except (Overloaded, Unavailable) as problem:
            log.warning("auto-result cannot decide now", code=problem.code, cause=problem.cause)
            wait_s = LOOK_S
        except Exception as error:
            log.exception("auto-result failed", exc_info=error)
            wait_s = LOOK_S
        await asyncio.sleep(wait_s)


async def _decide_due(line: Line) -> float:
    """Decide what is due; how long there is nothing else to do, in seconds."""
    async with line.database.read() as conn:
        now, soonest = await db.now(conn), await events.soonest_undecided(conn)
        if soonest is None or soonest > now:
            ahead_s = LOOK_S if soonest is None else (soonest - now) / clock.US_PER_S
            return min(LOOK_S, ahead_s)
        due = await events.due(conn, now, MOST)
    # Each is looked at again once nobody else can change the line: another process may have been
    # quicker, or an operator, or the deadline may have been moved.
    answers = await line.change_all(
        [
            Asked(event_id, partial(changes.decide_due, ruling=Ruling(outcome)), BY)
            for event_id, outcome in ((each, secrets.choice(_OUTCOMES)) for each in due)
        ]
    )
    decided = []
    for answer in answers:
        if isinstance(answer, Problem):
            raise answer
        if answer.made:
            decided.append(answer.event.event_id)
    if decided:
        log.info("decided at their deadlines", events=decided)
    return 0
