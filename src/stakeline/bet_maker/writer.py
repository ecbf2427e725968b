"""Group commit: bets that arrive while a commit is under way share the next one."""

from __future__ import annotations

import asyncio
import collections
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from stakeline import background
from stakeline.bet_maker import acceptance
from stakeline.errors import Internal, Overloaded, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from stakeline.bet_maker.bets import Asked, Bet
    from stakeline.bet_maker.limits import Limits
    from stakeline.db import Database

log = structlog.get_logger(__name__)

MOST_IN_GROUP = 1000
MOST_WAITING = 10_000
"""Bets that may wait; the next ones are told to come back."""
MOST_WAIT_S = 0.8
"""How long the first one of them may have waited; then, too, the next ones are told so."""
ANSWER_S = 2.2
"""How long a bet waits for its answer: a slow group before its own, and its own."""
_LOOK_S = 0.1


@dataclass(slots=True, eq=False)
class _Request:
    """The bets of one request, which stay together, and where their answers go."""

    asked: Sequence[Asked]
    answered: asyncio.Future[list[Bet | Problem]]
    began: float

    def answer(self, answers: list[Bet | Problem]) -> None:
        if not self.answered.done():  # its caller may have gone, or have been told not to wait
            self.answered.set_result(answers)


class Writer:
    """Takes bets from requests and accepts them in groups, some at a time."""

    def __init__(
        self,
        database: Database,
        registry: CollectorRegistry,
        *,
        standalone: bool,
        limits: Limits | None = None,
    ) -> None:
        self._database = database
        self._limits = limits
        self._standalone = standalone
        self._waiting: deque[_Request] = deque()
        self._under_way: list[list[_Request]] = []
        self._count = 0
        self._arrived = asyncio.Event()
        self._groups = Histogram(
            "stakeline_bets_per_commit",
            "How many bets shared one commit.",
            registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self._outcomes = Counter(
            "stakeline_bets_total", "Bets asked for, by outcome.", ["outcome"], registry=registry
        )

    async def place(self, asked: Sequence[Asked]) -> list[Bet | Problem]:
        """Each bet's own answer, in order, once all of them are decided and on disk.

        After 2.2 s it is `Unavailable`: the database has not said whether it took them.

        A caller who stops waiting changes nothing: the bets are decided all the same.

        Raises:
            Overloaded: too many bets wait; none of these was taken.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        too_late = self._waiting and now - self._waiting[0].began > MOST_WAIT_S
        if too_late or self._count + len(asked) > MOST_WAITING:
            raise Overloaded
        request = _Request(asked, loop.create_future(), now)
        self._waiting.append(request)
        self._count += len(asked)
        self._arrived.set()
        return await request.answered

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Accept what is placed, until the block ends."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background.running(self._look()))
            for _ in range(self._database.writes_at_once):
                await stack.enter_async_context(background.running(self._run()))
            yield

    async def _look(self) -> None:
        """Answer who has waited for too long; one timer for all costs less than one for each."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_S)
            for request in chain(*self._under_way, self._waiting):
                if loop.time() - request.began > ANSWER_S:
                    request.answer([Unavailable()] * len(request.asked))

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            group = self._next_group()
            self._under_way.append(group)
            try:
                answers = await self._commit(_bets_of(group))
            except Unavailable as problem:
                # Who waits behind the group has waited for the database as long: tell them, too.
                while self._waiting:
                    group += self._next_group()
                answers = [problem] * len(_bets_of(group))
                log.warning("bets not written", bets=len(answers), cause=problem.cause)
            self._under_way.remove(group)
            for outcome, bets in collections.Counter(map(_outcome, answers)).items():
                self._outcomes.labels(outcome).inc(bets)
            ends = [0]
            for request in group:
                ends.append(ends[-1] + len(request.asked))
            for request, (start, end) in zip(group, pairwise(ends), strict=True):
                request.answer(answers[start:end])

    def _next_group(self) -> list[_Request]:
        group = [self._waiting.popleft()]
        size = len(group[0].asked)
        while self._waiting and size + len(self._waiting[0].asked) <= MOST_IN_GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].asked)
        self._count -= size
        self._groups.observe(size)
        return group

    async def _commit(self, asked: Sequence[Asked]) -> list[Bet | Problem]:
        """The answers of one transaction; if the data broke it, of one transaction a bet."""
        try:
            return await acceptance.accept(
                self._database, asked, standalone=self._standalone, limits=self._limits
            )
        except Unavailable:
            raise
        except Exception as error:  # the writer must outlive whatever one group holds
            log.exception("a bet broke its group", bets=len(asked), exc_info=error)
            if len(asked) == 1:
                return [Internal()]
            return [(await self._commit([one]))[0] for one in asked]


def _outcome(answer: Bet | Problem) -> str:
    if isinstance(answer, Problem):
        return answer.code
    return "replayed" if answer.replayed else "accepted"


def _bets_of(group: Sequence[_Request]) -> list[Asked]:
    return [asked for request in group for asked in request.asked]
