"""A line-provider that answers as a test tells it to, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from stakeline import clock
from stakeline.contract import event_body
from tests.bet_maker.replica import event
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from stakeline.contract import Event


def lasting(event_id: str = "derby", /, **fields: Any) -> Event:  # noqa: ANN401 - any field
    """An event that takes bets for as long as anybody will run these tests."""
    return event(event_id, deadline=clock.parse_instant("2090-01-01T00:00:00Z"), **fields)


class ScriptedLine:
    """A log that a test writes, breaks and restores.

    Attributes:
        url: where it is.
        items: the items of its log, as they cross.
        answer: in place of every answer to `/feed`, if given.
        top: in place of the snapshot's first line, if given.
        fast_us: how far its clock is ahead.
        page_size: how many items it gives at the most.
        slow_s: how long it takes for any answer.
        hold_s: how long it holds a request that may wait, when it has nothing.
        nonce: in place of the request's own, if given.
        size: how many bytes a page has at the least.
        meanwhile: what happens while a snapshot is being fetched, once; such a snapshot is of all
            that was there before.
        asked: the queries of the feed requests it has had.
    """

    def __init__(self) -> None:
        self.url = ""
        self.epoch = "log"
        self.items: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.top: bytes | None = None
        self.fast_us = 0
        self.page_size = 100
        self.slow_s = 0.0
        self.hold_s = 0.02
        self.nonce: str | None = None
        self.size = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.asked: list[dict[str, str]] = []

    def add(self, known: Event | None = None, **changes: object) -> None:
        """One more item, with fields of its own or of its event (as `event={...}`)."""
        body = json.loads(json.dumps(event_body(known or lasting()), default=str))
        body["coefficient"] = str(body["coefficient"])
        body |= changes.pop("event", {})
        seq = len(self.items) + 1
        at = clock.text(clock.now() + seq)
        self.items.append(
            {"v": 1, "epoch": self.epoch, "seq": seq, "at": at, "event": body} | changes
        )

    def body(self, after: int) -> dict[str, Any]:
        """The page after `after`."""
        return {
            "epoch": self.epoch,
            "head": len(self.items),
            "received_at": clock.text(clock.now() + self.fast_us),
            "items": self.items[after : after + self.page_size],
        }

    async def feed(self, request: Request) -> Response:
        """The scripted answer, else the page after a short wait."""
        self.asked.append(dict(request.query_params))
        await asyncio.sleep(self.slow_s)
        if self.answer is not None:
            return self.answer
        body = self.body(int(request.query_params["after"]))
        body["nonce"] = request.query_params["nonce"] if self.nonce is None else self.nonce
        if not body["items"] and float(request.query_params["wait"]):
            await asyncio.sleep(self.hold_s)
        return Response(json.dumps(body).ljust(self.size), media_type="application/json")

    async def snapshot(self) -> Response:
        """An empty line at seq 0, or the whole line before something happens."""
        if self.meanwhile is not None:
            return await self._whole(self.meanwhile)
        now = clock.text(clock.now() + self.fast_us)
        top = {"epoch": self.epoch, "seq": 0, "at": now, "received_at": now}
        return Response((self.top or json.dumps(top).encode()) + b"\n")

    async def _whole(self, meanwhile: Callable[[], Awaitable[None]]) -> Response:
        last = self.items[-1]
        top = {name: last[name] for name in ("epoch", "seq", "at")} | {"received_at": last["at"]}
        events = {item["event"]["event_id"]: item["event"] for item in self.items}
        body = "".join(json.dumps(line) + "\n" for line in [top, *events.values()])
        self.meanwhile = nothing
        await meanwhile()
        return Response(body)


async def nothing() -> None:
    """As it says."""


@asynccontextmanager
async def scripted_line() -> AsyncIterator[ScriptedLine]:
    """A scripted line that answers."""
    line, app = ScriptedLine(), FastAPI()
    app.add_api_route("/feed", line.feed)
    app.add_api_route("/feed/snapshot", line.snapshot)
    app.state.root_path, app.state.trusted_proxies = "", ()
    async with serving(app) as served:
        line.url = served.url
        yield line
