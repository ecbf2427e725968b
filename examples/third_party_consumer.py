"""A third party that follows the line over RabbitMQ, without asking line-provider anything.

    python examples/third_party_consumer.py amqp://user:password@host:5672/ line.sqlite3

It keeps a copy of every event in `line.sqlite3`. Copy it and put your own work into `keep`. What
makes it lose nothing, and do nothing twice:

- its queue is its own, durable, a quorum queue, and made before it listens: from then on the
  broker keeps every item for it, while it is away or restarted, and over the broker's own restarts;
- it acknowledges a message only after its work is committed; what was not is delivered again;
- items may come twice, and after a repetition in an older state: it keeps the newest version of
  each event and drops the rest. Versions compare within one epoch only: that is a log's name, and a
  new one means that the line was made anew;
- whatever happens to the connection, it connects again;
- what is no item it refuses, or it would come again for ever;
- it stops, with its message unacknowledged, at what it must not guess: an item of a version it does
  not know, and the same `seq` with another time, which means that the line was restored from a
  backup and that this copy has what never was. Then remove the copy and the queue, start again,
  and take the line from line-provider's `GET /feed/snapshot`.

It needs the package `aio-pika`, and nothing of Stakeline.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass

import aio_pika
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

EXCHANGE = "stakeline.line"
QUEUE = "third-party.line"  # choose one that names you
KEYS = ["event.#"]  # or only some: ["event.WIN", "event.LOSE", "event.VOID"]
MOST_UNACKNOWLEDGED = 50
PAUSE_S = 1

VERSION = 1
LARGEST = 2**63 - 1  # that SQLite keeps

TABLES = """
CREATE TABLE IF NOT EXISTS events (
    epoch TEXT, event_id TEXT, version INTEGER, body TEXT, PRIMARY KEY (epoch, event_id)
);
CREATE TABLE IF NOT EXISTS items (epoch TEXT, seq INTEGER, at TEXT, PRIMARY KEY (epoch, seq));
"""
SEEN = "INSERT INTO items (epoch, seq, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SEEN_AT = "SELECT at FROM items WHERE epoch = ? AND seq = ?"
NEWEST = """
INSERT INTO events (epoch, event_id, version, body) VALUES (?, ?, ?, ?)
ON CONFLICT (epoch, event_id) DO UPDATE SET version = excluded.version, body = excluded.body
WHERE excluded.version > events.version
"""


class NoItem(Exception):
    """The message is not an item of the feed."""


class Stop(Exception):
    """Going on would be guessing; the text says why."""


@dataclass(frozen=True)
class Item:
    """What is needed of an item; `event` is all of the event, as JSON."""

    epoch: str
    seq: int
    at: str
    event_id: str
    version: int
    event: str


def read(body: bytes) -> Item:
    """The item in a message; fields that are not known here are passed over.

    Raises:
        NoItem: it is none.
        Stop: it is one of another version.
    """
    try:
        told = json.loads(body)
        v = told["v"]
        if type(v) is int and v != VERSION:
            raise Stop(f"version {v} of items is not known here")
        event = told["event"]
        own, whole = (event["event_id"], event["version"]), json.dumps(event)
        item = Item(told["epoch"], told["seq"], told["at"], *own, whole)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise NoItem from error
    numbers, texts = (v, item.seq, item.version), (item.epoch, item.at, item.event_id)
    if not all(type(number) is int and 0 < number <= LARGEST for number in numbers):
        raise NoItem
    if not all(type(text) is str and text.isascii() for text in texts):
        raise NoItem
    return item


def keep(store: sqlite3.Connection, item: Item) -> bool:
    """Keep the event as the item has it; False if this version or a newer one was there.

    Raises:
        Stop: another item had its place in the log.
    """
    with store:  # one transaction, on disk at its end
        store.execute(SEEN, (item.epoch, item.seq, item.at))
        (at,) = store.execute(SEEN_AT, (item.epoch, item.seq)).fetchone()
        if at != item.at:
            raise Stop(f"the line was restored: item {item.seq} was of {at}, is of {item.at}")
        row = (item.epoch, item.event_id, item.version, item.event)
        return store.execute(NEWEST, row).rowcount > 0


async def listen(url: str, store: sqlite3.Connection) -> None:
    """Keep every item that comes, until the connection is lost.

    Raises:
        Stop: what came is not for this program to decide.
    """
    connection = await aio_pika.connect(url, timeout=10, heartbeat=10)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=MOST_UNACKNOWLEDGED)
        # Declaring is making it, or finding it as it is: either side may come first.
        exchange = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
        queue = await channel.declare_queue(
            QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
        )
        for key in KEYS:
            await queue.bind(exchange, key)
        print("listening", flush=True)
        async with queue.iterator() as messages:
            async for message in messages:
                try:
                    item = read(message.body)
                except NoItem:
                    print("dropped what is no item", flush=True)
                    await message.reject(requeue=False)  # else it would come back for ever
                    continue
                told = "kept" if keep(store, item) else "seen before"
                print(item.seq, item.event_id, item.version, told, flush=True)
                await message.ack()


async def main(url: str, file: str) -> None:
    """Listen for ever."""
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA synchronous = FULL")
        store.executescript(TABLES)
        while True:
            try:
                await listen(url, store)
                print("the connection was lost", flush=True)
            except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
                print(f"trouble: {type(error).__name__}", flush=True)
            await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Stop as stop:
        sys.exit(f"stopped: {stop}")
