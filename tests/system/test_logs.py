"""The logs of real services: one JSON object a line, and nothing in them that was a secret."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx2
import sqlalchemy as sa

from stakeline.db import Database
from tests.processes import Service, bet_maker, line_provider, running

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery"  # noqa: S105 - the point
HEADERS = {
    "Authorization": f"Bearer {SECRET}",
    "Cookie": f"session={SECRET}",
    "Idempotency-Key": SECRET,
    "If-Match": f'"{SECRET}"',
    "Referer": f"http://127.0.0.1/{SECRET}",
    "User-Agent": SECRET,
    "X-Forwarded-For": SECRET,
    "X-Request-Id": f"{SECRET}_",
    f"X-{SECRET}": SECRET,
}
BODY = {"event_id": SECRET, "amount": "1.00", "coefficient": "1.50"}
BODIES = (
    json.dumps({"event_id": SECRET, "coefficient": "1.50"}).encode(),
    json.dumps(BODY).encode(),
    json.dumps(BODY | {SECRET: SECRET}).encode(),
    json.dumps(BODY | {"amount": SECRET, "coefficient": SECRET}).encode(),
    json.dumps(
        {"event_id": SECRET, "coefficient": "1.50", "name": f"{SECRET}\r\n{SECRET}"}
    ).encode(),
    f'{{"password": "{SECRET}'.encode(),
    SECRET.encode() * 2000,
)
PATHS = ("/events", "/bets", "/bets/batch", f"/events/{SECRET}", f"/bets/{SECRET}", f"/{SECRET}")
QUERIES = (
    "",
    f"?cursor={SECRET}",
    f"?limit={SECRET}&token={SECRET}",
    f"?{SECRET}",
    f"?%0d%0a{SECRET}",
)
NO_HTTP = (
    f"{SECRET}\r\n\r\n",
    f"GET /{SECRET} HTTP/1.1\r\nHost: {SECRET}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: localhost\r\n{SECRET}\r\n\r\n",
    f"GET /{SECRET * 1000} HTTP/1.1\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: {SECRET}\r\nConnection: upgrade\r\n\r\n",
    f"POST /bets HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
)


async def ask_everything(service: Service) -> set[int]:
    """The statuses of requests with the secret in every place."""
    client, found = service.client, set()
    for path in PATHS:
        for query in QUERIES:
            found.add((await client.get(path + query, headers=HEADERS)).status_code)
        for body in BODIES:
            for method in ("POST", "PUT", "PATCH"):
                for media_type in ("application/json", SECRET):
                    headers = HEADERS | {"Content-Type": media_type}
                    answer = await client.request(method, path, content=body, headers=headers)
                    found.add(answer.status_code)
    address = httpx2.URL(service.url)
    for text in NO_HTTP:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(text.encode())
        await reader.read(12)
        writer.close()
    return found


async def spoil(service: Service, *tables: str) -> None:
    """Take these tables away, so that every statement fails with its parameters at hand."""
    database = Database(service.database)
    async with database.write() as conn:
        for table in tables:
            await conn.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
    await database.close()


async def test_no_secret_is_logged_and_each_line_is_json(tmp_path: Path) -> None:
    """At DEBUG, refused, served, or failed; what the broker's URL says included."""
    line = line_provider(tmp_path)
    bets = bet_maker(tmp_path, line.url)
    for service, prefix in ((line, "LINE_PROVIDER"), (bets, "BET_MAKER")):
        service.environment[f"{prefix}_LOG_LEVEL"] = "DEBUG"
        service.environment[f"{prefix}_BROKER_URL"] = f"amqp://user:{SECRET}@127.0.0.1:1/"
    async with running(line, bets):
        assert {200, 201, 400, 404, 405, 413, 415, 422} <= await ask_everything(line)
        assert {200, 400, 404, 405, 413, 415, 422} <= await ask_everything(bets)
        await spoil(line, "events", "feed")
        await spoil(bets, "events", "bets")
        assert {500, 503} & await ask_everything(line)
        assert {500, 503} & await ask_everything(bets)
        for service in (line, bets):
            assert await service.stop() == 0
    for service in (line, bets):
        text = service.log.read_text()
        assert SECRET not in text, [each for each in text.splitlines() if SECRET in each][:3]
        told = [json.loads(each) for each in text.splitlines()]
        assert len(told) > 200
        assert {each["service"] for each in told} == {service.log.name.rsplit("-", 1)[0]}
        assert {"request", "a request could not be read"} <= {each["event"] for each in told}
