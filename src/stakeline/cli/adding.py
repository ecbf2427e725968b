"""`stakeline user add`: a user in bet-maker's database, while bet-maker runs or not."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from stakeline import db, ids
from stakeline.auth import passwords
from stakeline.bet_maker import users
from stakeline.bet_maker.migrations import SCHEMA
from stakeline.cli import databases
from stakeline.db import Database, UnfitDatabase, schema
from stakeline.errors import Problem, Unavailable, UserExists
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from pathlib import Path

    from stakeline.bet_maker.users import User, UserRole

ADDED, REFUSED = 0, 1


def run(username: str, role: UserRole, data_dir: Path | None) -> int:
    """Add a user; the password is asked for, or read from standard input: one line.

    Returns:
        The exit status: 0, or 1 if nobody was added (one line on standard error says why).

    Raises:
        WrongSetting: a setting cannot be used; the message names it.
    """
    database_url = databases.url_of("bet-maker", data_dir)
    try:
        name = ids.parse_username(username)
    except ValueError as error:
        return _refuse(f"the name {error}")
    try:
        password = passwords.parse(_ask())
    except ValueError as error:
        return _refuse(f"the password {error}")
    try:
        user = asyncio.run(_add(database_url, name, passwords.hash_now(password), role))
    except UserExists:
        return _refuse(f"there is a user {name} already")
    except UnfitDatabase as error:
        raise WrongSetting(f"BET_MAKER_DATABASE_URL: {error}") from None
    except Unavailable as error:
        raise WrongSetting(f"BET_MAKER_DATABASE_URL: {error.cause}") from None
    except OSError as error:
        raise WrongSetting(f"BET_MAKER_DATABASE_URL: {error.strerror}") from None
    except Problem as error:
        return _refuse(str(error))
    typer.echo(f"{role} {user.username} has id {user.user_id}")
    return ADDED


def _ask() -> str:
    """The password: asked for twice on a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.buffer.readline(4 * passwords.MOST_BYTES)
    return line.decode(errors="surrogateescape").rstrip("\r\n")


async def _add(database_url: str, username: str, hashed: str, role: UserRole) -> User:
    database = Database(database_url)
    try:
        await schema.check(database, SCHEMA)
        async with database.write() as conn:
            await users.found(conn)
            return await users.add(conn, await db.now(conn), username, hashed, role)
    finally:
        await database.close()


def _refuse(why: str) -> int:
    typer.echo(f"user add: {why}", err=True)
    return REFUSED
