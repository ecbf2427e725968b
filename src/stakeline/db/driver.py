"""asyncpg's connection, with limits of its own."""

from __future__ import annotations

from typing import Any

import asyncpg

STATEMENT_S = 1.5
"""How long the server works on one statement, waiting for others' locks included."""
IDLE_S = 5.0
"""How long the server lets a transaction hold its locks while nothing comes: its client is gone."""
_BEGIN = f"""BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = {STATEMENT_S * 1000:.0f};
SET LOCAL idle_in_transaction_session_timeout = {IDLE_S * 1000:.0f}"""


class Connection(asyncpg.Connection):  # type: ignore[misc] # it has no types
    """asyncpg's, but no transaction is begun without limits.

    They are the server's, so that a process that hangs or is cut off holds no lock for long; and
    the transaction's, since a setting of the session would go to others behind a pooler.
    """

    __slots__ = ()

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
        """As asyncpg's; BEGIN and its limits are one round trip."""
        return await super().execute(_BEGIN if query == "BEGIN;" else query, *args, timeout=timeout)

    def cut(self) -> None:
        """Break the connection: what waits for the server, or is to be sent, fails as by its loss.

        With asyncpg's `terminate` a statement that is just between two answers of the server would
        fail as by a mistake of ours.
        """
        self._transport.abort()

    def is_closed(self) -> bool:
        """As asyncpg's, which learns a moment later that it was cut."""
        return bool(self._transport.is_closing() or super().is_closed())

    async def set_type_codec(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        """Nothing: SQLAlchemy would ask what JSON is, which behind a pooler may be two servers.

        It asks outside of any transaction. No column is JSON, and only reflection reads any.
        """
