"""Exports: a whole list, of any size, as a stream of NDJSON or CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.responses import Response, StreamingResponse

from stakeline import background, errors
from stakeline.web import accepting
from stakeline.web.documenting import NEXT, answer, header, lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request

    from stakeline.db import Database
    from stakeline.web.documenting import Said

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
_VARIES = header("Vary", "Accept chooses the form.", enum=["Accept"])
PAGE = 5000
"""How many rows one read brings: with as many again as are read at once all that is in memory."""

# What a spreadsheet would compute, the signs' full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Place = TypeVar("Place")
Rows = Sequence[str]
"""Each as its JSON."""
Page = tuple[Rows, Place | None]
_READ = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


def form_of(request: Request) -> str:
    """Which form of a list is asked for: `JSON`, or `NDJSON` or `CSV` of the whole of it.

    Raises:
        InvalidRequest: the whole of it, and a limit or a cursor.
    """
    form = accepting.preferred(request.headers.getlist("accept"), [JSON, NDJSON, CSV])
    if form != JSON:
        for name in request.query_params.keys() & {"limit", "cursor"}:
            raise errors.InvalidRequest.of(f"query.{name}", "an export has no pages")
    return form


def in_docs(body: type[BaseModel], *links: Said) -> dict[int | str, dict[str, Any]]:
    """What a list of such bodies is answered with, for its docs: pages, and forms besides JSON."""
    forms = lines(body.model_json_schema(mode="serialization"))
    content = forms | {CSV: {"schema": {"type": "string"}}}
    return {200: answer("A page, or the whole.", NEXT, _VARIES, *links, content=content)}


def array(rows: Sequence[str], headers: dict[str, str]) -> Response:
    """A page as JSON."""
    body = f"[{','.join(rows)}]"
    return Response(body, 200, headers | {"Vary": "Accept"}, media_type=JSON)


async def stream(
    parts: AsyncGenerator[str, None], media_type: str, *, name: str, columns: type[BaseModel]
) -> Response:
    """A whole list as one stream.

    If a part fails on the way the connection is cut, so that half an export never looks whole.

    Args:
        parts: of `in_turn` or `side_by_side`.
        media_type: `NDJSON`, or `CSV` with a header line.
        name: of the file, without its ending.
        columns: what a row is.

    Raises:
        Unavailable: the database cannot be read.
    """
    first = [await anext(parts)]  # before the answer begins, while it can be a 503
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if media_type == CSV:
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        media_type = f"{CSV}; charset=utf-8; header=present"
        lines = _csv(first, parts, list(columns.model_fields))
        return StreamingResponse(lines, 200, headers, media_type)
    return StreamingResponse(_ndjson(first, parts), 200, headers, media_type)


async def in_turn(
    database: Database,
    page: Callable[[AsyncConnection, Place | None, int], Awaitable[Page[Place]]],
) -> AsyncGenerator[str, None]:
    """A list's parts, their rows a line each: one page after another.

    A reader however slow holds up nobody: no read outlasts a page.

    Args:
        database: bet-maker's.
        page: so many rows after a place, and the next place; None: the beginning, and the end.

    Raises:
        Unavailable: the database cannot be read.
    """

    async def read(after: Place | None) -> Page[Place]:
        async with database.read() as conn:
            return await page(conn, after, PAGE)

    after: Place | None = None
    while True:
        rows, after = await background.finished(read(after))
        yield "\n".join(rows)
        if after is None:
            return


async def side_by_side(
    database: Database,
    find_end: Callable[[AsyncConnection, Place | None, int], Awaitable[Place | None]],
    part: Callable[[AsyncConnection, Place | None, Place | None], Awaitable[str]],
) -> AsyncGenerator[str, None]:
    """The same, of a list whose parts can be read without the ones before.

    The database writes as many of them at the same time as it is worth.

    Args:
        database: bet-maker's.
        find_end: where so many rows after a place end; None: at the list's end.
        part: the rows between two places.

    Raises:
        Unavailable: the database cannot be read.
    """

    async def end_after(after: Place | None) -> Place | None:
        async with database.read() as conn:
            return await find_end(conn, after, PAGE)

    async def read(after: Place | None, end: Place | None) -> str:
        async with database.read() as conn:
            return await part(conn, after, end)

    reading: deque[asyncio.Task[str]] = deque()
    place: Place | None = None
    is_whole = False
    try:
        while reading or not is_whole:
            while len(reading) < database.reads_at_once and not is_whole:
                after, place = place, await background.finished(end_after(place))
                reading.append(asyncio.create_task(read(after, place)))
                is_whole = place is None
            read_now = await asyncio.shield(reading[0])
            reading.popleft()
            yield read_now
    finally:
        for task in reading:  # it goes on to its end, and nobody asks how that was
            task.add_done_callback(_hear)


def _hear(task: asyncio.Task[str]) -> None:
    if not task.cancelled():
        task.exception()


async def _ndjson(first: list[str], parts: AsyncIterator[str]) -> AsyncIterator[str]:
    async for part in _all(first, parts):
        yield part + "\n"


async def _csv(
    first: list[str], parts: AsyncIterator[str], columns: list[str]
) -> AsyncIterator[str]:
    """RFC 4180; empty where JSON has null."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns)
    table.writeheader()
    async for part in _all(first, parts):
        for row in map(_READ, part.split("\n")):
            table.writerow({name: _cell(value) for name, value in row.items()})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()  # of an empty list


async def _all(first: list[str], parts: AsyncIterator[str]) -> AsyncIterator[str]:
    """The first part, which is given away, or it would be kept to the end, and the others."""
    if first[0]:
        yield first.pop()
    async for part in parts:
        if part:  # there may have been nothing in it
            yield part


def _cell(value: object) -> object:
    """The value, or text that no spreadsheet takes for a formula; a number may begin with `-`."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
