"""How often a user may bet: twice the pace at once, then the pace."""

from __future__ import annotations

from stakeline import clock
from stakeline.bet_maker.pace import Pace

S = clock.US_PER_S
NOW = 1_000 * S


def test_twice_the_pace_may_come_at_once() -> None:
    """The next one waits until its turn, and a refusal costs nothing."""
    pace = Pace(20)
    assert [pace.wait_s(1, 1, NOW) for _ in range(42)] == [0] * 40 + [1, 1]
    assert pace.wait_s(1, 1, NOW + S // 20 - 1) == 1
    assert pace.wait_s(1, 1, NOW + S // 20) == 0


def test_the_pace_can_be_kept_for_ever() -> None:
    """Who asks that often is never told to wait; who asks more often is taken that often."""
    pace = Pace(10)
    assert not any(pace.wait_s(1, 1, NOW + n * S // 10) for n in range(500))
    taken = [pace.wait_s(2, 1, NOW + n * S // 30) == 0 for n in range(3000)]
    assert 1000 <= sum(taken) <= 1020


def test_users_do_not_wait_for_one_another() -> None:
    """Each has a pace of their own."""
    pace = Pace(1)
    assert [pace.wait_s(user, 2, NOW) for user in range(100)] == [0] * 100


def test_a_batch_counts_as_its_bets() -> None:
    """It is taken as a whole or not at all."""
    pace = Pace(20)
    assert pace.wait_s(1, 30, NOW) == 0
    assert pace.wait_s(1, 11, NOW) == 1
    assert pace.wait_s(1, 10, NOW) == 0


def test_a_batch_beyond_the_burst_is_waited_off() -> None:
    """It passes when its user owes nothing; what follows waits for all of it."""
    pace = Pace(20)
    assert pace.wait_s(1, 1, NOW) == 0
    assert pace.wait_s(1, 1000, NOW) == 1
    assert pace.wait_s(1, 1000, NOW + S // 20) == 0
    assert pace.wait_s(1, 1, NOW + S // 20) == 49
    assert pace.wait_s(1, 1, NOW + 48 * S) == 1
    assert pace.wait_s(1, 1, NOW + 49 * S) == 0


def test_who_owes_nothing_is_forgotten() -> None:
    """What is kept does not grow with the users there ever were."""
    pace = Pace(1)
    for n in range(10_000):
        assert pace.wait_s(n, 1, NOW + n * S) == 0
    assert len(pace._even_at) < 10
