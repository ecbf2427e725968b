"""Databases with bets of every fate in them, made by real services that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stakeline.bet_maker import follower
from stakeline.bet_maker.line import Line
from stakeline.db import Database
from tests import databases
from tests.bet_maker.calls import changed, decided, placed, published
from tests.conftest import Both
from tests.databases import url_of
from tests.faults.betting import both_in, passed
from tests.serving import bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from pathlib import Path

LINE, BETS = "line-provider", "bet-maker"
Labels = dict[str, str]
"""What a season's rows are called: bets' ids by their labels (in capitals, too), `seq N` of an item
by `event_version`, its time by `at_event_version`."""


async def play(folder: Path) -> Labels:
    """A line and the bets on it, all fates: each label says what becomes of it."""
    async with both_in(folder) as both:
        prices = {"won": 1.95, "lost": 3.10, "late": 2.20, "off": 2.30, "corrected": 2.40}
        for event_id, price in prices.items():
            await published(both, event_id, coefficient=price)
        for event_id in ("open", "undone", "moved", "plain", "quiet"):
            await published(both, event_id, coefficient=2)
        bets = {
            "won": await _bet(both, "won", key="k1"),
            "half": await _bet(both, "won", amount="0.10", key="k2", coefficient=1.95),
            "lost": await _bet(both, "lost"),
            "late": await _bet(both, "late"),
            "off": await _bet(both, "off"),
            "corrected": await _bet(both, "corrected"),
            "undone": await _bet(both, "undone"),
            "moved": await _bet(both, "moved"),
            "early": await _bet(both, "open", coefficient=2),
        }
        await changed(both, "open", coefficient=2.10)
        bets["better"] = await _bet(both, "open", coefficient=2.05, accept="better")
        bets["exact"] = await _bet(both, "open", coefficient="2.10")
        await passed(bets["exact"]["placed_at"])
        await changed(both, "moved", deadline=bets["moved"]["placed_at"])
        for event_id, status in (("won", "WIN"), ("lost", "LOSE"), ("off", "VOID")):
            await decided(both, event_id, status)
        await decided(both, "late", "WIN", closed_at=bets["late"]["placed_at"])
        await changed(both, "won", name="Won v Named")
        await decided(both, "corrected", "LOSE")
        await decided(both, "corrected", "WIN", reason="goal given after review")
        await decided(both, "undone", "WIN")
        await decided(both, "undone", "NEW")
        for price in (2.5, 2.6):
            await changed(both, "quiet", coefficient=price)
    return labels(folder, bets)


async def play_on(folder: Path) -> Labels:
    """As a line restored from a backup leaves it: bets of two snapshots, rows of two logs."""
    backup = folder / "backup"
    async with serving(line_provider(folder)) as line:
        await line.put("/events/kept", {"coefficient": 2, "deadline": "2090-01-01T00:00:00Z"})
        await line.put("/events/settled", {"coefficient": 2, "deadline": "2090-01-01T00:00:00Z"})
    backup.mkdir()
    databases.copy(url_of(folder, LINE), url_of(backup, LINE))
    async with both_in(folder) as both:
        await published(both, "missing", coefficient=2)
        await published(both, "again", coefficient=2)
        bets = {name: await _bet(both, name) for name in ("kept", "settled", "missing", "again")}
        await decided(both, "settled", "WIN")
        await decided(both, "again", "LOSE")
    databases.copy(url_of(backup, LINE), url_of(folder, LINE))
    async with serving(line_provider(folder)) as line:
        await line.put("/events/again", {"coefficient": 3, "deadline": "2090-01-01T00:00:00Z"})
        await line.post("/events/again/result", {"status": "WIN"})
        await _resync(folder, line.url)
        async with serving(bet_maker(folder, line.url)) as served:
            await until_ready(served)
            both = Both(line, served)
            bets["after"] = await _bet(both, "kept")
            await decided(both, "kept", "WIN")
    return labels(folder, bets)


async def play_standalone(folder: Path) -> Labels:
    """A standalone bet-maker's: one bet of each fate that it knows."""
    async with serving(bet_maker(folder, None)) as served:
        names = ("won", "lost", "off", "open")
        bets = {name: await placed(served, name) for name in names}
        for name, status in (("won", "WIN"), ("lost", "WIN"), ("lost", "LOSE"), ("off", "VOID")):
            await passed(bets[name]["placed_at"])
            await served.put(f"/events/{name}", {"status": status})
    return labels(None, bets)


def labels(folder: Path | None, bets: dict[str, dict[str, Any]]) -> Labels:
    """What the rows in these databases are called; without a folder, only the bets."""
    found = {label: str(bet["bet_id"]) for label, bet in bets.items()}
    found |= {label.upper(): bet_id.upper() for label, bet_id in found.items()}
    if folder is not None:
        query = "SELECT event_id, version, seq, at FROM feed"
        for event_id, version, seq, at in databases.execute(url_of(folder, LINE), query):
            found[f"{event_id}_{version}"] = f"seq {seq}"
            found[f"at_{event_id}_{version}"] = str(at)
    return found


async def _bet(both: Both, event_id: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    amount, key = more.pop("amount", "10.00"), more.pop("key", None)
    body = {"event_id": event_id, "amount": amount} | more
    headers = {"Idempotency-Key": key} if key else {}
    answer = await both.bets.post("/bets", body, headers=headers)
    assert answer.status_code == 201, answer.text
    bet: dict[str, Any] = answer.json()
    return bet


async def _resync(folder: Path, url: str) -> None:
    database, line = Database(url_of(folder, BETS)), Line(url)
    await follower.resync(database, line)
    await line.close()
    await database.close()
