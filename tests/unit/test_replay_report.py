"""What a replay makes of its answers: each bet against the file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stakeline import strictjson
from stakeline.cli import calls
from stakeline.cli.replay_report import Tally, outcome
from stakeline.fixtures import Fixture, FixtureStatus

FIXTURE = Fixture(7, "derby", "Here v There", 195, 0, "WIN")


async def test_a_defect_of_our_own_is_not_told_as_a_service_that_fails() -> None:
    """Only what a service does wrong is one line; anything else keeps its traceback."""

    async def work(item: int) -> None:
        raise ZeroDivisionError(item)

    with pytest.raises(ExceptionGroup):
        await calls.each([1], work, 2)


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"code": "not_found", "detail": "Nothing here."}, "not_found", "Nothing here."),
        (
            {"detail": "Wrong.", "errors": [{"field": "body.name", "reason": "is required"}]},
            "status_422",
            "Wrong: body.name is required",
        ),
        ([1], "status_422", "status_422"),
        ({"code": 7}, "status_422", "status_422"),
    ],
)
def test_an_answer_tells_its_code_and_reason(body: object, code: str, reason: str) -> None:
    """One line, with the fields that a problem names, and something to say without any problem."""
    told = calls.Answer(422, body)
    assert (told.code, told.reason) == (code, reason)


def bet(bet_id: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """A settled bet of 10.50 at 1.95 on a won event, as bet-maker lists it."""
    body = {
        "bet_id": bet_id,
        "amount": 10.5,
        "coefficient": 1.95,
        "status": "WON",
        "payout": 20.48,
    }
    read: dict[str, Any] = strictjson.loads(strictjson.dumps(body | members))
    return read


@pytest.mark.parametrize(
    ("listed", "differences"),
    [
        ([bet("a"), bet("b")], []),
        ([bet("b"), bet("a", amount=10.50)], []),
        ([bet("a")], ["bet b is not among the bets of its event"]),
        ([], ["bet a is not among the bets", "bet b is not among the bets"]),
        ([bet("a"), bet("b"), bet("b")], ["bet b is listed 2 times"]),
        ([bet("a"), bet("b"), bet("c")], ["bet c is among the bets, but was never acknowledged"]),
        ([bet("a"), bet("b", payout=20.47)], ["bet b has payout 20.47, by the file 20.48"]),
        ([bet("a"), bet("b", payout=20.475)], ["bet b has payout 20.475, by the file 20.48"]),
        ([bet("a"), bet("b", payout=None)], ["bet b has payout nothing, by the file 20.48"]),
        ([bet("a"), bet("b", payout="20.48")], ["bet b has payout 20.48, by the file 20.48"]),
        ([bet("a"), bet("b", status="LOST")], ["bet b has status LOST, by the file WON"]),
        ([bet("a"), bet("b", coefficient=1.9)], ["bet b has coefficient 1.9, by the file 1.95"]),
        ([bet("a"), bet("b", amount=1e300)], ["bet b has amount 1E+300, by the file 10.50"]),
    ],
)
def test_the_check_tells_missing_extra_and_wrong_bets(
    listed: list[dict[str, Any]], differences: list[str]
) -> None:
    """The bets a and b were acknowledged; each way to differ from that is named."""
    tally = Tally()
    tally.check(FIXTURE, [("a", 1050), ("b", 1050)], listed)
    assert len(tally.differences) == len(differences)
    for found, expected in zip(sorted(tally.differences), differences, strict=True):
        assert found.startswith(f"line 7, Here v There: {expected}")


def test_a_bet_that_two_users_were_given_is_told() -> None:
    """One bet cannot stand for two, even where it is listed and settled as it must be."""
    tally = Tally()
    tally.check(FIXTURE, [("a", 1050), ("a", 1050)], [bet("a")])
    assert tally.differences == ["line 7, Here v There: bet a was acknowledged to 2 users"]


@pytest.mark.parametrize(
    ("coefficient", "amount", "status", "payout"),
    [
        (195, 1050, "WIN", "20.48"),  # 20.475
        (133, 50, "WIN", "0.67"),  # 0.665
        (149, 1, "WIN", "0.01"),
        (150, 1, "WIN", "0.02"),
        (1_000_000, 99_999_999_999, "WIN", "9999999999900.00"),
        (195, 1050, "LOSE", "0.00"),
    ],
)
def test_the_file_alone_says_what_a_bet_returns(
    coefficient: int, amount: int, status: FixtureStatus, payout: str
) -> None:
    """Amount x coefficient rounded half up to the cent, or nothing."""
    fixture = replace(FIXTURE, coefficient=coefficient, status=status)
    assert str(outcome(fixture, amount)["payout"]) == payout


def test_every_bet_is_checked_against_its_own_stake() -> None:
    """Users stake differently: what a bet must be hangs on who placed it."""
    tally = Tally()
    listed = [bet("a"), bet("b", amount=2, payout=3.9), bet("c", amount=2, payout=3.9)]
    tally.check(FIXTURE, [("a", 1050), ("b", 200), ("c", 1050)], listed)
    assert tally.differences == [
        "line 7, Here v There: bet c has amount 2, by the file 10.50",
        "line 7, Here v There: bet c has payout 3.9, by the file 20.48",
    ]


def test_the_file_alone_says_what_all_bets_return() -> None:
    """The sums of the table come from stakes, prices and results, and from no service."""
    tally = Tally()
    tally.expect(FIXTURE, [1050, 1])
    tally.expect(replace(FIXTURE, status="LOSE"), [333])
    assert (str(tally.must_stake), str(tally.must_return)) == ("13.84", "20.50")


def test_a_difference_names_the_row_as_its_file_counts() -> None:
    """JSON has no lines to speak of: its matches are counted."""
    tally = Tally("match")
    tally.differs(FIXTURE, "is odd")
    assert tally.differences == ["match 7, Here v There: is odd"]
