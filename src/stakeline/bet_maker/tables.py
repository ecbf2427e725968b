"""bet-maker's tables. Times are microseconds in UTC, amounts cents, coefficients hundredths."""

from __future__ import annotations

import sqlalchemy as sa

from stakeline.contract import STATUSES
from stakeline.db import BigInt, Identifier

metadata = sa.MetaData()

ACCEPTS = ("exact", "better", "any")
"""Which coefficient a user takes: the one they saw, that or a better one, or whatever it is."""

cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("id", BigInt, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
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

events = sa.Table(
    "events",
    metadata,
    sa.Column("event_id", Identifier, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("coefficient", BigInt, comment="null when standalone"),
    sa.Column("deadline", BigInt, comment="null when standalone"),
    sa.Column("status", sa.Text, sa.CheckConstraint(f"status IN {STATUSES}"), nullable=False),
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
    sa.Column("closed_cap", BigInt, comment="an earlier log closed it then: it never opens after"),
    sa.Index(
        "events_open",
        "closed_at",
        "event_id",
        sqlite_where=sa.text("status = 'NEW'"),
        postgresql_where=sa.text("status = 'NEW'"),
    ),
    sqlite_strict=True,
    comment="The replica: the line as far as the cursor.",
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", BigInt, primary_key=True),
    sa.Column("username", sa.Text, nullable=False, unique=True),
    sa.Column("password_hash", sa.Text, comment="null: cannot log in"),
    sa.Column(
        "role",
        sa.Text,
        sa.CheckConstraint("role IN ('user', 'operator')"),
        nullable=False,
        server_default="user",
    ),
    sa.Column(
        "active", BigInt, sa.CheckConstraint("active IN (0, 1)"), nullable=False, server_default="1"
    ),
    sa.Column(
        "token_version",
        BigInt,
        nullable=False,
        server_default="0",
        comment="raised by what revokes the user's tokens",
    ),
    sa.Column("created_at", BigInt, nullable=False, server_default="0"),
    sa.Column("updated_at", BigInt, nullable=False, server_default="0"),
    sa.Column("removed_at", BigInt, comment="a row stays for the bets that refer to it"),
    sqlite_strict=True,
)

logins = sa.Table(
    "logins",
    metadata,
    sa.Column("login_id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False, comment="the name that was given"),
    sa.Column("address", sa.Text, nullable=False, comment="where it came from"),
    sa.Column("at", BigInt, nullable=False),
    sa.Column("failed", BigInt, sa.CheckConstraint("failed IN (0, 1)"), nullable=False),
    sa.Index("logins_of_account", "account", "at"),
    sa.Index("logins_of_address", "address", "at"),
    sqlite_strict=True,
    comment="Logins under way, and those that failed in the last 15 minutes.",
)

bets = sa.Table(
    "bets",
    metadata,
    sa.Column("bet_id", Identifier, primary_key=True, comment="a UUIDv7 of placed_at"),
    sa.Column("user_id", BigInt, sa.ForeignKey("users.user_id"), nullable=False),
    sa.Column("key", Identifier, comment="the Idempotency-Key"),
    sa.Column("event_id", Identifier, sa.ForeignKey("events.event_id"), nullable=False),
    sa.Column("amount", BigInt, sa.CheckConstraint("amount > 0"), nullable=False),
    sa.Column("coefficient", BigInt, comment="the one given; null when standalone"),
    sa.Column("asked_coefficient", BigInt, comment="the one the user saw"),
    sa.Column("accept", sa.Text, sa.CheckConstraint(f"accept IN {ACCEPTS}"), nullable=False),
    sa.Column(
        "placed_at", BigInt, nullable=False, comment="by line-provider's clock, at the latest"
    ),
    sa.Column("event_version", BigInt, nullable=False),
    sa.Column("feed_seq", BigInt, nullable=False, comment="the cursor when it was accepted"),
    sa.Column("snapshot", BigInt, nullable=False, comment="and the one of the log it counts in"),
    sa.Column("fix_at", BigInt, nullable=False, comment="line-provider's time of the fix it used"),
    sa.UniqueConstraint("user_id", "key"),
    sa.Index("bets_of_user", "user_id", "bet_id"),
    sa.Index("bets_of_event", "event_id", "bet_id"),
    sqlite_strict=True,
    comment="Never changed, never removed; a bet's status is derived from its event.",
)

exposures = sa.Table(
    "exposures",
    metadata,
    sa.Column("event_id", Identifier, primary_key=True),
    sa.Column("exposure", BigInt, comment="in cents; null within the transaction that sums it"),
    sqlite_strict=True,
    comment="Under a limit: an event's exposure. Without a row its bets are summed.",
)

counted_users = sa.Table(
    "counted_users",
    metadata,
    sa.Column("user_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("counted", BigInt, nullable=False, comment="0 within the transaction that sums"),
    sqlite_strict=True,
    comment="Under a limit: whose stakes are summed. Locked by each of their bets.",
)

stakes = sa.Table(
    "stakes",
    metadata,
    sa.Column("user_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("event_id", Identifier, primary_key=True),
    sa.Column("amount", BigInt, nullable=False),
    sqlite_strict=True,
    comment="Under a limit: what a counted user has staked on an event.",
)
