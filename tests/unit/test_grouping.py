"""Group commit, apart from what is committed: what becomes of those who wait too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram

from stakeline import grouping
from stakeline.errors import Overloaded, Unavailable
from stakeline.grouping import Grouping

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from stakeline.errors import Problem

    Answers = list[str | Problem]


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

    sizes = Histogram("sizes", "Sizes.", registry=CollectorRegistry())
    group = Grouping[str, str](commit, sizes)
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
