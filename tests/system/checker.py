"""What must be true of bets and events, told from line-provider's own data, by no code of ours."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from tests.databases import execute as rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import httpx2

    from tests.processes import Service

ROUNDING_US = 100
"""What truncation to microseconds on several clocks can add up to, and more."""


def now_us() -> int:
    """This host's wall clock, which is also line-provider's, in microseconds."""
    return time.time_ns() // 1000


def instant(text: str) -> int:
    """An instant's text, in microseconds."""
    return (datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)) // timedelta(
        microseconds=1
    )


def text(at: int) -> str:
    """The instant as text."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at)).isoformat()


def body_of(answer: httpx2.Response) -> Any:  # noqa: ANN401 - any JSON value
    """The answer's JSON, its numbers exact."""
    return answer.json(parse_float=Decimal, parse_int=Decimal)


@dataclass(frozen=True, slots=True)
class Asked:
    """A bet as its user saw it: what was asked, when, and the answer.

    Attributes:
        sent: the wall clock just before the request was sent, microseconds.
        received: the wall clock just after its answer was read.
        body: the bet, or the problem.
    """

    key: str
    event_id: str
    amount: Decimal
    sent: int
    received: int
    status: int
    body: dict[str, Any]

    @property
    def bet_id(self) -> str:
        """The id of the bet that was made."""
        assert self.status == 201, self.body
        return str(self.body["bet_id"])


async def ask(client: httpx2.AsyncClient, event_id: str, key: str, amount: str) -> Asked:
    """Ask for one bet, once."""
    sent = now_us()
    answer = await client.post(
        "/bets",
        json={"event_id": event_id, "amount": amount},
        headers={"Idempotency-Key": key},
    )
    received = now_us()
    return Asked(
        key, event_id, Decimal(amount), sent, received, answer.status_code, body_of(answer)
    )


async def ask_batch(
    client: httpx2.AsyncClient, wanted: Sequence[tuple[str, str, str]]
) -> list[Asked]:
    """Ask for many bets (event id, key, amount) in one request, once."""
    sent = now_us()
    bets = [{"event_id": event, "key": key, "amount": amount} for event, key, amount in wanted]
    answer = await client.post("/bets/batch", json={"bets": bets})
    received = now_us()
    assert answer.status_code == 200, answer.text
    return [
        Asked(
            *(key, event_id, Decimal(amount), sent, received),
            *(result["status"], result.get("bet") or result["problem"]),
        )
        for (event_id, key, amount), result in zip(wanted, body_of(answer)["results"], strict=True)
    ]


