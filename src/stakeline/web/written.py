"""Pages of a list that many read: written once, and handed out for as long as they hold."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import Response

from stakeline import clock, strictjson
from stakeline.errors import Unauthenticated, Unavailable
from stakeline.sharing import Shared
from stakeline.web import headers
from stakeline.web.links import next_link
from stakeline.web.responses import Json, json_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from starlette.requests import Request

Who = TypeVar("Who")
Query = TypeVar("Query")

MOST_S = 1.5
"""How long a page is waited for, with all the look-ups of others before its own."""
MOST = 32
"""How many pages are kept, of up to 1000 events each: the last ones asked for."""
IN_DOCS: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "ETags of pages that the client has.",
            "schema": {"type": "string"},
        }
    ]
}
"""Of a list whose pages have ETags, for FastAPI's `openapi_extra`."""
_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Moment:
    """How a list stands.

    Attributes:
        state: the same as long as nobody changes what is in the list, in whichever process; None:
            there is nothing that tells.
        now: the time by which it is read, in microseconds.
    """

    state: object | None
    now: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page as JSON.

    Attributes:
        moment: when its rows were read; its state was looked up before them.
        until: from this instant on it may be another page, though nobody changes anything.
        body: the array.
        following: the cursor of the page after it; None on the last one.
        said: its headers, but for the link to the page after it; among them the ETag of just this
            body and cursor.
        lines: the same as they are sent with the body.
    """

    moment: Moment
    until: int
    body: bytes
    following: str | None
    said: dict[str, str]
    lines: bytes

    @classmethod
    def of(cls, rows: Sequence[object], following: str | None, moment: Moment, until: int) -> Page:
        """The page with these rows."""
        body = strictjson.dumps(rows)
        digest = hashlib.blake2b(body + (following or "").encode(), digest_size=16)
        said = {"ETag": f'"{digest.hexdigest()}"', "Cache-Control": "no-cache"}
        return cls(moment, until, body, following, said, json_lines(body, said))

    def holds(self, at: Moment) -> bool:
        """Whether it would be written just so at that moment."""
        same = at.state is not None and at.state == self.moment.state
        return same and self.moment.now <= at.now < self.until


class WrittenPages(Generic[Who, Query]):
    """The pages of one list; each answer is of the list as it stood after it was asked for.

    Args:
        look: how the list stands, and who of those that ask may read it.
        read: the page that a query asks for. It looks up how the list stands before it reads rows:
            if they are newer than that, the page holds for nobody who looks later.
    """

    def __init__(
        self,
        look: Callable[[set[Who]], Awaitable[tuple[Moment, Collection[Who]]]],
        read: Callable[[Query], Awaitable[Page]],
    ) -> None:
        self._read = read
        self._moments = Shared(look)
        self._places: dict[Query, _Place] = {}

    async def get(self, query: Query, who: Who) -> Page:
        """The page that it asks for.

        Raises:
            Unauthenticated: `who` may not read it.
            Unavailable: none was found in time; and what `look` and `read` raise.
        """
        began = clock.steady()
        moment, known = await self._moments.get(who)
        if who not in known:
            raise Unauthenticated
        place = self._places.pop(query, None) or _Place(partial(self._read, query))
        self._places[query] = place  # behind those that nobody has asked for since
        if len(self._places) > MOST:
            del self._places[next(iter(self._places))]
        if place.page is not None and place.page.holds(moment):
            return place.page  # most are, and a timer for each would take as long as this
        try:
            async with asyncio.timeout(MOST_S - (clock.steady() - began) / clock.US_PER_S):
                return await place.reads.get(moment)
        except TimeoutError as error:
            raise Unavailable from error


class _Place:
    """Where a page is kept; those for whom it does not hold share the next read."""

    def __init__(self, read: Callable[[], Awaitable[Page]]) -> None:
        self._read = read
        self.page: Page | None = None
        self.reads: Shared[Moment, Page] = Shared(self._read_for)

    async def _read_for(self, moments: set[Moment]) -> Page:
        page = self.page  # perhaps it was read since they asked
        if page is None or not all(page.holds(moment) for moment in moments):
            page = self.page = await self._read()
        return page


def answer(request: Request, page: Page) -> Response:
    """The page, or 304 where the client has it: RFC 9110, section 13.1.2."""
    link = next_link(request, page.following)
    given = headers.given(request.scope, b"if-none-match")
    known = ",".join(given) if given else ""
    if known and (known.strip() == "*" or page.said["ETag"] in _TAG.findall(known)):
        return Response(None, 304, page.said | link)
    return Json(page.body, 200, json_lines(page.body, page.said | link) if link else page.lines)
