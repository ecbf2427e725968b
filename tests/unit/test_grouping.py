"""Group commit, apart from what is committed: what becomes of those who wait too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Histogram

from stakeline import grouping
from stakeline.errors import Overloaded, Unavailable
from stakeline.grouping import Grouping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from stakeline.errors import Problem

    Answers = list[str | Problem]


def grouping_of(
    commit: Callable[[Sequence[str]], Awaitable[Answers]],
    at_once: int = 1,
    *,
    patient: bool = False,
) -> Grouping[str, str]:
    """One that commits so."""
    sizes = Histogram("sizes", "Sizes.", registry=CollectorRegistry())
    return Grouping(commit, sizes, at_once=at_once, patient=patient)


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


class Patient:
    """A patient grouping, whose every group ends once it may, and what was asked of it."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.grouping = grouping_of(self._commit, 2, patient=True)
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._asking: list[asyncio.Task[Answers]] = []

    async def _commit(self, asked: Sequence[str]) -> Answers:
        self.groups.append(list(asked))
        await self.may_end.wait()
        return list(asked)

    async def ask(self, each: str) -> None:
        """Ask for each of these letters; all that can begin has begun then."""
        self._asking.extend(asyncio.create_task(self.grouping.ask([one])) for one in each)
        for _ in range(8):
            await asyncio.sleep(0)

    async def answers(self) -> None:
        """Return once all of them are answered."""
        await asyncio.gather(*self._asking)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Patient:
    """One that waits for company for longer than any test lets it, and looks at nothing else."""
    monkeypatch.setattr(grouping, "COMPANY_S", 60)
    monkeypatch.setattr(grouping, "LOOK_S", 60)
    return Patient()


async def test_lone_requests_wait_for_nobody(patient: Patient) -> None:
    """However patient it is: one that lately had no company is not held back."""
    async with patient.grouping.running(), asyncio.timeout(5):
        for each in "abc":
            await patient.ask(each)
        assert patient.groups == [["a"], ["b"], ["c"]]


async def test_a_patient_group_waits_for_as_many_as_lately_came(patient: Patient) -> None:
    """And begins with the last of them."""
    async with patient.grouping.running(), asyncio.timeout(5):
        await patient.ask("abc")
        await patient.ask("d")
        await patient.ask("e")
        assert patient.groups == [["a", "b", "c"]]
        await patient.ask("f")
        assert patient.groups[1:] == [["d", "e", "f"]]
        await patient.answers()


async def test_patience_ends(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Company that does not come holds nobody up for longer than that, and less each time."""
    monkeypatch.setattr(grouping, "COMPANY_S", 0.05)
    loop = asyncio.get_running_loop()
    async with patient.grouping.running(), asyncio.timeout(5):
        await patient.ask("abc")
        took = []
        for each in "defg":
            began = loop.time()
            await patient.ask(each)
            await patient.answers()
            took.append(loop.time() - began)
    # Lately three, then two as three quarters of them, then one, and that is no company.
    assert min(took[:2]) >= 0.049
    assert min(took[2:]) < 0.04
    assert patient.groups == [["a", "b", "c"], ["d"], ["e"], ["f"], ["g"]]


async def test_who_has_waited_for_a_group_waits_for_no_company(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts from when it came, not from when it could have begun."""
    monkeypatch.setattr(grouping, "COMPANY_S", 0.01)
    async with patient.grouping.running(), asyncio.timeout(5):
        patient.may_end.clear()
        await patient.ask("abc")
        await patient.ask("d")
        await asyncio.sleep(0.02)
        monkeypatch.setattr(grouping, "COMPANY_S", 60)
        assert patient.groups == [["a", "b", "c"]]  # fewer than are under way
        patient.may_end.set()
        await patient.answers()
    assert patient.groups[1:] == [["d"]]


async def test_each_group_has_its_own_time_for_company(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not cut short because another one waited before it."""
    monkeypatch.setattr(grouping, "COMPANY_S", 0.5)
    loop = asyncio.get_running_loop()
    async with patient.grouping.running(), asyncio.timeout(5):
        await patient.ask("abc")
        await patient.ask("d")
        await asyncio.sleep(0.2)
        await patient.ask("ef")
        began = loop.time()
        await patient.ask("g")
        await patient.answers()
        assert loop.time() - began >= 0.49
    assert patient.groups == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
