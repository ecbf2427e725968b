"""Who bets, and who runs the line: users, their roles, and whether their tokens still hold.

In open mode there is one, the anonymous user. A removed user's row stays, without name or password,
for the bets that refer to it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from stakeline.auth import Principal
from stakeline.bet_maker.tables import users
from stakeline.errors import Unauthenticated, UserExists, UserNotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from stakeline.db import Database

ANONYMOUS = 1
"""The anonymous user's id; a row like any other, so that a key is unique per user here too."""
ANYBODY = Principal("anonymous", "anybody", ANONYMOUS)
"""Who asks in open mode."""

GOOD = {
    dialect: f"SELECT user_id, token_version FROM users WHERE active = 1 AND user_id {among}"  # noqa: S608 - constants
    for dialect, among in {
        "sqlite": "IN (SELECT value FROM json_each(?))",
        "postgresql": "= ANY($1)",
    }.items()
}
"""The users among some, and the versions of their tokens that have not been revoked."""
UserRole = Literal["user", "operator"]
_THERE = sa.and_(users.c.user_id != ANONYMOUS, users.c.removed_at.is_(None))
_FOUND = sa.text("""
INSERT INTO users (user_id, username) VALUES (:user_id, 'anonymous') ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class User:
    """A user as operators see them; times in microseconds."""

    user_id: int
    username: str
    role: UserRole
    active: bool
    created_at: int
    updated_at: int


_SHOWN = sa.select(*(users.c[name] for name in User.__slots__))


async def found(conn: AsyncConnection) -> None:
    """Make the anonymous user, if it is not there."""
    await conn.execute(_FOUND, {"user_id": ANONYMOUS})


async def any_yet(conn: AsyncConnection) -> bool:
    """Whether there is, or ever was, a user besides the anonymous one."""
    others = sa.select(users.c.user_id).where(users.c.user_id != ANONYMOUS).limit(1)
    return (await conn.execute(others)).first() is not None


async def add(
    conn: AsyncConnection, now: int, username: str, password_hash: str, role: UserRole
) -> User:
    """A new user.

    Raises:
        UserExists: the name is taken.
    """
    taken = sa.select(users.c.user_id).where(users.c.username == username)
    if (await conn.execute(taken)).first() is not None:
        raise UserExists
    columns = {
        "username": username,
        "password_hash": password_hash,
        "role": role,
        # Not 0: by another database's token, signed with the same secret, nobody is known here.
        "token_version": secrets.randbits(32),
        "created_at": now,
        "updated_at": now,
    }
    try:
        made = await conn.execute(users.insert().values(columns).returning(users.c.user_id))
    except IntegrityError as error:  # somebody else took it just now
        raise UserExists from error
    return await find(conn, made.scalar_one())


async def find(conn: AsyncConnection, user_id: int) -> User:
    """The user with this id.

    Raises:
        UserNotFound: there is none, or no more.
    """
    row = (await conn.execute(_SHOWN.where(_THERE, users.c.user_id == user_id))).one_or_none()
    if row is None:
        raise UserNotFound
    return _user(row)


async def page(conn: AsyncConnection, after: int, limit: int) -> Sequence[User]:
    """Up to `limit` users in the order of their ids, those after `after`."""
    query = _SHOWN.where(_THERE, users.c.user_id > after).order_by(users.c.user_id).limit(limit)
    return [_user(row) for row in await conn.execute(query)]


async def credentials(conn: AsyncConnection, username: str) -> tuple[Principal, str] | None:
    """Whom a name and a password log in, and the password's hash; None if nobody."""
    query = sa.select(users).where(
        _THERE,
        users.c.username == username,
        users.c.active == 1,
        users.c.password_hash.is_not(None),
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    return Principal(row.username, row.role, row.user_id, row.token_version), row.password_hash


async def good(database: Database, asking: Collection[Principal]) -> set[Principal]:
    """Those of them who are known by a token that has not been revoked."""
    dialect = database.engine.dialect.name
    return named(asking, await database.read_alone(GOOD[dialect], among(dialect, asking)))


def among(dialect: str, asking: Collection[Principal]) -> object:
    """The parameter of `GOOD` for these."""
    user_ids = list({who.user_id for who in asking})
    return json.dumps(user_ids) if dialect == "sqlite" else user_ids


def named(asking: Collection[Principal], rows: Iterable[Sequence[Any]]) -> set[Principal]:
    """Those of them whom the rows of `GOOD` name."""
    known = {(user_id, token_version) for user_id, token_version in rows}
    return {who for who in asking if (who.user_id, who.token_version) in known}


async def check(conn: AsyncConnection, who: Principal) -> None:
    """Nothing, if the token by which this user is known has not been revoked.

    Raises:
        Unauthenticated: it was, by another password or role, or the user was removed.
    """
    of_the_token = sa.select(users.c.user_id).where(
        users.c.user_id == who.user_id,
        users.c.token_version == who.token_version,
        users.c.active == 1,
    )
    if (await conn.execute(of_the_token)).first() is None:
        raise Unauthenticated


async def begin(conn: AsyncConnection, who: Principal) -> None:
    """Begin what this operator, or this user of themselves, changes: from now on nobody else can.

    So they may still do it when it is done, and no two changes lock each other out.

    Raises:
        Unauthenticated: as `check`.
    """
    if conn.dialect.name == "postgresql":  # with SQLite whoever writes is alone anyway
        await conn.execute(sa.text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
    await check(conn, who)


async def change(conn: AsyncConnection, now: int, user_id: int, to: dict[str, Any]) -> User:
    """The user with other values; a new password or role, or to be inactive, revokes all tokens.

    Args:
        conn: of a transaction for writing.
        now: the database's time, in microseconds.
        user_id: whose.
        to: any of `username`, `password_hash`, `role` and `active`, with their new values.

    Raises:
        UserNotFound: there is none with this id.
        UserExists: the name is taken.
    """
    before = await find(conn, user_id)
    revokes = "password_hash" in to or any(
        to.get(name, getattr(before, name)) != getattr(before, name) for name in ("role", "active")
    )
    values = to | {"updated_at": now, "token_version": users.c.token_version + int(revokes)}
    try:
        await conn.execute(users.update().where(users.c.user_id == user_id).values(values))
    except IntegrityError as error:
        raise UserExists from error
    return await find(conn, user_id)


async def rehash(conn: AsyncConnection, who: Principal, password_hash: str) -> None:
    """Keep another hash of the same password, unless it was changed meanwhile."""
    still = (users.c.user_id == who.user_id, users.c.token_version == who.token_version)
    await conn.execute(users.update().where(*still).values(password_hash=password_hash))


async def remove(conn: AsyncConnection, now: int, user_id: int) -> None:
    """Forget the user's name and password, and revoke all tokens; the name is free again.

    Raises:
        UserNotFound: there is none with this id.
    """
    await find(conn, user_id)
    await conn.execute(
        users.update()
        .where(users.c.user_id == user_id)
        .values(
            username=f"~{user_id}",  # which nobody's name can be
            password_hash=None,
            active=0,
            token_version=users.c.token_version + 1,
            updated_at=now,
            removed_at=now,
        )
    )


def _user(row: Any) -> User:  # noqa: ANN401 - a row of `_SHOWN`
    return User(
        row.user_id, row.username, row.role, bool(row.active), row.created_at, row.updated_at
    )
