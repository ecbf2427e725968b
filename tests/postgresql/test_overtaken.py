"""A line that goes on between the statement that refuses a bet and the one that tells why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from stakeline.bet_maker.bets import Bet
from stakeline.bet_maker.limits import Limits
from stakeline.errors import LimitExceeded, Unavailable
from tests import databases
from tests.bet_maker.replica import asked, item, open_replica
from tests.bet_maker.replica import event as known

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bet_maker.replica import Replica

MADE = "UPDATE events SET event_id = 'derby'"


def going_on(replica: Replica, when: str, change: str) -> None:
    """Have a change committed before or after each statement that accepts bets."""

    def go_on(*about: Any) -> None:  # noqa: ANN401 - as SQLAlchemy's, or nothing
        if not about or "INSERT INTO bets" in about[2]:
            databases.execute(replica.url, change)

    async def write_alone(*asked: Any) -> Any:  # noqa: ANN401 - as the engine's
        if when == "before":
            go_on()
        rows = await alone(*asked)
        if when == "after":
            go_on()
        return rows

    connections = replica.database._connections
    alone = connections.write_alone
    connections.write_alone = write_alone  # type: ignore[method-assign, assignment]
    # Within limits it is one of several of a transaction.
    event.listen(replica.database.engine.sync_engine, f"{when}_cursor_execute", go_on)


@pytest.mark.parametrize(
    ("here", "accept", "change"),
    [
        (known("other"), "any", MADE),
        (known(coefficient=190), "exact", "UPDATE events SET coefficient = 200"),
        (known(coefficient=190), "better", "UPDATE events SET coefficient = 210"),
    ],
    ids=["not there yet", "another price", "a worse price"],
)
async def test_a_bet_that_can_be_taken_by_then_is_taken(
    here: Any,  # noqa: ANN401 - an event
    accept: str,
    change: str,
    tmp_path: Path,
) -> None:
    """It is not refused for a price that it would have taken."""
    async with open_replica(tmp_path) as replica:
        await replica.apply(item(1, of=here))
        going_on(replica, "after", change)
        price = None if accept == "any" else 200
        (bet,) = await replica.place(asked(accept=accept, asked_coefficient=price))
        assert isinstance(bet, Bet), bet
        assert await replica.number_of_bets() == 1


async def test_an_event_that_comes_after_the_limits_were_locked(tmp_path: Path) -> None:
    """A bet on it is judged only when its event's exposure has been locked too."""
    async with open_replica(tmp_path) as replica:
        await replica.apply(item(1, of=known()), item(2, of=known("other")))
        going_on(replica, "before", "UPDATE events SET event_id = 'new' WHERE event_id = 'other'")
        group = [asked(), asked("new", amount=1500), asked("new", amount=501), asked("new")]
        first, large, fits, more = await replica.place(*group, limits=Limits(event_exposure=1000))
        assert (type(first), type(fits)) == (Bet, Bet)
        assert isinstance(large, LimitExceeded)
        assert isinstance(more, LimitExceeded)
        assert str(more.members["largest_amount"]) == "4.99"


async def test_a_line_that_goes_on_for_ever(tmp_path: Path) -> None:
    """At last the user is told to come again; who takes what there is has a bet."""
    async with open_replica(tmp_path) as replica:
        await replica.apply(item(1, of=known(coefficient=190)))
        going_on(replica, "before", "UPDATE events SET coefficient = 190")
        going_on(replica, "after", "UPDATE events SET coefficient = 200")
        group = [asked(accept="exact", asked_coefficient=price) for price in (200, 190)]
        problem, bet = await replica.place(*group)
        assert isinstance(problem, Unavailable)
        assert isinstance(bet, Bet)
        assert (bet.bet_id, bet.coefficient) == (group[1].bet_id, 190)
        assert await replica.number_of_bets() == 1


async def test_a_database_that_goes_while_one_is_judged_again(tmp_path: Path) -> None:
    """Only that one is told to come again: what others have got is on disk."""
    async with open_replica(tmp_path) as replica:
        await replica.apply(item(1, of=known()), item(2, of=known("other")))
        going_on(replica, "after", "UPDATE events SET event_id = 'new' WHERE event_id = 'other'")
        connections = replica.database._connections
        alone = connections.write_alone
        times = 0

        async def write_alone(*asked: Any) -> Any:  # noqa: ANN401 - as the engine's
            nonlocal times
            times += 1
            if times > 1:
                raise OperationalError("a test", None, ConnectionError("it is gone"))
            return await alone(*asked)

        connections.write_alone = write_alone  # type: ignore[method-assign, assignment]
        group = [asked(), asked("new")]
        taken, again = await replica.place(*group)
        assert isinstance(taken, Bet), taken
        assert isinstance(again, Unavailable), again
        assert await replica.number_of_bets() == 1
