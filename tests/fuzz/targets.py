"""The services to be fuzzed: what runs, what is known there, and as whom they are asked."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests import processes
from tests.fuzz.hooks import SPARED, STANDALONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RUNS = [
    *(("line-provider", role) for role in ("open", "operator", "user", "service")),
    *(("bet-maker", role) for role in ("open", "operator", "user")),
    *(("standalone", role) for role in ("open", "operator", "user")),
]
"""Each service as each role that it knows; in open mode everybody may do everything."""
EVENTS = ("arsenal-chelsea", "leeds-everton", "1")
"""On the line from the start; the first is the documents' own example."""
PASSWORD = secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Target:
    """A service that runs, and what schemathesis has to know of it."""

    url: str
    headers: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def running(service: str, role: str, folder: Path) -> AsyncIterator[Target]:
    """The service with a line to bet on, asked as `role`; stopped when the block ends."""
    secret, line_token, feed_token = (secrets.token_hex(32) for _ in range(3))
    line, bets = processes.line_provider(folder), processes.bet_maker(folder, "")
    bets.environment["BET_MAKER_LINE_PROVIDER_URL"] = line.url
    if service == "standalone":
        bets.environment["BET_MAKER_STANDALONE"] = "1"
        del bets.environment["BET_MAKER_LINE_PROVIDER_URL"]
    if role != "open":
        line.environment |= {
            "LINE_PROVIDER_DOCS": "public",  # schemathesis reads the document as nobody
            "LINE_PROVIDER_JWT_SECRET": secret,
            "LINE_PROVIDER_OPERATOR_TOKENS": f"tests={line_token}",
            "LINE_PROVIDER_FEED_TOKENS": f"bet-maker={feed_token}",
        }
        bets.environment |= {
            "BET_MAKER_DOCS": "public",
            "BET_MAKER_JWT_SECRET": secret,
            "BET_MAKER_TOKEN_LIFETIME_S": "86400",
            "BET_MAKER_FIRST_USER_USERNAME": "operator",
            "BET_MAKER_FIRST_USER_PASSWORD": PASSWORD,
        }
        if service != "standalone":
            bets.environment["BET_MAKER_LINE_PROVIDER_TOKEN"] = feed_token
    async with processes.running(*([bets] if service == "standalone" else [line, bets])):
        operates = {} if role == "open" else bearer(line_token)
        for event_id in () if service == "standalone" else EVENTS:
            terms = {"coefficient": 1.95, "deadline": "2099-01-01T00:00:00Z"}
            answer = await line.client.put(f"/events/{event_id}", json=terms, headers=operates)
            answer.raise_for_status()
        asked = line if service == "line-provider" else bets
        environment = {STANDALONE: "1"} if service == "standalone" else {}
        if role == "open":
            yield Target(asked.url, {}, environment)
        elif role == "service":
            yield Target(asked.url, bearer(feed_token), environment)
        else:
            headers, user_id = await known_as(bets, role)
            yield Target(asked.url, headers, environment | {SPARED: user_id})


async def known_as(bets: processes.Service, role: str) -> tuple[dict[str, str], str]:
    """The headers, and the id, of the only operator there is, or of a user made by them."""
    operates = bearer(await log_in(bets, "operator"))
    if role == "user":
        new = {"username": "user", "password": PASSWORD}
        (await bets.client.post("/users", json=new, headers=operates)).raise_for_status()
    headers = bearer(await log_in(bets, role))
    answer = await bets.client.get("/users/me", headers=headers)
    return headers, str(answer.json()["user_id"])


async def log_in(bets: processes.Service, username: str) -> str:
    """A token of the user."""
    login = {"username": username, "password": PASSWORD}
    answer = (await bets.client.post("/token", json=login)).raise_for_status()
    return str(answer.json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
