"""How the database goes about what a call asks of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from stakeline.errors import Problem
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[databases.ENGINE]


async def plans(database: Database, ask: Callable[[AsyncConnection], Awaitable[Any]]) -> str:
    """The plans of all statements by which `ask` reads, or writes alone, one after another."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    async def read_alone(statement: str, parameters: Any, within_s: float) -> Any:  # noqa: ANN401
        asked.append((statement, tuple(parameters)))
        return await alone(statement, parameters, within_s)

    async def write_alone(statement: str, parameters: Any, _: float) -> Any:  # noqa: ANN401
        asked.append((statement, tuple(parameters)))
        return []  # and nothing is written

    connections = database._connections
    alone, written = connections.read_alone, connections.write_alone
    connections.read_alone = read_alone  # type: ignore[method-assign]
    connections.write_alone = write_alone  # type: ignore[method-assign, assignment]
    engine = database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.read() as conn:
            with suppress(Problem):  # perhaps it finds nothing
                await ask(conn)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        connections.read_alone = alone  # type: ignore[method-assign]
        connections.write_alone = written  # type: ignore[method-assign]
    found = []
    async with database.read() as conn:
        for statement, parameters in asked:
            rows = await conn.exec_driver_sql(f"{EXPLAIN} {statement}", parameters)
            found += [row[-1] for row in rows]
    return "\n".join(found)
