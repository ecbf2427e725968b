"""Group commit, apart from what is committed: what becomes of those who wait too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram

from stakeline import grouping
from stakeline.errors import Overloaded, Unavailable
from stakeline.grouping import Grouping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import pytest

    from stakeline.errors import Problem

    Answers = list[str | Problem]


def grouping_of(
    commit: Callable[[Sequence[str]], Awaitable[Answers]], at_once: int = 1
) -> Grouping[str, str]:
    """One that commits so."""
    sizes = Histogram("sizes", "Sizes.", registry=CollectorRegistry())
    return Grouping(commit, sizes, at_once=at_once)


async def test_who_waits_too_long_is_told_and_not_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of those under way nobody knows; the others are given up, and can be asked for again."""
    monkeypatch.setattr(grouping, "LOOK_S", 0.001)
    carried_out: list[str] = []
    may_end = asyncio.Event()

    async def commit(asked: Sequence[str]) -> Answers:
        await may_end.wait()
        carried_out.extend(asked)
        return list(asked)

    group = grouping_of(commit)
    async with group.running(), asyncio.timeout(5):
        under_way = asyncio.create_task(group.ask(["first"]))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(group.ask(["second", "third"]))
        (first,) = await under_way
        others = await waiting
        assert isinstance(first, Unavailable)
        assert [type(one) for one in others] == [Overloaded, Overloaded]
        may_end.set()
        assert await group.ask(["fourth"]) == ["fourth"]
    assert carried_out == ["first", "fourth"]


async def test_a_second_group_begins_with_as_many_requests_as_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not with fewer: both would be small. And there is no third one."""
    monkeypatch.setattr(grouping, "LOOK_S", 60)  # nothing has waited for long
    begun: list[list[str]] = []
    ends = [asyncio.Event() for _ in range(4)]

    async def commit(asked: Sequence[str]) -> Answers:
        begun.append(list(asked))
        await ends[len(begun) - 1].wait()
        return list(asked)

    async def ask(*each: str) -> None:
        asking.extend(asyncio.create_task(group.ask([one])) for one in each)
        for _ in range(5):  # all that can begin has begun
            await asyncio.sleep(0)

    asking: list[asyncio.Task[Answers]] = []
    group = grouping_of(commit, at_once=2)
    async with group.running(), asyncio.timeout(5):
        await ask("1", "2", "3")
        await ask("4", "5")
        assert begun == [["1", "2", "3"]]
        await ask("6", "7")
        assert begun[1:] == [["4", "5", "6", "7"]]
        await ask(*"abcdefgh")  # as many as are under way, but two groups are
        assert len(begun) == 2
        ends[0].set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert begun[2:] == [[*"abcdefgh"]]
        for end in ends:
            end.set()
        assert [await one for one in asking] == [[one] for one in "1234567abcdefgh"]


async def test_what_does_not_fit_into_a_group_is_the_next_one_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody else needs to ask for that."""
    monkeypatch.setattr(grouping, "LOOK_S", 60)
    monkeypatch.setattr(grouping, "MOST_IN_GROUP", 4)
    begun: list[str] = []
    first_may_end, others_may_end = asyncio.Event(), asyncio.Event()

    async def commit(asked: Sequence[str]) -> Answers:
        begun.append("".join(asked))
        await (first_may_end if len(begun) == 1 else others_may_end).wait()
        return list(asked)

    group = grouping_of(commit, at_once=2)
    async with group.running(), asyncio.timeout(5):
        asking = [asyncio.create_task(group.ask([one])) for one in "abcd"]
        await asyncio.sleep(0.01)
        asking += [asyncio.create_task(group.ask([*each])) for each in ("efgh", "ijkl", "mnop")]
        await asyncio.sleep(0.01)
        assert begun == ["abcd"]
        first_may_end.set()
        await asyncio.sleep(0.01)
        assert begun[1:] == ["efgh", "ijkl"]
        others_may_end.set()
        await asyncio.gather(*asking)


async def test_a_group_that_takes_long_keeps_nobody_from_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However few wait behind it; and if it fails, those that came just now are carried out."""
    monkeypatch.setattr(grouping, "LOOK_S", 0.01)
    may_fail = asyncio.Event()
    begun: list[str] = []

    async def commit(asked: Sequence[str]) -> Answers:
        begun.append("".join(asked))
        if len(begun) == 1:
            await may_fail.wait()
            raise Unavailable
        return list(asked)

    group = grouping_of(commit, at_once=2)
    async with group.running(), asyncio.timeout(5):
        stuck = [asyncio.create_task(group.ask([one])) for one in "abc"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await group.ask(["d"]) == ["d"]
        assert begun == ["abc", "d"]
        just_now = asyncio.create_task(group.ask(["e"]))
        await asyncio.sleep(0)
        may_fail.set()
        assert await just_now == ["e"]
        for one in stuck:
            assert [type(answer) for answer in await one] == [Unavailable]
