"""Asking line-provider: what counts as an answer, and what does not."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from starlette.responses import RedirectResponse, Response, StreamingResponse

from stakeline import clock
from stakeline.bet_maker import line as asking
from stakeline.bet_maker.line import FeedUnreachable, Line
from stakeline.contract import Cursor, UnreadableItem
from stakeline.errors import FeedChanged, MalformedJson
from tests.bet_maker.replica import NOW, event
from tests.bet_maker.scripted_line import ScriptedLine, scripted_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = Cursor("log", 0, NOW)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedLine]:
    """A scripted line that answers."""
    async with scripted_line() as line:
        yield line


@pytest.fixture
async def line(scripted: ScriptedLine) -> AsyncIterator[Line]:
    """A client of it."""
    line = Line(scripted.url)
    yield line
    await line.close()


async def test_a_request_carries_the_whole_cursor(scripted: ScriptedLine, line: Line) -> None:
    """Epoch, seq and time of the last item, how much to send and how long to wait."""
    scripted.add()
    page = await line.feed(Cursor("log", 0, NOW + 1), 0.5)
    assert (page.epoch, page.head, len(page.items)) == ("log", 1, 1)
    nonces = [query.pop("nonce") for query in scripted.asked]
    assert [len(nonce) for nonce in nonces] == [16]
    assert scripted.asked == [
        {
            "after": "0",
            "epoch": "log",
            "at": "2026-08-01T18:00:00.000001Z",
            "limit": str(asking.PAGE),
            "wait": "0.5",
        }
    ]


@pytest.mark.parametrize("nonce", ["", "0123456789abcdef"])
async def test_an_answer_to_another_request_is_none(
    scripted: ScriptedLine, line: Line, nonce: str
) -> None:
    """Out of a cache, say: its time is too old for what is reckoned from it."""
    scripted.add()
    scripted.nonce = nonce
    with pytest.raises(FeedUnreachable, match="to another request"):
        await line.feed(Cursor("log", 0, NOW + 1), 0.5)


async def drip() -> AsyncIterator[bytes]:
    """A byte now and then, for ever."""
    while True:
        yield b" "
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (Response(status_code=409), FeedChanged, "another log"),
        (Response(status_code=500), FeedUnreachable, "answers 500"),
        (Response(status_code=404), FeedUnreachable, "answers 404"),
        (Response(status_code=204), FeedUnreachable, "answers 204"),
        (RedirectResponse("/feed/snapshot"), FeedUnreachable, "answers 307"),
        (Response(b"<html>"), MalformedJson, "not JSON"),
        (Response(b"{}"), UnreadableItem, "unreadable feed"),
        (Response(b" " * (asking.MOST_BYTES + 1)), FeedUnreachable, "longer than 1 MiB"),
        (StreamingResponse(drip()), FeedUnreachable, "in time"),
    ],
    ids=["409", "500", "404", "204", "307", "HTML", "no page", "too long", "dripping"],
)
async def test_what_is_no_page_is_told_apart(
    scripted: ScriptedLine,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
    answer: Response,
    error: type[Exception],
    told: str,
) -> None:
    """Another log, no answer in time, something else: each is an error of its own."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.2)
    scripted.answer = answer
    began = time.perf_counter()
    with pytest.raises(error, match=told):
        await line.feed(START, 0)
    assert time.perf_counter() - began < 1.5


async def test_a_page_of_just_1_mib_is_read(scripted: ScriptedLine, line: Line) -> None:
    """The bound is inside."""
    scripted.size = asking.MOST_BYTES
    assert (await line.feed(START, 0)).items == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid"])
async def test_nobody_there_is_unreachable(url: str) -> None:
    """A refused connection and an unknown name are told alike, for feed and snapshot."""
    line = Line(url)
    with pytest.raises(FeedUnreachable, match="cannot be reached"):
        await line.feed(START, 0)
    with pytest.raises(FeedUnreachable, match="cannot be reached"):
        await line.snapshot().__aenter__()
    await line.close()


async def test_an_answer_that_breaks_off_is_none(scripted: ScriptedLine, line: Line) -> None:
    """A body that ends before its end is never used."""
    scripted.answer = Response(b"{}", headers={"Content-Length": "9"})
    with pytest.raises(FeedUnreachable):
        await line.feed(START, 0)


async def test_a_snapshot_comes_in_portions(
    scripted: ScriptedLine, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All events with their ids, some at a time; those that cannot be read as their ids."""
    monkeypatch.setattr(asking, "PORTION", 2)
    at = clock.text(NOW)
    top = {"epoch": "log", "seq": 8, "at": at, "received_at": at}
    for name in ("a", "b", "c"):
        scripted.add(event(name))
    lines = [top, *(item["event"] for item in scripted.items), {"event_id": "d", "status": "?"}]
    scripted.top = b"\n".join(json.dumps(one).encode() for one in lines)
    async with line.snapshot() as snapshot:
        assert (snapshot.top, snapshot.received_at) == (Cursor("log", 8, NOW), NOW)
        portions = list(snapshot.portions())
    assert [[event_id for event_id, _ in portion] for portion in portions] == [
        ["a", "b"],
        ["c", "d"],
    ]
    assert portions[0][0][1] == event("a")
    assert portions[1][1][1] is None


@pytest.mark.parametrize(
    ("top", "error"), [(b"", MalformedJson), (b"[", MalformedJson), (b"{}", UnreadableItem)]
)
async def test_what_is_no_snapshot_is_told(
    scripted: ScriptedLine, line: Line, top: bytes, error: type[Exception]
) -> None:
    """Without a readable first line nothing is taken."""
    scripted.top = top or b"\n"
    with pytest.raises(error):
        await line.snapshot().__aenter__()


async def test_a_snapshot_that_is_refused_is_told(scripted: ScriptedLine) -> None:
    """An address that has no snapshot."""
    line = Line(f"{scripted.url}/elsewhere")
    with pytest.raises(FeedUnreachable, match="answers 404"):
        await line.snapshot().__aenter__()
    await line.close()
