"""How far the log has been published to a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt, Identifier

if TYPE_CHECKING:
    from alembic.operations import Operations

revision, down_revision = "0002", "0001"
compatible_from = 1


def upgrade(op: Operations) -> None:
    """Make the table; its row comes with the first relay."""
    op.create_table(
        "relay",
        sa.Column(
            "id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("epoch", Identifier, nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sqlite_strict=True,
        comment="One row, where there is a broker: the last item of the log that was published.",
    )


def downgrade(op: Operations) -> None:
    """Remove it: a relay then publishes the log from its start."""
    op.drop_table("relay")
