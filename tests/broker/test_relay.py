"""The relay: every item of the feed reaches the exchange, after its commit and in order."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.broker import BrokerAway, Publisher
from tests import databases
from tests.serving import Served, line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from stakeline.broker import Message
    from tests.broker.exchange import Exchange, Got


@asynccontextmanager
async def relaying(folder: Path, broker_url: str) -> AsyncIterator[Served]:
    """A line-provider that publishes what it changes."""
    async with serving(line_provider(folder, broker_url=broker_url)) as line:
        yield line


async def put(line: Served, event_id: str, coefficient: str = "1.95") -> None:
    """One more item."""
    answer = await line.put(f"/events/{event_id}", {"coefficient": coefficient})
    assert answer.is_success, answer.text


async def metric(line: Served, name: str) -> float:
    """A metric's value."""
    lines = (await line.get("/metrics")).text.splitlines()
    return next(float(value.split()[-1]) for value in lines if value.startswith(f"{name} "))


async def until_metric(line: Served, name: str, value: float) -> None:
    """Return once the metric has this value."""
    async with asyncio.timeout(30):
        while await metric(line, name) != value:
            await asyncio.sleep(0.02)


def in_order(got: Sequence[Got]) -> None:
    """Nobody sees an item for the first time before all items with lower numbers."""
    seqs = [one.item["seq"] for one in got]
    first = list(dict.fromkeys(seqs))
    assert first == list(range(1, len(first) + 1)), seqs


