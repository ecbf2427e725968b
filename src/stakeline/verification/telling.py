"""One bet's story: what was asked, what the line said, and which rule decided."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from stakeline.verification import fates, replica, said
from stakeline.verification.opening import opened
from stakeline.verification.report import Report
from stakeline.verification.source import Unverifiable
from stakeline.verification.story import Item, Story, lines

if TYPE_CHECKING:
    from stakeline.verification.source import Source

_BET = f"{fates.BETS} WHERE bets.bet_id = :bet_id"
_ROW = "SELECT name, deadline, created_at, updated_at FROM events WHERE event_id = :event_id"
_ITEMS = """
SELECT seq, version, "by", reason, event FROM feed WHERE event_id = :event_id ORDER BY version
"""


async def tell(bets_url: str, line_url: str | None, bet_id: str) -> list[str] | None:
    """A bet's story, line by line; None if there is no bet with this id.

    Args:
        bets_url: bet-maker's database.
        line_url: line-provider's, which tells more; None to do without.
        bet_id: in its canonical form.

    Raises:
        Unverifiable: a database cannot be read.
    """
    async with AsyncExitStack() as stack:
        bets = await stack.enter_async_context(opened("bet-maker", bets_url))
        found = await bets.all(_BET, bet_id=bet_id)
        if not found:
            return None
        report = Report()
        followed = await replica.read_cursor(bets, report)
        rows = await bets.all(_ROW, event_id=found[0].event_id)
        if followed is None or not rows:
            why = "is damaged: `stakeline verify` tells more"
            raise Unverifiable(bets.name, f"{bets.where}: {why}")
        items, why = None, ""
        if line_url is None:
            why = "line-provider's database was not read"
        elif not followed.standalone:
            line = await stack.enter_async_context(opened("line-provider", line_url))
            if await replica.follows(followed, line, report):
                items = await _items(line, found[0].event_id)
            else:
                why = "line-provider's log is not the one that is followed"
        return list(lines(Story(found[0], rows[0], followed, items, why)))


async def _items(line: Source, event_id: str) -> list[Item]:
    return [
        Item(item.seq, item.by, item.reason, event)
        for item in await line.all(_ITEMS, event_id=event_id)
        if (event := said.readable(item.event)) is not None
    ]
