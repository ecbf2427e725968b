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
- whatever happens to the connection, it connects again.

It needs the package `aio-pika`, and nothing of Stakeline.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from typing import Any

import aio_pika
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

EXCHANGE = "stakeline.line"
QUEUE = "third-party.line"  # choose one that names you
KEYS = ["event.#"]  # or only some: ["event.WIN", "event.LOSE", "event.VOID"]
MOST_UNACKNOWLEDGED = 50
PAUSE_S = 1

TABLE = """
CREATE TABLE IF NOT EXISTS events (
    epoch TEXT, event_id TEXT, version INTEGER, body TEXT, PRIMARY KEY (epoch, event_id)
)
"""
NEWEST = """
INSERT INTO events (epoch, event_id, version, body) VALUES (?, ?, ?, ?)
ON CONFLICT (epoch, event_id) DO UPDATE SET version = excluded.version, body = excluded.body
WHERE excluded.version > events.version
"""


def keep(store: sqlite3.Connection, item: dict[str, Any]) -> bool:
    """Keep the event as the item has it; False if this version or a newer one was there."""
    event = item["event"]
    row = (item["epoch"], event["event_id"], event["version"], json.dumps(event))
    with store:  # one transaction, on disk at its end
        return store.execute(NEWEST, row).rowcount > 0


async def listen(url: str, store: sqlite3.Connection) -> None:
    """Keep every item that comes, until the connection is lost."""
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
                    item = json.loads(message.body)
                    told = "kept" if keep(store, item) else "seen before"
                except (ValueError, TypeError, KeyError):
                    print("dropped what is no item", flush=True)
                    await message.reject(requeue=False)  # else it would come back for ever
                    continue
                event = item["event"]
                print(item["seq"], event["event_id"], event["version"], told, flush=True)
                await message.ack()


async def main(url: str, file: str) -> None:
    """Listen for ever."""
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA synchronous = FULL")
        store.execute(TABLE)
        while True:
            try:
                await listen(url, store)
                print("the connection was lost", flush=True)
            except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
                print(f"trouble: {type(error).__name__}", flush=True)
            await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
