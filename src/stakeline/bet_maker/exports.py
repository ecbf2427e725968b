"""Exports: a whole list, of any size, as a stream of NDJSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.responses import Response, StreamingResponse

from stakeline import background, errors
from stakeline.web import accepting
from stakeline.web.documenting import NEXT, answer, header, lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

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
"""How many rows one read brings: all that an export ever has in memory."""

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
    database: Database,
    page: Callable[[AsyncConnection, Place | None, int], Awaitable[Page[Place]]],
    media_type: str,
    *,
    name: str,
    columns: type[BaseModel],
) -> Response:
    """All pages of a list as one stream.

    A reader however slow holds up nobody: no read outlasts a page. If one fails on the way the
    connection is cut, so that half an export never looks whole.

    Args:
        database: bet-maker's.
        page: so many rows after a place, and the next place; None: the beginning, and the end.
        media_type: `NDJSON`, or `CSV` with a header line.
        name: of the file, without its ending.
        columns: what a row is.

    Raises:
        Unavailable: the database cannot be read.
    """

    async def read(after: Place | None) -> Page[Place]:
        async with database.read() as conn:
            return await page(conn, after, PAGE)

    async def pages(rows: Rows, after: Place | None) -> AsyncIterator[Rows]:
        while True:
            yield rows
            if after is None:
                return
            rows, after = await background.finished(read(after))

    found = pages(*await read(None))  # before the answer begins, while it can be a 503
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if media_type == CSV:
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        media_type = f"{CSV}; charset=utf-8; header=present"
        lines = _csv(found, list(columns.model_fields))
        return StreamingResponse(lines, 200, headers, media_type)
    return StreamingResponse(_ndjson(found), 200, headers, media_type)


async def _ndjson(pages: AsyncIterator[Rows]) -> AsyncIterator[str]:
    async for rows in pages:
        yield "\n".join([*rows, ""])


async def _csv(pages: AsyncIterator[Rows], columns: list[str]) -> AsyncIterator[str]:
    """RFC 4180; empty where JSON has null."""
    lines = io.StringIO()
    table = csv.DictWriter(lines, columns)
    table.writeheader()
    async for rows in pages:
        for row in map(_READ, rows):
            table.writerow({name: _cell(value) for name, value in row.items()})
        yield lines.getvalue()
        lines.seek(0)
        lines.truncate()


def _cell(value: object) -> object:
    """The value, or text that no spreadsheet takes for a formula; a number may begin with `-`."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
