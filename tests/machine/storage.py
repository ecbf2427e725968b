"""SQLite without threads, so that a run can be repeated exactly; and COMMITs that go wrong."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import aiosqlite.core
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterator

    from stakeline.db import Database
    from tests.machine.clocks import Time

Mishap = Literal["none", "not committed", "answer lost"]
"""What becomes of the next COMMIT: its error may come before it, or after."""


class _AtOnce:
    """In place of the queue to a connection's thread: what is put in is done."""

    def put_nowait(self, job: tuple[Future[Any] | None, Callable[[], Any]]) -> None:
        """Do it, and tell who waits for it."""
        future, work = job
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class _NoThread:
    """In place of a connection's thread."""

    def __init__(self, **_: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """There is nothing to start."""


@contextmanager
def no_threads() -> Iterator[None]:
    """In the block aiosqlite works in its caller's thread: no transaction is ever interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiosqlite.core, "SimpleQueue", _AtOnce)
        patch.setattr(aiosqlite.core, "Thread", _NoThread)
        yield


class Storage:
    """What a service's database does when the machine wants trouble.

    Attributes:
        mishap: what becomes of the next COMMIT, or statement that is one by itself.
        slow_us: how long each BEGIN takes, or such a statement.
    """

    def __init__(self, database: Database, time: Time) -> None:
        self.mishap: Mishap = "none"
        self.slow_us = 0
        engine, connections = database.engine.sync_engine, database._connections
        commit, alone = engine.dialect.do_commit, connections.write_alone

        def do_commit(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
            mishap = self._next()
            if mishap == "not committed":
                raise sqlite3.OperationalError("the disk is gone, for a test")
            commit(connection)
            if mishap == "answer lost":
                raise sqlite3.OperationalError("committed, but who knows: a test")

        async def write_alone(*asked: Any) -> Any:  # noqa: ANN401 - as the engine's
            time.passes(self.slow_us)
            mishap = self._next()
            lost = OperationalError("a test", None, sqlite3.OperationalError("a test"))
            if mishap == "not committed":
                raise lost
            rows = await alone(*asked)
            if mishap == "answer lost":
                raise lost
            return rows

        engine.dialect.do_commit = do_commit  # type: ignore[method-assign, assignment]
        connections.write_alone = write_alone  # type: ignore[method-assign, assignment]
        event.listen(engine, "begin", lambda _: time.passes(self.slow_us))

    def _next(self) -> Mishap:
        mishap, self.mishap = self.mishap, "none"
        return mishap
