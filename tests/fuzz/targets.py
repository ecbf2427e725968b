"""The services to be fuzzed: what runs, what is known there, and as whom they are asked."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests import processes
from tests.fuzz.hooks import STANDALONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERVICES = ("line-provider", "bet-maker", "standalone")
ROLES = ("open",)
EVENTS = ("arsenal-chelsea", "leeds-everton", "1")
"""On the line from the start; the first is the documents' own example."""


@dataclass(frozen=True, slots=True)
class Target:
    """A service that runs, and what schemathesis has to know of it."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def running(service: str, role: str, folder: Path) -> AsyncIterator[Target]:  # noqa: ARG001
    """The service with a line to bet on, asked as `role`; stopped when the block ends."""
    if service == "standalone":
        alone = processes.Service("bet-maker", folder, BET_MAKER_STANDALONE="1")
        async with processes.running(alone):
            yield Target(alone.url, environment={STANDALONE: "1"})
        return
    line = processes.line_provider(folder)
    bets = [processes.bet_maker(folder, line.url)] if service == "bet-maker" else []
    async with processes.running(line, *bets):
        for event_id in EVENTS:
            terms = {"coefficient": 1.95, "deadline": "2099-01-01T00:00:00Z"}
            (await line.client.put(f"/events/{event_id}", json=terms)).raise_for_status()
        yield Target((bets or [line])[0].url)
