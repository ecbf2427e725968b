"""Group commit: what arrives while a transaction is under way shares the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from stakeline import background
from stakeline.errors import Internal, Overloaded, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from prometheus_client import Histogram

log = structlog.get_logger(__name__)

A = TypeVar("A")
G = TypeVar("G")

MOST_IN_GROUP = 1000
MOST_WAITING = 10_000
"""How many may wait; the next ones are told to come back."""
LOOK_S = 0.1
SOON_LOOKS = 2
"""How many looks the first one may have waited while nothing else keeps it from being next."""
MOST_LOOKS = 8
"""How many looks the first one of them may have waited; then, too, the next ones are told so.

They are counted instead of asking a clock, so that a process that was frozen turns nobody away.
"""
COMPANY_S = 0.002
"""How long the first one waits for as many requests as lately shared a group, if patient."""
ANSWER_LOOKS = 22
"""How many looks one waits for the answer: a slow group before its own, and its own."""


@dataclass(slots=True, eq=False)
class _Request(Generic[A, G]):
    """What was asked for at once, which stays together, and where the answers go."""

    asked: Sequence[A]
    answered: asyncio.Future[list[G | Problem]]
    began: int

    def answer(self, answers: list[G | Problem]) -> None:
        if not self.answered.done():  # its caller may have gone, or have been told not to wait
            self.answered.set_result(answers)


class Grouping(Generic[A, G]):
    """Has what requests ask for committed in groups, one transaction after another.

    Nobody waits for company while nothing is under way: a lone request is a group at once, unless
    it is `patient` and lately had company.

    Args:
        commit: carries out a group in one transaction; each one's own answer, in order. It raises
            `Unavailable` where nothing was written, or nobody knows.
        sizes: takes up how many shared a commit.
        at_once: how many groups may be under way, if their order does not matter.
        patient: whether larger groups are worth some waiting. Where several processes each have
            groups, all of them are small, and what a group costs is taken from each other.
        note: hears all answers.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[A]], Awaitable[list[G | Problem]]],
        sizes: Histogram,
        *,
        at_once: int = 1,
        patient: bool = False,
        note: Callable[[list[G | Problem]], None] = lambda _: None,
    ) -> None:
        self._commit = commit
        self._sizes = sizes
        self._at_once = at_once
        self._patient = patient
        self._note = note
        self._waiting: deque[_Request[A, G]] = deque()
        self._under_way: list[list[_Request[A, G]]] = []
        self._requests_under_way = 0
        self._count = 0
        self._looks = 0
        self._lately = self._company = 0
        self._patience: asyncio.TimerHandle | None = None
        self._arrived = asyncio.Event()

    async def ask(self, asked: Sequence[A]) -> list[G | Problem]:
        """Each one's own answer, in order, once all of them are decided and on disk.

        After some 2.2 s it is `Unavailable`: the database has not said whether it took them; or
        `Overloaded`: none of these was taken. A caller who stops waiting changes nothing: they are
        decided all the same.

        Raises:
            Overloaded: too many wait, or for too long; none of these was taken.
        """
        too_late = self._waiting and self._looks - self._waiting[0].began > MOST_LOOKS
        if too_late or self._count + len(asked) > MOST_WAITING:
            raise Overloaded
        answered = asyncio.get_running_loop().create_future()
        request: _Request[A, G] = _Request(asked, answered, self._looks)
        self._waiting.append(request)
        self._count += len(asked)
        self._wake()
        return await request.answered

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry out what is asked for, until the block ends."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background.running(self._look()))
            for _ in range(self._at_once):
                await stack.enter_async_context(background.running(self._run()))
            yield

    async def _look(self) -> None:
        """Answer who has waited for too long; one timer for all costs less than one for each."""
        while True:
            if not self._under_way and not self._waiting:
                await self._arrived.wait()
            await asyncio.sleep(LOOK_S)
            self._looks += 1
            self._wake()
            while self._waiting and self._looks - self._waiting[0].began > ANSWER_LOOKS:
                late = self._waiting.popleft()
                self._count -= len(late.asked)
                late.answer([Overloaded()] * len(late.asked))  # none of them was taken
            for request in chain(*self._under_way):
                if self._looks - request.began > ANSWER_LOOKS:
                    request.answer([Unavailable()] * len(request.asked))

    async def _run(self) -> None:
        while True:
            while not self._is_worth_a_group():
                self._arrived.clear()
                await self._arrived.wait()
            group = self._next_group()
            self._under_way.append(group)
            self._requests_under_way += len(group)
            self._wake()  # perhaps not all of them fitted in
            try:
                answers = await self._carry_out(_asked_by(group))
            except Unavailable as problem:
                # Who waits behind all groups has waited for the database as long: tell them, too.
                while self._waiting and len(self._under_way) == self._at_once:
                    group += self._next_group()
                answers = [problem] * len(_asked_by(group))
                log.warning("a group was not written", group=len(answers), cause=problem.cause)
            self._under_way.remove(group)
            self._requests_under_way = sum(map(len, self._under_way))
            self._note(answers)
            ends = [0]
            for request in group:
                ends.append(ends[-1] + len(request.asked))
            for request, (start, end) in zip(group, pairwise(ends), strict=True):
                request.answer(answers[start:end])

    def _wake(self) -> None:
        if self._is_worth_a_group():
            self._arrived.set()
        elif self._company and self._waiting and self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(COMPANY_S, self._do_without_company)

    def _do_without_company(self) -> None:
        self._company = 0
        self._wake()

    def _is_worth_a_group(self) -> bool:
        """Whether as many requests wait as are under way, or the first one has waited for long.

        A second group at once is worth having where the first one takes its time, as on a slow disk
        or behind a lock. Else it only makes both of them smaller, and each costs as much as some
        ten bets.
        """
        waiting = self._waiting
        return bool(waiting) and (
            len(waiting) >= max(self._requests_under_way, self._company)
            or self._looks - waiting[0].began >= SOON_LOOKS
        )

    def _next_group(self) -> list[_Request[A, G]]:
        group = [self._waiting.popleft()]
        size = len(group[0].asked)
        while self._waiting and size + len(self._waiting[0].asked) <= MOST_IN_GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].asked)
        self._count -= size
        self._sizes.observe(size)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._patient:
            self._lately = self._company = max(len(group), self._lately * 3 // 4)
        return group

    async def _carry_out(self, asked: Sequence[A]) -> list[G | Problem]:
        """The answers of one transaction; if one broke it, of a transaction for each."""
        try:
            return await self._commit(asked)
        except Unavailable:
            raise
        except Exception as error:  # this loop must outlive whatever one group holds
            log.exception("one of a group broke it", group=len(asked), exc_info=error)
            if len(asked) == 1:
                return [Internal()]
            return [await self._alone(one) for one in asked]

    async def _alone(self, asked: A) -> G | Problem:
        try:
            return (await self._carry_out([asked]))[0]
        except Unavailable as problem:  # what others got is on disk all the same
            return problem


def _asked_by(group: Sequence[_Request[A, G]]) -> list[A]:
    return [asked for request in group for asked in request.asked]
