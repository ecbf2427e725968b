"""Opening a database for verification, on whichever engine it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.verification import postgresql, sqlite
from stakeline.verification.source import ignore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stakeline.verification.source import Source

_ENGINES = {"sqlite": sqlite.opened, "postgresql": postgresql.opened}


@asynccontextmanager
async def opened(
    name: str, url: str, read: Callable[[int], None] = ignore
) -> AsyncIterator[Source]:
    """A service's database for reading, whether the service runs or not; nothing is written.

    Args:
        name: `line-provider` or `bet-maker`.
        url: one that `db.check_url` takes.
        read: told of every portion of rows that was read.

    Raises:
        Unverifiable: there is none, it is no database or not this service's, or it breaks off.
        Disturbed: at the end, if it is a file and a service opened it after it had been found
            unused.
    """
    parsed = sa.make_url(url)
    async with _ENGINES[parsed.get_backend_name()](name, parsed, read) as source:
        yield source
