"""The line changes between the statements of a judgement."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from stakeline.bet_maker.bets import Bet
from stakeline.errors import Problem
from tests import databases
from tests.bet_maker.replica import asked, event, item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bet_maker.replica import Replica


@contextmanager
def changing(replica: Replica, *changes: str) -> Iterator[None]:
    """One change more before and after each time that reasons are looked up."""
    left = list(changes)

    def change() -> None:
        if left:
            databases.execute(replica.url, left.pop(0))

    def before(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        if statement.startswith("SELECT users."):  # the first of them
            change()

    def after(*_: Any) -> None:  # noqa: ANN401
        if len(left) % 2 != len(changes) % 2:
            change()

    engine = replica.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", before)
    sa.event.listen(engine, "checkin", after)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)
        sa.event.remove(engine, "checkin", after)
    assert not left


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (event("later"), "UPDATE events SET event_id = 'derby'"),
        (event(coefficient=210), "UPDATE events SET coefficient = 200"),
    ],
)
async def test_a_bet_is_judged_again(replica: Replica, before: Any, change: str) -> None:  # noqa: ANN401
    """A bet that was refused for what is no longer so is not told something else that is not so."""
    await replica.apply(item(1, of=before))
    with changing(replica, change):
        (bet,) = await replica.place(asked(asked_coefficient=200, accept="exact"))
    assert isinstance(bet, Bet), bet
    assert (bet.event_id, bet.coefficient, await replica.number_of_bets()) == ("derby", 200, 1)


async def test_others_of_its_group_keep_their_answers(replica: Replica) -> None:
    """Each of a group is told its own, in order, whichever of them was judged again."""
    await replica.apply(item(1, of=event()), item(2, of=event("moved", coefficient=210)))
    change = "UPDATE events SET coefficient = 200 WHERE event_id = 'moved'"
    with changing(replica, change):
        answers = await replica.place(
            asked("nowhere"),
            asked("moved", asked_coefficient=200, accept="exact", key="same"),
            asked(amount=300),
            asked("moved", asked_coefficient=200, accept="exact", key="same"),
            asked(asked_coefficient=300, accept="better"),
        )
    told = [one.code if isinstance(one, Problem) else (one.event_id, one.amount) for one in answers]
    assert told == [
        "event_not_found",
        ("moved", 1000),
        ("derby", 300),
        ("moved", 1000),
        "price_changed",
    ]
    assert await replica.number_of_bets() == 2


async def test_a_line_that_never_rests_is_told_as_such(replica: Replica) -> None:
    """After some judgements the user is asked to repeat the request; no bet was made."""
    await replica.apply(item(1, of=event(coefficient=210)))
    away, back = "UPDATE events SET coefficient = 210", "UPDATE events SET coefficient = 200"
    with changing(replica, *(back, away) * 4):
        (problem,) = await replica.place(asked(asked_coefficient=200, accept="exact"))
    assert isinstance(problem, Problem)
    assert problem.code == "unavailable"
    assert await replica.number_of_bets() == 0
