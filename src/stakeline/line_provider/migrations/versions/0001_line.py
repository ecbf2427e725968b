"""The line: its head, its events, and the log of their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt, Identifier

if TYPE_CHECKING:
    from alembic.operations import Operations

revision, down_revision = "0001", None
compatible_from = 1


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "head",
        sa.Column(
            "id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("epoch", Identifier, nullable=False),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("at", BigInt, nullable=False),
        sqlite_strict=True,
        comment="One row: the log's name, and seq and time of its last item."
        " Locked by every change.",
    )
    op.create_table(
        "events",
        sa.Column("event_id", Identifier, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("coefficient", BigInt, sa.CheckConstraint("coefficient > 0"), nullable=False),
        sa.Column("deadline", BigInt, nullable=False),
        sa.Column(
            "status",
            sa.Text,
            sa.CheckConstraint("status IN ('NEW', 'WIN', 'LOSE', 'VOID')"),
            nullable=False,
        ),
        sa.Column("decided_at", BigInt, comment="when the first result was given, never changed"),
        sa.Column("asked_closed_at", BigInt, comment="the operator's closed_at"),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("updated_at", BigInt, nullable=False),
        sa.CheckConstraint("status = 'NEW' OR decided_at IS NOT NULL", name="decided"),
        sqlite_strict=True,
    )
    op.create_index("events_by_deadline", "events", ["deadline", "event_id"])
    undecided = sa.text("decided_at IS NULL AND deadline > created_at")
    op.create_index(
        "events_undecided",
        "events",
        ["deadline", "event_id"],
        sqlite_where=undecided,
        postgresql_where=undecided,
    )
    op.create_table(
        "feed",
        sa.Column("seq", BigInt, primary_key=True, autoincrement=False),
        sa.Column("at", BigInt, nullable=False),
        sa.Column("event_id", Identifier, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column(
            "event", sa.Text, nullable=False, comment="the whole event as it then stood, JSON"
        ),
        sa.Column("by", sa.Text, nullable=False, comment="who changed it"),
        sa.Column("reason", sa.Text, comment="why, in the operator's words"),
        sa.UniqueConstraint("event_id", "version"),
        sqlite_strict=True,
        comment="Every change of the line, in commit order; never trimmed.",
    )


def downgrade(op: Operations) -> None:
    """Remove them, and with them the line."""
    for table in ("feed", "events", "head"):
        op.drop_table(table)
