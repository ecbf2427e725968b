"""Lists are written by the database; a bet looks in them as it does when it is placed."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

from stakeline import clock, ids, money
from stakeline.bet_maker import bets, history, tables
from stakeline.bet_maker.bodies import bet_json
from stakeline.bet_maker.history import Selection
from tests.bet_maker.replica import event

if TYPE_CHECKING:
    from stakeline.bet_maker.bets import BetStatus
    from tests.bet_maker.replica import Replica

EVENTS = {
    f"{status}:.-_{'A' * length}": (status, length)
    for status, length in product(("NEW", "WIN", "LOSE", "VOID"), (0, 40))
}
TIMES = [
    clock.parse_instant(text)
    for text in (
        "2000-01-01T00:00:00Z",
        "2016-02-29T23:59:59.000001Z",
        "2026-08-01T18:00:00.1Z",
        "2038-01-19T03:14:08.02Z",
        "2049-12-31T23:59:59.999999Z",
    )
]
AMOUNTS = (1, 9, 10, 99, 100, 1050, 123_456, money.MAX_AMOUNT)
COEFFICIENTS = (None, 1, 99, 100, 195, money.MAX_COEFFICIENT)


async def fill(replica: Replica) -> None:
    """Bets of every amount, price, time and fate there can be; every other one is of user 2."""
    await replica.resync(
        *(
            event(event_id, status=status, deadline=TIMES[-1] if length else clock.LATEST - 1)
            for event_id, (status, length) in EVENTS.items()
        )
    )
    known = product(EVENTS, TIMES, AMOUNTS, COEFFICIENTS)
    rows = [
        {
            "bet_id": ids.new_bet_id(placed_at),
            "user_id": 1 + n % 2,
            "event_id": event_id,
            "amount": amount,
            "coefficient": coefficient,
            "accept": "any",
            "placed_at": placed_at,
            "event_version": 10 ** (n % 19),
            "feed_seq": 1,
            "snapshot": 1,
            "fix_at": placed_at,
        }
        for n, (event_id, placed_at, amount, coefficient) in enumerate(known)
    ]
    async with replica.database.write() as conn:
        await conn.execute(tables.users.insert().values(user_id=2, username="two"))
        await conn.execute(tables.bets.insert(), rows)


async def every(replica: Replica) -> list[bets.Bet]:
    """All bets, the newest first."""
    async with replica.database.read() as conn:
        query = bets.SHOWN.order_by(tables.bets.c.bet_id.desc())
        return [bets.shown(row) for row in (await conn.execute(query)).mappings()]


async def test_a_list_shows_bets_as_every_other_answer_does(replica: Replica) -> None:
    """Byte for byte: amounts, prices, payouts, times with and without microseconds, fates."""
    await fill(replica)
    stored = await every(replica)
    async with replica.database.read() as conn:
        for with_users in (False, True):
            listed, last = await history.page(
                conn, None, 10_000, chosen=Selection(None), with_users=with_users
            )
            assert last is None
            assert listed == [bet_json(bet, with_user=with_users) for bet in stored]
    assert len(stored) == len(EVENTS) * len(TIMES) * len(AMOUNTS) * len(COEFFICIENTS)
    assert {bet.status for bet in stored} == {"PENDING", "WON", "LOST", "VOID"}


async def test_every_selection_is_what_it_says(replica: Replica) -> None:
    """By user, event, status and time, alone and together, in pages of any size."""
    await fill(replica)
    spans = [(None, None), (TIMES[1], TIMES[3]), (TIMES[2], None), (None, TIMES[2])]
    stored = await every(replica)
    statuses: tuple[BetStatus | None, ...] = (None, "VOID")
    for user_id, event_id, status, (start, end) in product(
        (None, 2), (None, next(iter(EVENTS)), "none"), statuses, spans
    ):
        chosen = Selection(user_id, status, event_id, start, end)
        expected = [
            bet.bet_id
            for bet in stored
            if user_id in {None, bet.user_id}
            and event_id in {None, bet.event_id}
            and status in {None, bet.status}
            and (start or 0) <= bet.placed_at < (end or clock.LATEST)
        ]
        for limit in (100, 999, 1000, 5000):
            found, place = await replica.page(chosen, None, limit)
            while place is not None:
                more, place = await replica.page(chosen, place, limit)
                found += more
            assert found == expected


async def test_the_last_page_of_a_status_may_be_the_first(replica: Replica) -> None:
    """Where all that there is was looked through, nothing leads to an empty page."""
    await fill(replica)
    lost = [bet.bet_id for bet in await every(replica) if bet.status == "LOST" and bet.user_id == 2]
    assert await replica.page(Selection(2, "LOST"), lost[-3], 5) == (lost[-2:], None)
    assert await replica.page(Selection(2, "LOST"), lost[-3], 2) == (lost[-2:], None)
    assert await replica.page(Selection(2, "LOST"), lost[-4], 2) == (lost[-3:-1], lost[-2])


async def test_the_parts_of_an_export_are_the_whole_of_it(replica: Replica) -> None:
    """Of any selection, in parts of any size: every bet once, the newest first."""
    await fill(replica)
    statuses: tuple[BetStatus | None, ...] = (None, "VOID")
    for user_id, event_id, status, placed_from in product(
        (None, 2), (None, next(iter(EVENTS)), "none"), statuses, (None, TIMES[2])
    ):
        chosen = Selection(user_id, status, event_id, placed_from, None)
        expected, _ = await replica.page(chosen, None, 5000)
        for size in (1, 7, len(expected) or 1, 5000):
            if size == 1 and len(expected) > 300:
                continue
            found: list[str] = []
            place: str | None = None
            while True:
                async with replica.database.read() as conn:
                    end = await history.end_of_part(conn, place, size, chosen=chosen)
                    lines = await history.part(conn, place, end, chosen=chosen)
                found += [json.loads(line)["bet_id"] for line in lines.splitlines()]
                if end is None:
                    break
                place = end
            assert found == expected
