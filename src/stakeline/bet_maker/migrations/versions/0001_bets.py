"""The replica, its cursor, users and bets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt, Identifier

if TYPE_CHECKING:
    from alembic.operations import Operations

revision, down_revision = "0001", None
compatible_from = 1


def upgrade(op: Operations) -> None:
    """Make the tables, those that others refer to first."""
    _make_cursor(op)
    _make_events(op)
    op.create_table(
        "users",
        sa.Column("user_id", BigInt, primary_key=True),
        sa.Column("username", sa.Text, nullable=False, unique=True),
        sqlite_strict=True,
    )
    _make_bets(op)


def downgrade(op: Operations) -> None:
    """Remove them, and with them all bets."""
    for table in ("bets", "users", "events", "cursor"):
        op.drop_table(table)


def _make_cursor(op: Operations) -> None:
    op.create_table(
        "cursor",
        sa.Column(
            "id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("mode", sa.Text, sa.CheckConstraint("mode IN ('following', 'standalone')")),
        sa.Column(
            "epoch", Identifier, comment="the log that is followed; null until the first snapshot"
        ),
        sa.Column("seq", BigInt, nullable=False),
        sa.Column("at", BigInt, nullable=False),
        sa.Column(
            "snapshot",
            BigInt,
            nullable=False,
            server_default="0",
            comment="how many snapshots have been taken: seq counts in the log of the last",
        ),
        sqlite_strict=True,
        comment="One row: how far the line has been applied. Locked by every application.",
    )


def _make_events(op: Operations) -> None:
    op.create_table(
        "events",
        sa.Column("event_id", Identifier, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("coefficient", BigInt, comment="null when standalone"),
        sa.Column("deadline", BigInt, comment="null when standalone"),
        sa.Column(
            "status",
            sa.Text,
            sa.CheckConstraint("status IN ('NEW', 'WIN', 'LOSE', 'VOID')"),
            nullable=False,
        ),
        sa.Column("closed_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("updated_at", BigInt, nullable=False),
        sa.Column(
            "epoch",
            Identifier,
            nullable=False,
            comment="the log that vouches for this row; bets are taken only if it is the cursor's",
        ),
        sa.Column(
            "frozen",
            BigInt,
            sa.CheckConstraint("frozen IN (0, 1)"),
            nullable=False,
            server_default="0",
            comment="1: its last item could not be read, so no bets until one can",
        ),
        sa.Column(
            "closed_cap", BigInt, comment="an earlier log closed it then: it never opens after"
        ),
        sqlite_strict=True,
        comment="The replica: the line as far as the cursor.",
    )
    new = sa.text("status = 'NEW'")
    op.create_index(
        "events_open",
        "events",
        ["closed_at", "event_id"],
        sqlite_where=new,
        postgresql_where=new,
    )


def _make_bets(op: Operations) -> None:
    op.create_table(
        "bets",
        sa.Column("bet_id", Identifier, primary_key=True, comment="a UUIDv7 of placed_at"),
        sa.Column("user_id", BigInt, sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("key", Identifier, comment="the Idempotency-Key"),
        sa.Column("event_id", Identifier, sa.ForeignKey("events.event_id"), nullable=False),
        sa.Column("amount", BigInt, sa.CheckConstraint("amount > 0"), nullable=False),
        sa.Column("coefficient", BigInt, comment="the one given; null when standalone"),
        sa.Column("asked_coefficient", BigInt, comment="the one the user saw"),
        sa.Column(
            "accept",
            sa.Text,
            sa.CheckConstraint("accept IN ('exact', 'better', 'any')"),
            nullable=False,
        ),
        sa.Column(
            "placed_at", BigInt, nullable=False, comment="by line-provider's clock, at the latest"
        ),
        sa.Column("event_version", BigInt, nullable=False),
        sa.Column("feed_seq", BigInt, nullable=False, comment="the cursor when it was accepted"),
        sa.Column(
            "snapshot", BigInt, nullable=False, comment="and the one of the log it counts in"
        ),
        sa.Column(
            "fix_at", BigInt, nullable=False, comment="line-provider's time of the fix it used"
        ),
        sa.UniqueConstraint("user_id", "key"),
        sqlite_strict=True,
        comment="Never changed, never removed; a bet's status is derived from its event.",
    )
    op.create_index("bets_of_user", "bets", ["user_id", "bet_id"])
    op.create_index("bets_of_event", "bets", ["event_id", "bet_id"])
