"""Many clients, several processes and a limit: it is filled to the last bet, and never exceeded."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.verification import proof
from stakeline.verification.source import Databases
from tests import databases
from tests.processes import bet_maker, insist, line_provider, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes import Service

CLIENTS = 64
EACH = 32
FITS = 1300
"""How many bets of 10.00 the limits have room for."""
EVENTS = ("derby", "other", "third")
PROCESSES = 2 if databases.ENGINE == "postgresql" else 1
LIMITS = [
    # At 1.95 a bet of 10.00 gains 9.50; what is left is less than another one wants.
    pytest.param("EVENT_EXPOSURE", FITS * 950 + 949, EVENTS[:1], "9.99", id="exposure"),
    pytest.param("USER_OPEN_AMOUNT", FITS * 1000 + 999, EVENTS, "9.99", id="open amount"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("limit", "cents", "events", "left"), LIMITS)
async def test_a_limit_is_filled_and_not_exceeded(
    tmp_path: Path, limit: str, cents: int, events: tuple[str, ...], left: str
) -> None:
    """Also while a process is killed: who lost an answer repeats the bet with its key."""
    line = line_provider(tmp_path)
    makers = [bet_maker(tmp_path, line.url) for _ in range(PROCESSES)]
    for maker in makers:
        maker.environment[f"BET_MAKER_{limit}"] = f"{cents // 100}.{cents % 100:02}"
    async with running(line, *makers):
        for event_id in events:
            event = {"event_id": event_id, "coefficient": "1.95"}
            assert (await line.client.post("/events", json=event)).status_code == 201
            for maker in makers:
                await maker.until_ready(f"/events/{event_id}")
        killing = asyncio.create_task(kill_and_restart(makers[-1]))
        answers = [
            answer
            for client in await asyncio.gather(
                *(bets_of(client, makers, events) for client in range(CLIENTS))
            )
            for answer in client
        ]
        await killing
        assert Counter(status for status, _ in answers) == {
            201: FITS,
            409: CLIENTS * EACH - FITS,
        }
        refusals = [body for status, body in answers if status == 409]
        assert {(body["code"], body["limit"]) for body in refusals} == {
            ("limit_exceeded", limit.lower())
        }
        assert f"{refusals[-1]['largest_amount']:.2f}" == left
        assert sum_of_bets(makers[0]) == (FITS, FITS * 1000)
        report = await proof.verify(Databases(line.database, makers[0].database))
        assert report.clean, list(report.lines())


async def kill_and_restart(maker: Service) -> None:
    """One process dies in the middle of the bets, and comes back."""
    while sum_of_bets(maker)[0] < FITS // 4:
        await asyncio.sleep(0.05)
    await maker.kill()
    await maker.restart()


async def bets_of(
    client: int, makers: list[Service], events: tuple[str, ...]
) -> list[tuple[int, dict[str, Any]]]:
    """What one client is answered, bet after bet, to each of them at last."""
    answers = []
    for n in range(EACH):
        maker = makers[(client + n) % len(makers)].client
        bet = {"event_id": events[(client + n) % len(events)], "amount": 10}
        key = {"Idempotency-Key": f"{client}-{n}"}
        answer = await insist(lambda: maker.post("/bets", json=bet, headers=key))  # noqa: B023
        answers.append((answer.status_code, answer.json()))
    return answers


def sum_of_bets(maker: Service) -> tuple[int, int]:
    """How many bets there are, and their amounts in cents."""
    ((count, staked),) = databases.execute(maker.database, "SELECT count(*), sum(amount) FROM bets")
    return count, int(staked or 0)
