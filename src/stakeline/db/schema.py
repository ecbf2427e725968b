"""The schema of a service's database: which one its code needs, and whether that is there.

Schemas are numbered by the migrations that lead to them, from 1; 0 is an empty database. Of its
schema a database holds two things: the newest migration applied (`alembic_version`), and the
oldest code that can still run on it (`compatibility`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt
from stakeline.db.unfit import WrongSchema

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database

compatibility = sa.Table(
    "compatibility",
    sa.MetaData(),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("compatible_from", BigInt, nullable=False),
    sqlite_strict=True,
    comment="One row: whose database this is, and the oldest schema whose code can run on it.",
)
_FOUND = sa.text("SELECT version_num, service, compatible_from FROM alembic_version, compatibility")


@dataclass(frozen=True, slots=True)
class Schema:
    """What a service's code needs.

    Attributes:
        service: `line-provider` or `bet-maker`.
        migrations: the folder with the folder `versions`, one file a migration: `0001_name.py`.
        tables: what they lead to.
    """

    service: str
    migrations: Path
    tables: sa.MetaData

    @property
    def number(self) -> int:
        """The newest migration's, which the code needs at least."""
        return max(int(file.name[:4]) for file in self.migrations.glob("versions/[0-9]*.py"))


@dataclass(frozen=True, slots=True)
class Moved:
    """From which schema a database was brought to which."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a database says of its schema."""

    number: int
    compatible_from: int


async def check(database: Database, needed: Schema) -> None:
    """Nothing, if the database has the schema that the code needs, or a newer one that it knows.

    Raises:
        WrongSchema: it has not; the message says what to do.
        Unavailable: it cannot be read.
    """
    async with database.read() as conn:
        found = await read(conn, needed.service)
    if found is None or found.number < needed.number:
        has = "has no tables yet" if found is None else f"is at schema {found.number}"
        raise WrongSchema(
            f"the database {has}, and schema {needed.number} is needed:"
            f" run `stakeline migrate {needed.service}`"
        )
    check_compatible(found, needed)


def check_compatible(found: Found, needed: Schema) -> None:
    """Nothing, if this code is not too old for the database.

    Raises:
        WrongSchema: it is.
    """
    if found.compatible_from > needed.number:
        raise WrongSchema(
            f"the database is at schema {found.number}, which needs code for schema"
            f" {found.compatible_from} at least, and this is for {needed.number}:"
            " run a newer stakeline"
        )


async def read(conn: AsyncConnection, service: str) -> Found | None:
    """The schema that the database has; None before the first migration.

    Raises:
        WrongSchema: it is another service's database.
    """
    if not await conn.run_sync(lambda sync: sa.inspect(sync).has_table(compatibility.name)):
        return None
    row = (await conn.execute(_FOUND)).one_or_none()
    if row is None:
        return None
    if row.service != service:
        raise WrongSchema(f"this is {row.service}'s database: {service} needs one of its own")
    return Found(int(row.version_num), row.compatible_from)
