"""Users with passwords and roles, and the logins that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from stakeline.db import BigInt

if TYPE_CHECKING:
    from alembic.operations import Operations

revision, down_revision = "0002", "0001"
compatible_from = 1


def upgrade(op: Operations) -> None:
    """Add what users have; the anonymous one, who is there, has no password."""
    for column in (
        sa.Column("password_hash", sa.Text, comment="null: cannot log in"),
        sa.Column(
            "role",
            sa.Text,
            sa.CheckConstraint("role IN ('user', 'operator')"),
            nullable=False,
            server_default="user",
        ),
        sa.Column(
            "active",
            BigInt,
            sa.CheckConstraint("active IN (0, 1)"),
            nullable=False,
            server_default="1",
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
    ):
        op.add_column("users", column)
    if op.get_context().dialect.name == "postgresql":
        # The anonymous user's id was given, not drawn: the next one drawn would be the same.
        op.execute(
            "SELECT setval(pg_get_serial_sequence('users', 'user_id'),"
            " greatest(1, (SELECT max(user_id) FROM users)))"
        )
    op.create_table(
        "logins",
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


def downgrade(op: Operations) -> None:
    """Forget passwords, roles and logins; users and their bets stay."""
    op.drop_table("logins")
    names = ("removed_at", "updated_at", "created_at", "token_version", "active", "role")
    for name in (*names, "password_hash"):
        op.drop_column("users", name)
