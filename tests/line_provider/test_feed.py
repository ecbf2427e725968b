"""The feed: every change in commit order, at once or as soon as there is one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from stakeline import clock
from stakeline.line_provider import api_feed
from tests.line_provider.calls import (
    FEED,
    LATER,
    at,
    created,
    decided,
    fields_of,
    new_id,
    refused,
)
from tests.serving import Served, line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def feed(line: Served, **query: object) -> dict[str, Any]:
    """An answer of the feed."""
    answer = await line.get("/feed", params={"wait": "0"} | query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    return body


async def head(line: Served) -> int:
    """The seq of the last item."""
    seq: int = (await feed(line, after=0, limit=1))["head"]
    return seq


async def test_items_hold_the_whole_event(line: Served) -> None:
    """A change is one item with version 1 of the contract, the log's epoch and the event."""
    before = await head(line)
    event = await created(line, new_id(), name="A v B")
    page = await feed(line, after=before)
    assert page["head"] == before + 1
    (item,) = page["items"]
    assert item == {
        "v": 1,
        "epoch": page["epoch"],
        "seq": before + 1,
        "at": item["at"],
        "event": event,
    }
    assert at(event["updated_at"]) <= at(item["at"]) <= at(page["received_at"])


async def test_items_come_in_order_up_to_the_limit(line: Served) -> None:
    """A page is the next `limit` items; the head says how many more there are."""
    before = await head(line)
    event_id = new_id()
    await created(line, event_id)
    for status in ("WIN", "LOSE", "NEW", "VOID"):
        await decided(line, event_id, status, correction=True)
    page = await feed(line, after=before, limit=3)
    assert [item["seq"] for item in page["items"]] == [before + 1, before + 2, before + 3]
    assert page["head"] == before + 5
    rest = await feed(line, after=before + 3, limit=1000)
    assert [item["event"]["status"] for item in rest["items"]] == ["NEW", "VOID"]
    times = [item["at"] for item in page["items"] + rest["items"]]
    assert times == sorted(set(times))


async def test_received_at_is_before_the_head(line: Served) -> None:
    """Whoever has applied the head knows all that happened before `received_at`."""
    sent = clock.now()
    waiting = asyncio.create_task(feed(line, after=await head(line), wait="1"))
    await asyncio.sleep(0.1)
    asked_by = clock.now()
    await created(line, new_id())
    page = await waiting
    assert len(page["items"]) == 1
    assert sent <= at(page["received_at"]) < asked_by
    assert at(page["received_at"]) < at(page["items"][0]["at"])


async def test_a_held_request_is_woken_by_a_write(line: Served) -> None:
    """A follower hears of a change within milliseconds, not at the next look."""
    took_s = []
    for _ in range(5):
        waiting = asyncio.create_task(feed(line, after=await head(line), wait="1"))
        await asyncio.sleep(0.06)
        await created(line, new_id())
        written = time.perf_counter()
        assert len((await waiting)["items"]) == 1
        took_s.append(time.perf_counter() - written)
    assert sorted(took_s)[2] < 0.025


async def test_a_write_of_another_process_is_seen(tmp_path: Path) -> None:
    """Two processes on one database: a request held by one hears what the other writes."""
    async with serving(line_provider(tmp_path)) as one, serving(line_provider(tmp_path)) as other:
        assert (await feed(one))["epoch"] == (await feed(other))["epoch"]
        for number in range(1, 4):
            waiting = asyncio.create_task(feed(one, after=number - 1, wait="1"))
            await asyncio.sleep(0.06)
            await created(other, f"event-{number}")
            written = time.perf_counter()
            (item,) = (await waiting)["items"]
            assert item["seq"] == number
            assert time.perf_counter() - written < 0.4


@pytest.mark.parametrize(("wait", "least", "most"), [("0", 0, 0.3), ("0.3", 0.3, 0.8)])
async def test_without_news_the_answer_is_empty_after_the_wait(
    line: Served, wait: str, least: float, most: float
) -> None:
    """A held request ends with no items when its time is over."""
    after, began = await head(line), time.perf_counter()
    page = await feed(line, after=after, wait=wait)
    assert (page["items"], page["head"]) == ([], after)
    assert least <= time.perf_counter() - began < most


async def test_a_request_without_a_wait_is_held_for_a_second(line: Served) -> None:
    """One second is the default and the most."""
    after, began = await head(line), time.perf_counter()
    answer = await line.get(f"/feed?after={after}")
    assert answer.json()["items"] == []
    assert 0.95 <= time.perf_counter() - began < 1.5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("wait=-0.1", "query.wait"),
        ("wait=1.1", "query.wait"),
        ("wait=nan", "query.wait"),
        ("wait=inf", "query.wait"),
        ("wait=soon", "query.wait"),
        ("after=-1", "query.after"),
        ("after=x", "query.after"),
        ("after=9223372036854775808", "query.after"),
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("at=yesterday", "query.at"),
        ("epoch=" + "e" * 65, "query.epoch"),
    ],
)
async def test_a_wrong_query_is_named(line: Served, query: str, field: str) -> None:
    """The feed's parameters have their bounds."""
    assert fields_of(await line.get(f"/feed?{query}")) == [field]


