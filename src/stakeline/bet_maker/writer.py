"""Group commit: bets that arrive while a commit is under way share the next one."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram

from stakeline.bet_maker import acceptance
from stakeline.errors import Problem
from stakeline.grouping import Grouping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from contextlib import AbstractAsyncContextManager

    from stakeline.bet_maker.bets import Asked, Bet
    from stakeline.bet_maker.limits import Limits
    from stakeline.db import Database


class Writer:
    """Takes bets from requests and accepts them in groups."""

    def __init__(
        self,
        database: Database,
        registry: CollectorRegistry,
        *,
        standalone: bool,
        limits: Limits | None = None,
        is_one_of_many: bool = False,
    ) -> None:
        self._database = database
        self._limits = limits
        self._standalone = standalone
        self._outcomes = Counter(
            "stakeline_bets_total", "Bets asked for, by outcome.", ["outcome"], registry=registry
        )
        sizes = Histogram(
            "stakeline_bets_per_commit",
            "How many bets shared one commit.",
            registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self._grouping = Grouping(
            self._commit,
            sizes,
            at_once=database.writes_at_once,
            patient=is_one_of_many,
            note=self._note,
        )

    def place(self, asked: Sequence[Asked]) -> Awaitable[list[Bet | Problem]]:
        """Each bet's own answer, as `Grouping.ask` gives it."""
        return self._grouping.ask(asked)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Accept what is placed, until the block ends."""
        return self._grouping.running()

    async def _commit(self, asked: Sequence[Asked]) -> list[Bet | Problem]:
        return await acceptance.accept(
            self._database, asked, standalone=self._standalone, limits=self._limits
        )

    def _note(self, answers: list[Bet | Problem]) -> None:
        for outcome, bets in collections.Counter(map(_outcome, answers)).items():
            self._outcomes.labels(outcome).inc(bets)


def _outcome(answer: Bet | Problem) -> str:
    if isinstance(answer, Problem):
        return answer.code
    return "replayed" if answer.replayed else "accepted"
