"""line-provider's HTTP calls for followers: the feed and its snapshot."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from stakeline import background, clock, contract, db, fields, strictjson
from stakeline.auth import Principal
from stakeline.errors import FeedChanged
from stakeline.line_provider import events, feed
from stakeline.line_provider.api import LineHere
from stakeline.web.documenting import answer, header, lines, link
from stakeline.web.guarding import STATIC, may
from stakeline.web.http11 import has_gone
from stakeline.web.reading import JsonRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from stakeline.line_provider.line import Line

SNAPSHOT_PAGE = 500
LONGEST_WAIT_S = 1.0
NOTICE_S = 0.05
"""How soon a held request notices that its client has gone, or the service is to end."""
NONCE = "^[A-Za-z0-9]{1,64}$"


class Item(BaseModel):
    """One change of the line, with the whole event as it then stood."""

    v: int
    epoch: str
    seq: int
    at: str
    event: contract.Event


class Page(BaseModel):
    """An answer of the feed."""

    epoch: str
    head: int
    received_at: str
    nonce: str | None = None
    items: list[Item]


class SnapshotTop(BaseModel):
    """The first line of a snapshot: its place in the log."""

    epoch: str
    seq: int
    at: str
    received_at: str


_LINE_OF_SNAPSHOT = {
    "anyOf": [
        SnapshotTop.model_json_schema(),
        contract.Event.model_json_schema(mode="serialization"),
    ]
}
NOT_KEPT = header("Cache-Control", "No cache keeps it.", enum=["no-store"])
Follower = Annotated[Principal, may(STATIC, "service", "operator")]
router = APIRouter(route_class=JsonRoute, tags=["feed"])


_GO_ON = link(
    "get_feed",
    epoch="$response.body#/epoch",
    after="$response.body#/items/0/seq",
    at="$response.body#/items/0/at",
)


@router.get(
    "/feed", response_model=Page, responses={200: answer("What there is.", NOT_KEPT, _GO_ON)}
)
async def get_feed(
    request: Request,
    line: LineHere,
    _who: Follower,
    after: Annotated[fields.Count, Query()] = 0,
    epoch: Annotated[str | None, Query(max_length=64)] = None,
    at: Annotated[fields.InstantInQuery | None, Query()] = None,
    limit: Annotated[fields.Limit, Query()] = 100,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = LONGEST_WAIT_S,
    nonce: Annotated[str | None, Query(pattern=NONCE)] = None,
) -> Response:
    """The items after `after`: at once when there are any, else after at most `wait` seconds none.

    `received_at` is read before everything else: whoever has applied `head` knows all that happened
    before `received_at`. `feed_changed` when this log has no item `after` of that `epoch` and `at`.
    A `nonce` comes back in the answer: whoever reckons the time from `received_at` must know that
    the answer is to this very request, and not an earlier one's out of some cache.
    """
    # Before anything that may have to wait: a follower reckons the time of its bets from it, and
    # what passes until it is read makes bets look later than they were.
    received_at = await line.database.now()
    deadline = clock.steady() + int(wait * clock.US_PER_S)
    while True:
        rung = line.bell.listen()
        head, items = await _look(line, after, epoch, at, limit)
        if items or not await _hold(request, line.bell, rung, deadline):
            return _page(head, received_at, nonce, items)


@router.get(
    "/feed/snapshot",
    response_class=StreamingResponse,
    responses={200: answer("The whole line.", NOT_KEPT, content=lines(_LINE_OF_SNAPSHOT))},
)
async def get_snapshot(line: LineHere, _who: Follower) -> Response:
    """NDJSON: `{epoch, seq, at, received_at}`, read before any row; then every event."""
    return StreamingResponse(
        _snapshot(line), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"}
    )


async def _hold(request: Request, bell: feed.Bell, rung: asyncio.Event, deadline: int) -> bool:
    """Return when the bell has rung (True), or nobody is to wait any longer (False)."""
    bell.held += 1
    try:
        while not rung.is_set():
            left_s = (deadline - clock.steady()) / clock.US_PER_S
            if left_s <= 0 or request.app.state.draining or await has_gone(request):
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), min(left_s, NOTICE_S))
    finally:
        bell.held -= 1
    return True


async def _look(
    line: Line, after: int, epoch: str | None, at: int | None, limit: int
) -> tuple[contract.Cursor, Sequence[bytes]]:
    async with line.database.read(db.QUICK_S) as conn:
        head = await feed.read_head(conn)
        if epoch not in {None, head.epoch}:
            raise FeedChanged
        await feed.check(conn, head, after, at)
        if head.seq == after:
            return head, []
        return head, await feed.items(conn, head.epoch, after, limit)


def _page(
    head: contract.Cursor, received_at: int, nonce: str | None, items: Sequence[bytes]
) -> Response:
    body = b'{"epoch":"%b","head":%d,"received_at":"%b",%b"items":[%b]}' % (
        head.epoch.encode(),
        head.seq,
        clock.text(received_at).encode(),
        b"" if nonce is None else b'"nonce":"%b",' % nonce.encode(),
        b",".join(items),
    )
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _snapshot_page(line: Line, after: str) -> Sequence[events.Event]:
    async with line.database.read() as conn:
        return await events.in_id_order(conn, after, SNAPSHOT_PAGE)


async def _snapshot(line: Line) -> AsyncIterator[bytes]:
    received_at = await line.database.now()
    async with line.database.read() as conn:
        head = await feed.read_head(conn)
    yield (
        strictjson.dumps(
            {
                "epoch": head.epoch,
                "seq": head.seq,
                "at": clock.text(head.at),
                "received_at": clock.text(received_at),
            }
        )
        + b"\n"
    )
    after = ""
    while True:  # each page its own short read: a slow reader holds up nothing
        found = await background.finished(_snapshot_page(line, after))
        if not found:
            return
        yield b"".join(strictjson.dumps(contract.event_body(event)) + b"\n" for event in found)
        after = found[-1].event_id