async def test_a_cursor_of_this_log_goes_on(line: Served) -> None:
    """Epoch, seq and time of an item name the place after it, to the microsecond."""
    await created(line, new_id())
    page = await feed(line, after=0, limit=1000)
    for item in page["items"][:3]:
        at_ = item["at"]
        following = await feed(line, after=item["seq"], epoch=page["epoch"], at=at_, limit=1)
        assert following["epoch"] == page["epoch"]
        if item["seq"] < page["head"]:
            assert following["items"][0]["seq"] == item["seq"] + 1


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "other"},
        {"epoch": ""},
        {"after": "1000000"},
        {"after": "9223372036854775807"},
        {"at": "2020-01-01T00:00:00Z"},
        {"at": "1577836800"},
        {"after": "1000000", "at": ""},
    ],
)
async def test_a_cursor_of_another_log_is_told(line: Served, change: dict[str, str]) -> None:
    """Another epoch, an item that is not there, or not of that time: `feed_changed`, at once."""
    await created(line, new_id())
    page = await feed(line, after=0, limit=1)
    item = page["items"][0]
    cursor = {"after": item["seq"], "epoch": page["epoch"], "at": item["at"], "wait": "1"} | change
    query = {name: value for name, value in cursor.items() if value or name == "epoch"}
    began = time.perf_counter()
    refused(await line.get("/feed", params=query), 409, "feed_changed")
    assert time.perf_counter() - began < 0.5


async def test_a_microsecond_makes_another_log(line: Served) -> None:
    """A log restored and gone on has an item there, too, but not the same one."""
    await created(line, new_id())
    page = await feed(line, after=0, limit=1)
    item = page["items"][0]
    for step in (-1, 1):
        beside = clock.text(at(item["at"]) + step)
        query = {"after": item["seq"], "epoch": page["epoch"], "at": beside}
        refused(await line.get("/feed", params=query), 409, "feed_changed")


async def test_a_held_request_ends_when_the_service_drains(tmp_path: Path) -> None:
    """Nobody waits out a held request at the end."""
    async with serving(line_provider(tmp_path)) as served:
        waiting = asyncio.create_task(feed(served, wait="1"))
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        served.app.state.draining = True
        assert (await waiting)["items"] == []
        assert time.perf_counter() - began < 0.5


async def test_who_hangs_up_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is not looked at any more for a request that nobody holds any more."""
    looked: list[float] = []
    look = api_feed._look

    async def note(*args: Any) -> Any:  # noqa: ANN401 - whatever it takes
        looked.append(time.monotonic())
        return await look(*args)

    monkeypatch.setattr(api_feed, "_look", note)
    async with serving(line_provider(tmp_path)) as line:
        with pytest.raises(httpx2.ReadTimeout):
            await line.get("/feed?wait=1", timeout=0.2)
        hung_up = time.monotonic()
        await asyncio.sleep(0.4)
        await created(line, new_id())  # wakes all who are held
        await asyncio.sleep(0.2)
    assert looked
    assert looked[-1] < hung_up + 0.4


async def test_who_hangs_up_is_noticed_behind_another_request(tmp_path: Path) -> None:
    """Reading goes on while the one that came behind waits for its turn."""
    async with serving(line_provider(tmp_path)) as line:
        host, port = line.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = "HTTP/1.1\r\nHost: localhost\r\n\r\n"
        writer.write(f"GET /feed?wait=1 {head}GET /healthz {head}".encode())
        bell = line.app.state.line.bell
        async with asyncio.timeout(0.5):
            while not bell.held:
                await asyncio.sleep(0.01)
            writer.transport.abort()
            while bell.held:
                await asyncio.sleep(0.01)


async def test_an_empty_log_has_a_name(tmp_path: Path) -> None:
    """Before the first event there is an epoch, which a restart keeps and another log has not."""
    async with serving(line_provider(tmp_path)) as served:
        first = await feed(served)
        assert (first["head"], first["items"]) == (0, [])
    async with serving(line_provider(tmp_path)) as served:
        await served.post("/events", {"event_id": "x", "coefficient": 2, "deadline": LATER})
        assert (await feed(served))["epoch"] == first["epoch"]
    async with serving(line_provider(tmp_path / "other")) as served:
        assert (await feed(served))["epoch"] != first["epoch"]


async def test_a_nonce_comes_back(line: Served) -> None:
    """So that a follower knows the answer to be its own; without one there is none."""
    assert (await line.get(f"{FEED}&nonce=0aZ9")).json()["nonce"] == "0aZ9"
    assert "nonce" not in (await line.get(FEED)).json()
    for nonce in ("", "a" * 65, "%22", "a b", "%C3%A9"):
        refused(await line.get(f"{FEED}&nonce={nonce}"), 422, "invalid_request")
