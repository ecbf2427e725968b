"""What a seed draws for a replay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stakeline.cli import replay_script
from stakeline.cli.replay_script import Stakes
from stakeline.fixtures import Fixture, FixtureStatus

FIXTURES = [Fixture(line, f"match-{line}", "Here v There", 195, 0, "WIN") for line in range(300)]


def test_a_seed_draws_the_same_again() -> None:
    """Scripts, stakes and kills hang on the seed and the place in the file, and on nothing else."""
    stakes = Stakes(1, 10_000)
    for fixture in FIXTURES:
        moved = replace(fixture, event_id="other", name="Other v Name")
        assert replay_script.faulty(7, fixture) == replay_script.faulty(7, moved)
        assert stakes.of(7, fixture, 3) == stakes.of(7, moved, 3)
    assert replay_script.kills(7, 300) == replay_script.kills(7, 300)


def test_another_seed_draws_otherwise() -> None:
    """Or twenty seeds would be one."""
    scripts = {str([replay_script.faulty(seed, one) for one in FIXTURES]) for seed in range(20)}
    stakes = {str([Stakes(1, 999).of(seed, one, 1) for one in FIXTURES]) for seed in range(20)}
    kills = {str(replay_script.kills(seed, 300)) for seed in range(20)}
    assert len(scripts) == len(stakes) == len(kills) == 20


@pytest.mark.parametrize("status", ["WIN", "LOSE"])
def test_a_script_ends_where_the_file_does(status: FixtureStatus) -> None:
    """Whatever is moved is moved back, and the last word is the file's result."""
    kinds = set()
    for fixture in FIXTURES:
        script = replay_script.faulty(1, replace(fixture, status=status))
        assert script.rulings[-1].status == status
        assert [ruling.closes for ruling in script.rulings if ruling.closes][-1:] in (
            [],
            ["as decided"],
        )
        for there, back in zip(script.moves[::2], script.moves[1::2], strict=True):
            assert (back.coefficient, back.ahead_s) in {(195, None), (None, 3600)}
            assert (there.coefficient is None) == (back.coefficient is None)
        kinds.add(tuple(ruling.status for ruling in script.rulings))
    assert len(kinds) == 6


def test_without_faults_there_is_only_the_result() -> None:
    """A plain replay is the season as it was."""
    script = replay_script.plain(FIXTURES[0])
    assert (list(script.moves), script.repeats) == ([], 0)
    assert [ruling.status for ruling in script.rulings] == ["WIN"]
    with pytest.raises(ValueError, match="without a result"):
        replay_script.plain(replace(FIXTURES[0], status=None))


@pytest.mark.parametrize(("events", "times"), [(1, 1), (2, 2), (3, 3), (380, 3)])
def test_both_services_are_killed_on_the_way(events: int, times: int) -> None:
    """Each as often, at moments that come."""
    points = replay_script.kills(1, events)
    assert all(1 <= after <= events for after in points)
    killed = [service for services in points.values() for service in services]
    assert sorted(killed) == ["bet-maker"] * times + ["line-provider"] * times


@pytest.mark.parametrize(
    ("text", "least", "most"), [("10", 1000, 1000), ("0.5-7.25", 50, 725), ("3-3", 300, 300)]
)
def test_stakes_are_one_amount_or_a_range(text: str, least: int, most: int) -> None:
    """Both ends can come up, and nothing outside."""
    stakes = Stakes.parse(text)
    assert stakes == Stakes(least, most)
    drawn = {stakes.of(1, fixture, user) for fixture in FIXTURES for user in range(20)}
    assert (min(drawn), max(drawn)) == (least, most)


@pytest.mark.parametrize("text", ["", "-", "1-", "-1", "2-1", "1-2-3", "0-1", "1e2", "1--2"])
def test_other_stakes_are_refused(text: str) -> None:
    """With a reason."""
    with pytest.raises(ValueError, match="must"):
        Stakes.parse(text)