async def test_an_item_is_published_as_the_feed_has_it(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """The very bytes, under a key that names the status, with a name that is the item's own."""
    queue, decided = await exchange.bind(), await exchange.bind("event.WIN")
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby")
        await line.post("/events/derby/result", {"status": "WIN"})
        got = await queue.until_seqs(1, 2)
        feed: dict[str, Any] = (await line.get("/feed?wait=0")).json()
        text = (await line.get("/feed?wait=0")).text
    assert [one.item for one in got] == feed["items"]
    assert all(one.body.decode() in text for one in got)
    assert [one.key for one in got] == ["event.NEW", "event.WIN"]
    assert [one.message_id for one in got] == [f"{feed['epoch']}:1", f"{feed['epoch']}:2"]
    assert [one.item["seq"] for one in await decided.take()] == [2]


async def test_a_log_is_published_from_its_start_and_gone_on_with(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """A first broker gets all there is; after a restart nothing comes twice, and nothing lacks."""
    async with serving(line_provider(tmp_path)) as line:
        for number in range(250):  # more than one batch
            await put(line, f"event-{number}")
    queue = await exchange.bind()
    async with relaying(tmp_path, broker_url) as line:
        await queue.until_seqs(250)
        await until_metric(line, "stakeline_relay_lag_items", 0)
        assert await metric(line, "stakeline_relay_items_total") == 250
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "one-more")
        await queue.until_seqs(251)
    # On a busy machine a batch may be confirmed too late, and come twice: not so the last item.
    assert [one.item["seq"] for one in queue.got].count(251) == 1
    in_order(queue.got)


async def test_nobody_has_to_be_bound(tmp_path: Path, broker_url: str, exchange: Exchange) -> None:
    """What no queue gets is published as well: it is counted, and not repeated."""
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby")
        await until_metric(line, "stakeline_relay_unheard_total", 1)
        queue = await exchange.bind()
        await put(line, "derby", "2.00")
        await queue.until_seqs(2)
        assert await metric(line, "stakeline_relay_items_total") == 2
    assert [one.item["seq"] for one in queue.got] == [2]


@pytest.mark.parametrize("place", ["epoch = 'another'", "seq = 99"])
async def test_a_cursor_of_another_log_starts_over(
    tmp_path: Path, broker_url: str, exchange: Exchange, place: str
) -> None:
    """Where it cannot be right, every item is published, and it is right from then on."""
    queue = await exchange.bind()
    async with relaying(tmp_path, broker_url) as line:
        for number in range(3):
            await put(line, f"event-{number}")
        await queue.until_seqs(3)
        await until_metric(line, "stakeline_relay_lag_items", 0)
    queue.got.clear()
    url = databases.url_of(tmp_path, "line-provider")
    await asyncio.to_thread(databases.execute, url, f"UPDATE relay SET {place} WHERE id = 1")  # noqa: S608 - the test's own
    async with relaying(tmp_path, broker_url) as line:
        await queue.until_seqs(1, 2, 3)
        await until_metric(line, "stakeline_relay_lag_items", 0)
        await put(line, "one-more")
        await queue.until_seqs(4)
    in_order(queue.got)
    assert len(queue.got) == 4


async def test_a_restored_line_is_published_from_the_backups_place(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """No item comes again; new ones come with numbers that were seen, and with other contents."""
    url, backup = (databases.url_of(tmp_path, name) for name in ("line-provider", "backup"))
    queue = await exchange.bind()
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby")
        await put(line, "derby", "2.00")
        await until_metric(line, "stakeline_relay_lag_items", 0)
    await asyncio.to_thread(databases.copy, url, backup)
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby", "3.00")
        await put(line, "final")
        lost = {got.item["seq"]: got.item for got in await queue.until_seqs(1, 2, 3, 4)}
    queue.got.clear()
    await asyncio.to_thread(databases.copy, backup, url)
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby", "4.00")
        await put(line, "derby", "5.00")
        await queue.until_seqs(3, 4)
        await until_metric(line, "stakeline_relay_lag_items", 0)
    new = [got.item for got in await queue.take()]
    assert [item["seq"] for item in new] == [3, 4]
    for item in new:
        assert item["epoch"] == lost[item["seq"]]["epoch"]
        assert item["at"] != lost[item["seq"]]["at"]
    assert new[0]["event"]["version"] == lost[3]["event"]["version"]
    assert (new[0]["event"]["coefficient"], lost[3]["event"]["coefficient"]) == (4.0, 3.0)


async def test_what_was_published_before_a_crash_is_published_again(
    tmp_path: Path,
    broker_url: str,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relay that ends between publishing and its cursor doubles items, and loses none."""
    publish, crashes = Publisher.publish, 3

    async def publish_and_crash(self: Publisher, messages: Sequence[Message]) -> int:
        nonlocal crashes
        unheard = await publish(self, messages)
        if crashes:
            crashes -= 1
            raise OSError("crash")
        return unheard

    monkeypatch.setattr(Publisher, "publish", publish_and_crash)
    queue = await exchange.bind()
    async with relaying(tmp_path, broker_url) as line:
        await asyncio.gather(*(put(line, f"event-{number}") for number in range(20)))
        await queue.until_seqs(*range(1, 21))
        await until_metric(line, "stakeline_relay_lag_items", 0)
    in_order(await queue.take())
    assert len(queue.got) > 20


async def test_an_exchange_that_was_deleted_is_made_anew(
    tmp_path: Path, broker_url: str, exchange: Exchange
) -> None:
    """The item that found none is published again."""
    async with relaying(tmp_path, broker_url) as line:
        await put(line, "derby")
        await until_metric(line, "stakeline_relay_items_total", 1)
        await exchange.delete()
        await put(line, "derby", "2.00")
        await until_metric(line, "stakeline_relay_items_total", 2)


async def test_a_slow_broker_is_given_less_at_once(
    tmp_path: Path,
    broker_url: str,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch that is not confirmed in time is tried again in parts, and so comes to an end."""
    publish = Publisher.publish
    sizes: list[int] = []

    async def publish_few(self: Publisher, messages: Sequence[Message]) -> int:
        sizes.append(len(messages))
        if len(messages) > 20:
            raise BrokerAway("it does not confirm what is published")
        return await publish(self, messages)

    async with serving(line_provider(tmp_path)) as line:
        for number in range(100):
            await put(line, f"event-{number}")
    monkeypatch.setattr(Publisher, "publish", publish_few)
    queue = await exchange.bind()
    async with relaying(tmp_path, broker_url) as line:
        await queue.until_seqs(*range(1, 101))
        await until_metric(line, "stakeline_relay_lag_items", 0)
    assert sizes[:2] == [100, 50]
    in_order(queue.got)
    assert len(queue.got) == 100
