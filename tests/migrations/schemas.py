"""Schemas that are to come: those of the services with further migrations of a test."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from tests import databases

if TYPE_CHECKING:
    from pathlib import Path

    from stakeline.db.schema import Schema

SERVICES = ("line-provider", "bet-maker")
_SCRIPT = '''"""A test's."""

revision, down_revision = "{number:04}", "{before:04}"
compatible_from = {compatible_from}
{more}

def upgrade(op):
    {up}


def downgrade(op):
    {down}
'''


def with_next(
    schema: Schema,
    folder: Path,
    up: str,
    down: str = "pass",
    *,
    more: str = "",
    compatible_from: int = 1,
) -> Schema:
    """The schema after one more migration.

    Args:
        schema: the one before.
        folder: the test's own.
        up: Python that carries it out with `op`.
        down: Python that undoes it.
        more: further lines of its module.
        compatible_from: the oldest schema whose code can run on it.
    """
    number = schema.number + 1
    migrations = folder / f"{schema.service}-{number}"
    shutil.copytree(schema.migrations, migrations)
    script = _SCRIPT.format(
        number=number,
        before=number - 1,
        compatible_from=compatible_from,
        more=more,
        up=up,
        down=down,
    )
    (migrations / "versions" / f"{number:04}_next.py").write_text(script)
    return replace(schema, migrations=migrations)


def schema_of(service: str) -> Schema:
    """What the code of a service needs."""
    return databases.SCHEMAS[service]