async def all_bets(
    client: httpx2.AsyncClient, event_ids: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Every bet in the history, or every one on these events, by its id."""
    bets: dict[str, dict[str, Any]] = {}
    link = "?limit=1000"
    while link:
        answer = await client.get(f"/bets{link}")
        assert answer.status_code == 200
        for bet in body_of(answer):
            assert bet["bet_id"] not in bets, "a bet is listed twice"
            bets[bet["bet_id"]] = bet
        link = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    if event_ids is None:
        return bets
    return {bet_id: bet for bet_id, bet in bets.items() if bet["event_id"] in event_ids}


async def event_at(client: httpx2.AsyncClient, event_id: str) -> dict[str, Any]:
    """The event, as the service shows it."""
    answer = await client.get(f"/events/{event_id}")
    assert answer.status_code == 200, answer.text
    return dict(body_of(answer))


async def same_line(
    line: Service, bets: Service, event_ids: Iterable[str], within_s: float = 10
) -> dict[str, dict[str, Any]]:
    """Line-provider's events by id, once bet-maker shows them field by field the same.

    Each is waited for by itself: there may be thousands.
    """
    events = {event_id: await event_at(line.client, event_id) for event_id in event_ids}
    for event_id, event in events.items():
        async with asyncio.timeout(within_s):
            while (await bets.client.get(f"/events/{event_id}")).status_code == 404:
                await asyncio.sleep(0.02)
            while await event_at(bets.client, event_id) != event:
                await asyncio.sleep(0.02)
    return events


async def check_prices(line: httpx2.AsyncClient, bets: dict[str, dict[str, Any]]) -> None:
    """Each bet has the coefficient of the version of its event that it names."""
    priced: dict[tuple[str, int], Decimal] = {}
    for event_id in {bet["event_id"] for bet in bets.values()}:
        for version in body_of(await line.get(f"/events/{event_id}/history?limit=1000")):
            priced[event_id, version["version"]] = version["event"]["coefficient"]
    for bet in bets.values():
        assert bet["coefficient"] == priced[bet["event_id"], bet["event_version"]], bet


def outcome(bet: dict[str, Any], event: dict[str, Any]) -> tuple[str, Decimal | None]:
    """The status and payout that the bet must have: the promise in ten lines."""
    if instant(bet["placed_at"]) >= instant(event["closed_at"]) or event["status"] == "VOID":
        return "VOID", bet["amount"]
    if event["status"] == "NEW":
        return "PENDING", None
    if event["status"] == "LOSE":
        return "LOST", Decimal(0)
    won = bet["amount"] * bet["coefficient"]
    return "WON", won.quantize(Decimal("0.01"), ROUND_HALF_UP)


def check_outcomes(bets: dict[str, dict[str, Any]], events: dict[str, dict[str, Any]]) -> None:
    """Each bet stands as its event says, and pays what it must."""
    for bet in bets.values():
        shown = bet["status"], bet["payout"]
        assert shown == outcome(bet, events[bet["event_id"]]), bet


def check_acknowledged(bets: dict[str, dict[str, Any]], asked: Iterable[Asked]) -> None:
    """Each bet that was acknowledged is there as it was acknowledged; each refusal made none."""
    answers = list(asked)
    made = {one.bet_id: one for one in answers if one.status == 201}
    assert len(made) == sum(one.status == 201 for one in answers), "two keys share a bet"
    assert made.keys() == bets.keys(), "a bet was lost, or made without an answer"
    for bet_id, one in made.items():
        bet = bets[bet_id]
        assert (bet["event_id"], bet["amount"]) == (one.event_id, one.amount)
        for field in ("event_id", "amount", "coefficient", "placed_at", "event_version"):
            assert bet[field] == one.body[field], field


def check_times(
    bets: dict[str, dict[str, Any]],
    events: dict[str, dict[str, Any]],
    asked: Iterable[Asked],
    round_trip_us: int,
) -> None:
    """By true time: what came after closing never counts, what was answered before it always does.

    The clocks are one host's, so the true time of a bet lies between `sent` and `received`.
    """
    for one in asked:
        if one.status != 201:
            continue
        bet, closed_at = bets[one.bet_id], instant(events[one.event_id]["closed_at"])
        placed_at = instant(bet["placed_at"])
        assert one.sent - ROUNDING_US <= placed_at <= one.received + round_trip_us, one
        if bet["status"] in {"WON", "LOST"}:
            assert placed_at < closed_at
            assert one.sent < closed_at + ROUNDING_US
        if bet["status"] == "VOID" and events[one.event_id]["status"] != "VOID":
            assert one.received > closed_at - round_trip_us


def check_feed(database: str) -> None:
    """Line-provider's log has no gap, in seq, in time, or in any event's versions."""
    log = rows(database, "SELECT seq, at, event_id, version FROM feed ORDER BY seq")
    assert [seq for seq, *_ in log] == list(range(1, len(log) + 1))
    assert rows(database, "SELECT seq FROM head") == [(len(log),)]
    times = [at for _, at, *_ in log]
    assert times == sorted(set(times))
    versions: dict[str, int] = {}
    for _, _, event_id, version in log:
        assert version == versions.get(event_id, 0) + 1
        versions[event_id] = version


def check_keys(database: str) -> None:
    """No key names two bets, and a file is sound."""
    query = "SELECT key FROM bets WHERE key IS NOT NULL GROUP BY user_id, key HAVING count(*) > 1"
    assert rows(database, query) == []
    if database.startswith("sqlite"):
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]
