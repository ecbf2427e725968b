"""The largest amount that a refusal tells is just that: it is taken, and a cent more is not."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stakeline import money
from stakeline.bet_maker import tables
from stakeline.bet_maker.bets import Bet
from stakeline.bet_maker.limits import Limits
from stakeline.errors import LimitExceeded
from tests.bet_maker.replica import asked, event, item

if TYPE_CHECKING:
    from tests.bet_maker.replica import Replica

# Small figures meet often; those at the bounds have to be judged without overflow, too.
AMOUNTS = st.integers(1, 500) | st.integers(1, money.MAX_AMOUNT)
PRICES = st.integers(1, 300) | st.integers(1, money.MAX_COEFFICIENT)
LIMITS = st.builds(
    Limits, *(st.none() | st.integers(1, 3000) | st.integers(1, money.MAX_AMOUNT) for _ in range(4))
)
numbers = count(1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    limits=LIMITS,
    before=st.lists(st.tuples(AMOUNTS, PRICES), max_size=4),
    price=PRICES,
    amount=AMOUNTS,
)
async def test_the_largest_amount_is_taken_and_a_cent_more_is_not(
    replica: Replica,
    limits: Limits,
    before: list[tuple[int, int]],
    price: int,
    amount: int,
) -> None:
    """Whatever the limits, the prices, and the bets that have been made."""
    n = next(numbers)
    event_id, user_id = f"event-{n}", 1 + n
    async with replica.database.write() as conn:
        await conn.execute(tables.users.insert(), {"user_id": user_id, "username": f"{n}"})

    async def bet(amount: int) -> Bet | LimitExceeded:
        (answer,) = await replica.place(
            asked(event_id, user_id=user_id, amount=amount), limits=limits
        )
        assert isinstance(answer, (Bet, LimitExceeded))
        return answer

    for version, (staked, at) in enumerate([*before, (None, price)], start=1):
        at_seq = await replica.cursor()
        assert at_seq is not None
        term = event(event_id, coefficient=at, version=version)
        await replica.apply(item(at_seq.seq + 1, of=term))
        if staked is not None:
            await bet(staked)
    answer = await bet(amount)
    if isinstance(answer, Bet):
        return
    largest = int(answer.members["largest_amount"].scaleb(2))  # type: ignore[attr-defined]
    assert largest != amount
    if largest < money.MAX_AMOUNT:
        more = await bet(largest + 1)
        assert isinstance(more, LimitExceeded)
        assert more.members["largest_amount"] == answer.members["largest_amount"]
    if largest > 0:
        assert isinstance(await bet(largest), Bet)
