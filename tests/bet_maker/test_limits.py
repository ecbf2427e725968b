"""Limits on amounts: what goes beyond one is refused, with the largest amount that would do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from stakeline import money
from stakeline.bet_maker import acceptance, tables
from stakeline.bet_maker import limits as limiting
from stakeline.bet_maker.bets import Asked, Bet
from stakeline.bet_maker.limits import Limits
from stakeline.errors import BettingClosed, LimitExceeded, PriceChanged, Problem
from tests import databases
from tests.bet_maker.replica import HOUR, NOW, asked, event, item

if TYPE_CHECKING:
    from tests.bet_maker.replica import Replica


def told(answer: Bet | Problem) -> tuple[str, str] | None:
    """The limit and the largest amount in a refusal; None if the bet was taken."""
    if isinstance(answer, Bet):
        return None
    assert isinstance(answer, LimitExceeded), answer
    return str(answer.members["limit"]), str(answer.members["largest_amount"])


async def place(replica: Replica, limits: Limits, *group: Asked) -> list[tuple[str, str] | None]:
    """What comes of each bet of a group."""
    return [told(answer) for answer in await replica.place(*group, limits=limits)]


async def add_user(replica: Replica, user_id: int) -> None:
    """Another user than the anonymous one."""
    async with replica.database.write() as conn:
        row = {"user_id": user_id, "username": f"user {user_id}"}
        await conn.execute(tables.users.insert(), row)


async def test_a_bet_has_a_smallest_and_a_largest_amount(replica: Replica) -> None:
    """Both are inside; beyond them the largest one is told, whichever was broken."""
    await replica.apply(item(1, of=event()))
    limits = Limits(smallest_amount=500, largest_amount=2000)
    group = [asked(amount=amount) for amount in (499, 500, 2000, 2001)]
    assert await place(replica, limits, *group) == [
        ("smallest_amount", "20.00"),
        None,
        None,
        ("largest_amount", "20.00"),
    ]
    assert await replica.number_of_bets() == 2


async def test_an_exposure_is_filled_to_the_cent_in_the_order_of_the_group(
    replica: Replica,
) -> None:
    """What does not fit leaves its room to the next; at 2.00 a bet gains what is staked."""
    await replica.apply(item(1, of=event()), item(2, of=event("other")))
    limits = Limits(event_exposure=1000)
    group = [asked(amount=amount) for amount in (700, 301, 250, 51, 50, 1)]
    assert await place(replica, limits, *group, asked("other")) == [
        None,
        ("event_exposure", "3.00"),
        None,
        ("event_exposure", "0.50"),
        None,
        ("event_exposure", "0.00"),
        None,
    ]
    assert await place(replica, limits, asked(amount=1)) == [("event_exposure", "0.00")]


async def test_an_exposure_counts_payouts_as_they_are_rounded(replica: Replica) -> None:
    """At 1.95 the cents of a payout are rounded half up, which is part of what it gains."""
    await replica.apply(item(1, of=event(coefficient=195)))
    limits = Limits(event_exposure=95)
    assert await place(replica, limits, asked(amount=101)) == [("event_exposure", "1.00")]
    assert await place(replica, limits, asked(amount=100), asked(amount=1)) == [
        None,
        ("event_exposure", "0.00"),
    ]


async def test_a_price_below_one_makes_room(replica: Replica) -> None:
    """The house cannot lose on such a bet, so it is always taken, and what it brings can be won."""
    await replica.apply(item(1, of=event()), item(2, of=event("sure", coefficient=50)))
    limits = Limits(event_exposure=1000)
    assert await place(replica, limits, asked("sure", amount=800), asked("sure")) == [None, None]
    await replica.apply(item(3, of=event("sure", coefficient=200, version=2)))
    assert await place(replica, limits, asked("sure", amount=1901)) == [("event_exposure", "19.00")]
    assert await place(replica, limits, asked("sure", amount=1900)) == [None]


async def test_a_users_open_bets_count_until_their_events_have_a_result(replica: Replica) -> None:
    """A result makes room again, a correction to none takes it away; others have room of theirs."""
    await add_user(replica, 2)
    await replica.apply(*(item(n, of=event(f"{n}")) for n in (1, 2, 3)))
    limits = Limits(user_open_amount=1000)
    assert await place(replica, limits, asked("1", amount=600), asked("2", amount=300)) == [
        None,
        None,
    ]
    assert await place(replica, limits, asked("3", amount=101), asked("3", user_id=2)) == [
        ("user_open_amount", "1.00"),
        None,
    ]
    decided = {"version": 2, "closed_at": NOW + 1}
    await replica.apply(item(4, of=event("1", status="WIN", **decided)))
    assert await place(replica, limits, asked("3", amount=701)) == [("user_open_amount", "7.00")]
    await replica.apply(item(5, of=event("1", status="NEW", **decided | {"version": 3})))
    assert await place(replica, limits, asked("3", amount=101)) == [("user_open_amount", "1.00")]
    assert await place(replica, limits, asked("3", amount=100)) == [None]


async def test_the_limit_that_leaves_the_least_is_named(replica: Replica) -> None:
    """And no amount is told that the smallest one forbids."""
    await replica.apply(item(1, of=event(coefficient=300)))
    limits = Limits(
        smallest_amount=200, largest_amount=900, user_open_amount=2000, event_exposure=3000
    )
    group = [asked(amount=amount) for amount in (1000, 900, 700, 500, 300, 199)]
    assert await place(replica, limits, *group) == [
        ("largest_amount", "9.00"),
        None,
        ("event_exposure", "6.00"),
        None,
        ("event_exposure", "0.00"),
        ("event_exposure", "0.00"),
    ]
    tight = Limits(largest_amount=900, user_open_amount=1410, event_exposure=3000)
    assert await place(replica, tight, asked(amount=11)) == [("user_open_amount", "0.10")]


async def test_bets_refused_for_other_reasons_count_nothing(replica: Replica) -> None:
    """Nor do repeats, and what was refused by a limit."""
    await replica.apply(item(1, of=event()), item(2, of=event("over", deadline=NOW)))
    limits = Limits(user_open_amount=1000, event_exposure=1000)
    group = [
        asked("over"),
        asked(accept="exact", asked_coefficient=190),
        asked(amount=1001),
        asked(amount=400, key="a"),
        asked(amount=400, key="a"),
        asked(amount=600),
    ]
    closed, moved, large, first, again, last = await replica.place(*group, limits=limits)
    assert (type(closed), type(moved)) == (BettingClosed, PriceChanged)
    assert told(large) == ("user_open_amount", "10.00")
    assert isinstance(first, Bet)
    assert isinstance(again, Bet)
    assert again.replayed
    assert isinstance(last, Bet)


async def test_a_repeat_is_answered_whatever_the_limits(replica: Replica) -> None:
    """The bet stands; a limit that came later does not undo it."""
    await replica.apply(item(1, of=event()))
    (bet,) = await replica.place(asked(key="a"))
    assert isinstance(bet, Bet)
    limits = Limits(largest_amount=1, user_open_amount=1, event_exposure=1)
    (again,) = await replica.place(asked(key="a"), limits=limits)
    assert isinstance(again, Bet)
    assert (again.bet_id, again.replayed) == (bet.bet_id, True)


async def test_a_bet_that_comes_once_more_is_neither_counted_again_nor_removed(
    replica: Replica,
) -> None:
    """As when nobody knows whether its group was written: it is there, and there is room for it."""
    await replica.apply(item(1, of=event()))
    limits = Limits(user_open_amount=1000)
    once = asked(key="once", amount=600)
    first = await replica.place(once, limits=limits)
    (again,) = await replica.place(once, limits=limits)
    assert isinstance(again, Bet)
    assert [again.bet_id] == [bet.bet_id for bet in first if isinstance(bet, Bet)]
    assert await replica.number_of_bets() == 1
    (fits,) = await replica.place(asked(key="more", amount=400), limits=limits)
    assert isinstance(fits, Bet)


async def test_a_refused_bet_is_not_remembered(replica: Replica) -> None:
    """Its key serves another bet, in the same group and later; each is judged by itself."""
    await replica.apply(item(1, of=event()))
    limits = Limits(event_exposure=1000)
    group = [asked(amount=amount, key="a") for amount in (1001, 1002, 300)]
    assert await place(replica, limits, *group) == [
        ("event_exposure", "10.00"),
        ("event_exposure", "10.00"),
        None,
    ]
    assert await replica.number_of_bets() == 1


async def test_bets_of_before_count_when_a_limit_is_set(replica: Replica) -> None:
    """Also those that processes without it took while others had it: each start sums anew."""
    await replica.apply(item(1, of=event()), item(2, of=event("other")))
    limits = Limits(user_open_amount=5001, event_exposure=3000)
    await replica.place(asked())
    assert await place(replica, limits, asked(amount=2001)) == [("event_exposure", "20.00")]
    await replica.place(asked(), asked("other"))
    await limiting.forget(replica.database, limits)
    assert await place(replica, limits, asked(amount=1001)) == [("event_exposure", "10.00")]
    assert await place(replica, limits, asked("other", amount=2001)) == [
        ("event_exposure", "20.00")
    ]
    assert await place(replica, limits, asked("other", amount=2000)) == [None]
    assert await place(replica, limits, asked(amount=2)) == [("user_open_amount", "0.01")]


async def test_a_deadline_that_moves_away_and_back_exceeds_nothing(replica: Replica) -> None:
    """Bets that it voided meanwhile come to life again, so they have counted all the time."""
    await replica.apply(item(1, of=event()))
    limits = Limits(event_exposure=3000, user_open_amount=3000)
    bet = await replica.place_one(placed_at=NOW + 10)
    await replica.apply(item(2, of=event(deadline=NOW + 5, version=2)))
    assert (await replica.bet(bet)).status == "VOID"
    assert await place(replica, limits, asked(amount=2001)) == [("user_open_amount", "20.00")]
    assert await place(replica, limits, asked(amount=2000)) == [None]
    await replica.apply(item(3, of=event(deadline=NOW + HOUR, version=3)))
    assert (await replica.bet(bet)).status == "PENDING"
    assert await exposure(replica) == 3000


async def test_a_resync_keeps_what_was_counted(replica: Replica) -> None:
    """An event that the new line still has open has its exposure, bets of the old line included."""
    await replica.apply(item(1, of=event()))
    limits = Limits(event_exposure=1500)
    assert await place(replica, limits, asked()) == [None]
    await replica.resync(event(version=7), epoch="another")
    assert await place(replica, limits, asked(epoch="another", amount=501)) == [
        ("event_exposure", "5.00")
    ]


async def exposure(replica: Replica, event_id: str = "derby") -> int:
    """What the bets on an event gain if all win, summed from them."""
    on_event = sa.select(tables.bets).where(tables.bets.c.event_id == event_id)
    async with replica.database.read() as conn:
        rows = await conn.execute(on_event)
        return sum(money.winnings(row.amount, row.coefficient) - row.amount for row in rows)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(user_open_amount=5_000),
        Limits(event_exposure=4_321),
        Limits(user_open_amount=5_000, event_exposure=4_321),
    ],
    ids=["open amount", "exposure", "both"],
)
async def test_groups_that_cross_exceed_nothing(replica: Replica, limits: Limits) -> None:
    """Users and events in any order, from many connections: no deadlock, not a cent too much."""
    events, users = [f"e{n}" for n in range(6)], range(2, 8)
    for user_id in users:
        await add_user(replica, user_id)
    await replica.apply(*(item(n, of=event(one)) for n, one in enumerate(events, 1)))

    async def bet(start: int) -> list[Bet | Problem]:
        group = [
            asked(events[start * n % 6], user_id=users[(start + 5 * n) % 6], amount=100 + n)
            for n in range(1, 13)
        ]
        if start % 2:
            group.reverse()
        return await acceptance.accept(replica.database, group, standalone=False, limits=limits)

    async def client(n: int) -> list[Bet | Problem]:
        return [answer for start in range(n, 48, 6) for answer in await bet(start)]

    clients = await asyncio.gather(*(client(n) for n in range(6)))
    kinds = [type(answer) for answers in clients for answer in answers]
    assert set(kinds) == {Bet, LimitExceeded}
    assert kinds.count(Bet) == await replica.number_of_bets()
    at_risk = max([await exposure(replica, one) for one in events])
    assert at_risk <= (limits.event_exposure or at_risk)
    rows = databases.execute(replica.url, "SELECT sum(amount) FROM bets GROUP BY user_id")
    staked = max(amount for (amount,) in rows)
    assert staked <= (limits.user_open_amount or staked)
