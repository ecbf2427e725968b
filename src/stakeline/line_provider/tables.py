"""line-provider's tables. Times are microseconds in UTC, coefficients hundredths."""

from __future__ import annotations

import sqlalchemy as sa

from stakeline.contract import STATUSES
from stakeline.db import BigInt, Identifier

metadata = sa.MetaData()

head = sa.Table(
    "head",
    metadata,
    sa.Column("id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    sa.Column("epoch", Identifier, nullable=False),
    sa.Column("seq", BigInt, nullable=False),
    sa.Column("at", BigInt, nullable=False),
    sqlite_strict=True,
    comment="One row: the log's name, and seq and time of its last item. Locked by every change.",
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("event_id", Identifier, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("coefficient", BigInt, sa.CheckConstraint("coefficient > 0"), nullable=False),
    sa.Column("deadline", BigInt, nullable=False),
    sa.Column("status", sa.Text, sa.CheckConstraint(f"status IN {STATUSES}"), nullable=False),
    sa.Column("decided_at", BigInt, comment="when the first result was given, never changed"),
    sa.Column("asked_closed_at", BigInt, comment="the operator's closed_at"),
    sa.Column("version", BigInt, nullable=False),
    sa.Column("created_at", BigInt, nullable=False),
    sa.Column("updated_at", BigInt, nullable=False),
    sa.CheckConstraint("status = 'NEW' OR decided_at IS NOT NULL", name="decided"),
    sa.Index("events_by_deadline", "deadline", "event_id"),
    sa.Index(
        "events_undecided",
        "deadline",
        "event_id",
        sqlite_where=sa.text("decided_at IS NULL AND deadline > created_at"),
        postgresql_where=sa.text("decided_at IS NULL AND deadline > created_at"),
    ),
    sqlite_strict=True,
)

feed = sa.Table(
    "feed",
    metadata,
    sa.Column("seq", BigInt, primary_key=True, autoincrement=False),
    sa.Column("at", BigInt, nullable=False),
    sa.Column("event_id", Identifier, nullable=False),
    sa.Column("version", BigInt, nullable=False),
    sa.Column("event", sa.Text, nullable=False, comment="the whole event as it then stood, JSON"),
    sa.Column("by", sa.Text, nullable=False, comment="who changed it"),
    sa.Column("reason", sa.Text, comment="why, in the operator's words"),
    sa.UniqueConstraint("event_id", "version"),
    sqlite_strict=True,
    comment="Every change of the line, in commit order; never trimmed.",
)

relay = sa.Table(
    "relay",
    metadata,
    sa.Column("id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    sa.Column("epoch", Identifier, nullable=False),
    sa.Column("seq", BigInt, nullable=False),
    sqlite_strict=True,
    comment="One row, where there is a broker: the last item of the log that was published.",
)
