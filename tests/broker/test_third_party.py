"""The example of a third party: it gets every item, whoever is killed, itself included."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aio_pika
import pytest

from tests.broker.exchange import connected
from tests.broker.services import line_provider
from tests.processes import clean_environment, insist, running
from tests.system.checker import check_feed

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from tests.broker.rabbit import Rabbit
    from tests.processes import Service

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_consumer.py"
EVENTS = 8


def item(seq: int = 1, at: object = "2030-01-01T12:00:00.000000Z", **other: Any) -> bytes:  # noqa: ANN401 - JSON
    """An item of the feed, with as much of an event as is read of it."""
    event = {"event_id": "x", "version": seq}
    return json.dumps({"v": 1, "epoch": "e", "seq": seq, "at": at, "event": event} | other).encode()


NO_ITEMS = [
    b"",
    b"{}",
    b"[]",
    b"\xff" * 70_000,
    b"[" * 10_000,
    b'{"epoch":"e","event":{"event_id":"x","version":1}}',
    b'{"epoch":{},"event":{"event_id":"x","version":1}}',
    item(v="2"),
    item(v=True),
    item(epoch={}),
    item(epoch="\ud800"),
    item(seq=10**30),
    item(at=None),
    item(event=[]),
    item(event={"event_id": ["x"], "version": 1}),
    item(event={"event_id": "x", "version": "1"}),
]


class Consumer:
    """The example as a process, which keeps what it sees in `store`.

    Attributes:
        saw: every message, in order: its item's seq, event and version, and what became of it.
        dropped: how many were no items.
        last_words: its last line.
    """

    def __init__(self, url: str, store: Path) -> None:
        self.saw: list[tuple[int, str, int, str]] = []
        self.dropped = 0
        self.last_words = ""
        self._command = [sys.executable, "-u", str(EXAMPLE), url, str(store)]
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.listens = asyncio.Event()

    async def start(self) -> None:
        """Start it, and return once it has its queue."""
        self.listens.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=clean_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(30):
            await self.listens.wait()

    async def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self.end()

    async def end(self) -> int:
        """Its exit status, once it ends by itself and all it said is read."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(30):
            status = await self._process.wait()
        await self._reading
        return status

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.last_words = line.decode().strip()
            words = self.last_words.split(maxsplit=3)
            self.dropped += self.last_words == "dropped what is no item"
            if words == ["listening"]:
                self.listens.set()
            elif words and words[0].isdigit():
                self.saw.append((int(words[0]), words[1], int(words[2]), words[3]))


@asynccontextmanager
async def consuming(url: str, store: Path) -> AsyncIterator[Consumer]:
    """The consumer, listening to a queue that did not exist before."""
    consumer = Consumer(url, store)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.kill()
        connection = await aio_pika.connect(url)
        async with connection, connection.channel() as channel:
            await channel.queue_delete("third-party.line")


async def change(line: Service, turns: int, first: int = 1) -> None:
    """A price for each event, again and again; results at the end of the last turn."""
    for turn in range(first, first + turns):
        for n in range(EVENTS):
            path, body = f"/events/match-{n}", {"coefficient": f"{turn}.50"}
            answer = await insist(lambda p=path, b=body: line.client.put(p, json=b))  # type: ignore[misc]
            assert answer.is_success


@pytest.mark.timeout(240)
async def test_it_sees_every_item_in_order(tmp_path: Path, rabbit: Rabbit) -> None:
    """Line-provider, the broker and the consumer are killed in turn while the line changes."""
    line = line_provider(tmp_path, rabbit.url)
    store = tmp_path / "copy.sqlite3"
    async with consuming(rabbit.url, store) as consumer, running(line):
        async with asyncio.TaskGroup() as group:
            changing = group.create_task(change(line, 25))
            while len(consumer.saw) < 20:
                await asyncio.sleep(0.05)
            async with connected(rabbit.url) as exchange:
                await exchange.storm(NO_ITEMS)
            async with asyncio.timeout(30):
                while consumer.dropped < len(NO_ITEMS):
                    await asyncio.sleep(0.05)
            await line.kill()
            await line.restart()
            await consumer.kill()
            await consumer.start()
            await asyncio.to_thread(rabbit.stop)
            await asyncio.sleep(1)
            await asyncio.to_thread(rabbit.start)
            while not changing.done() and len(consumer.saw) < 100:
                await asyncio.sleep(0.05)
            await line.kill()
            await line.restart()
        for n in range(EVENTS):
            path, result = f"/events/match-{n}/result", {"status": "LOSE" if n % 2 else "WIN"}
            assert (await line.client.post(path, json=result)).is_success
        head = (await line.client.get("/feed?limit=1&wait=0")).json()["head"]
        async with asyncio.timeout(60):
            while {seq for seq, *_ in consumer.saw} != set(range(1, head + 1)):
                await asyncio.sleep(0.05)
        check_feed(line.database)
        events = {event["event_id"]: event for event in (await line.client.get("/events")).json()}

    seqs = [seq for seq, *_ in consumer.saw]
    assert list(dict.fromkeys(seqs)) == list(range(1, head + 1))
    kept: dict[str, list[int]] = {}
    for _, event_id, version, told in consumer.saw:
        if told == "kept":
            kept.setdefault(event_id, []).append(version)
    assert all(versions == sorted(set(versions)) for versions in kept.values())
    with closing(sqlite3.connect(store)) as copy:
        bodies = [json.loads(body) for (body,) in copy.execute("SELECT body FROM events")]
    assert {event["event_id"]: event for event in bodies} == events
    assert len(events) == EVENTS


@pytest.mark.parametrize(
    ("unforeseen", "why"),
    [
        (item(2, v=2, event="of another form"), "version 2 of items is not known here"),
        (item(1, "2030-01-01T12:00:00.000001Z"), "the line was restored: item 1"),
    ],
    ids=["unknown version", "restored line"],
)
async def test_it_stops_at_what_it_must_not_guess(
    tmp_path: Path, broker_url: str, unforeseen: bytes, why: str
) -> None:
    """It ends and says why, keeps nothing of it, and finds it again when it is started again."""
    store = tmp_path / "copy.sqlite3"
    async with (
        consuming(broker_url, store) as consumer,
        connected(broker_url) as exchange,
    ):
        for body in (item(1), item(1), unforeseen):
            await exchange.publish(body)
        for _ in range(2):
            assert await consumer.end() == 1
            assert consumer.last_words.startswith(f"stopped: {why}")
            await consumer.start()
        await consumer.end()
    assert consumer.saw == [(1, "x", 1, "kept"), (1, "x", 1, "seen before")]
    with closing(sqlite3.connect(store)) as copy:
        assert copy.execute("SELECT version FROM events").fetchall() == [(1,)]
        assert copy.execute("SELECT at FROM items").fetchall() == [("2030-01-01T12:00:00.000000Z",)]
