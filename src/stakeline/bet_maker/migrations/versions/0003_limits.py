"""What limits are judged by: exposures of events, stakes of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt, Identifier

if TYPE_CHECKING:
    from alembic.operations import Operations

revision, down_revision = "0003", "0002"
compatible_from = 1


def upgrade(op: Operations) -> None:
    """Make the tables; their rows come with the first bets under a limit."""
    op.create_table(
        "exposures",
        sa.Column("event_id", Identifier, primary_key=True),
        sa.Column("exposure", BigInt, comment="in cents; null within the transaction that sums it"),
        sqlite_strict=True,
        comment="Under a limit: an event's exposure. Without a row its bets are summed.",
    )
    op.create_table(
        "counted_users",
        sa.Column("user_id", BigInt, primary_key=True, autoincrement=False),
        sa.Column("counted", BigInt, nullable=False, comment="0 within the transaction that sums"),
        sqlite_strict=True,
        comment="Under a limit: whose stakes are summed. Locked by each of their bets.",
    )
    op.create_table(
        "stakes",
        sa.Column("user_id", BigInt, primary_key=True, autoincrement=False),
        sa.Column("event_id", Identifier, primary_key=True),
        sa.Column("amount", BigInt, nullable=False),
        sqlite_strict=True,
        comment="Under a limit: what a counted user has staked on an event.",
    )


def downgrade(op: Operations) -> None:
    """Remove them: the bets are summed anew when they are there again."""
    for table in ("stakes", "counted_users", "exposures"):
        op.drop_table(table)
