"""Exports: a whole selection of bets, of any size, as a stream of NDJSON or CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from stakeline import background, strictjson
from stakeline.bet_maker import history
from stakeline.bet_maker.bodies import BetBody, bet_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.responses import Response

    from stakeline.bet_maker.bets import Bet
    from stakeline.bet_maker.history import Selection
    from stakeline.db import Database

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PAGE = 500
"""How many bets one read brings: all that an export ever has in memory."""

_COLUMNS = list(BetBody.model_fields)
_FORMULA = ("=", "+", "-", "@")


async def export(database: Database, chosen: Selection, media_type: str) -> Response:
    """The selection, newest first: every bet acknowledged before this call is in it once.

    A reader however slow holds up nobody: no read outlasts a page. If one fails on the way the
    connection is cut, so that half an export never looks whole.

    Args:
        database: bet-maker's.
        chosen: which bets.
        media_type: `NDJSON`, or `CSV` with a header line.

    Raises:
        Unavailable: the database cannot be read.
    """
    first = await _page(database, chosen, None)  # before the answer begins, while it can be a 503
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if media_type == CSV:
        headers["Content-Disposition"] = 'attachment; filename="bets.csv"'
        media_type = f"{CSV}; charset=utf-8; header=present"
        return StreamingResponse(_csv(_pages(database, chosen, first)), 200, headers, media_type)
    return StreamingResponse(_ndjson(_pages(database, chosen, first)), 200, headers, media_type)


_Page = tuple["Sequence[Bet]", str | None]


async def _page(database: Database, chosen: Selection, before: str | None) -> _Page:
    async with database.read() as conn:
        return await history.page(conn, chosen, before, PAGE)


async def _pages(
    database: Database, chosen: Selection, first: _Page
) -> AsyncIterator[Sequence[Bet]]:
    found, before = first
    while True:
        yield found
        if before is None:
            return
        found, before = await background.finished(_page(database, chosen, before))


async def _ndjson(pages: AsyncIterator[Sequence[Bet]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(strictjson.dumps(bet_body(bet)) + b"\n" for bet in page)


async def _csv(pages: AsyncIterator[Sequence[Bet]]) -> AsyncIterator[str]:
    """RFC 4180; empty where JSON has null."""
    lines = io.StringIO()
    table = csv.DictWriter(lines, _COLUMNS)
    table.writeheader()
    async for page in pages:
        table.writerows(_cells(bet) for bet in page)
        yield lines.getvalue()
        lines.seek(0)
        lines.truncate()


def _cells(bet: Bet) -> dict[str, object]:
    cells = bet_body(bet)
    if bet.event_id.startswith(_FORMULA):
        # A spreadsheet would compute it. Event ids are the only text that others choose.
        cells["event_id"] = f"'{bet.event_id}"
    return cells
