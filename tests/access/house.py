"""Services that ask who calls, and callers of every kind."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic import SecretStr

from stakeline.auth import Principal
from stakeline.auth.signing import Signing
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = "b8a1f7c64d0e93527a6f1bd98c04e7352f60d1ab"  # noqa: S105 - all of these are the tests' own
PASSWORD = "seventeen herons at dusk"  # noqa: S105
FEED = "f00dfeedf00dfeed5c3a9be1d27846f0a1"
OWNER = "0a7c1e5d9b3f4862c0d1e2f3a4b5c6d7e8"
METRICS = "3e7a5c19d0b2f4868c1d3e5f7a9b0c2d4e"
LINE: dict[str, Any] = {
    "operator_tokens": f"owner={OWNER}",
    "feed_tokens": f"bets={FEED}",
    "jwt_secret": SECRET,
}
BETS: dict[str, Any] = {
    "jwt_secret": SECRET,
    "metrics_tokens": f"prometheus={METRICS}",
    "first_user_username": "first",
    "first_user_password": PASSWORD,
}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a token; `bets` and `line` are the services as they reach them."""

    user_id: str
    username: str
    token: str
    bets: Served
    line: Served | None


class House:
    """A bet-maker that asks who calls, and the line-provider it follows, if any."""

    def __init__(self, bets: Served, line: Served | None, stack: AsyncExitStack) -> None:
        self.bets, self.line, self._stack = bets, line, stack
        self._count = 0
        self._first: User | None = None

    def by(self, served: Served, token: str) -> Served:
        """The service, to a caller with this token."""
        client = httpx2.AsyncClient(
            base_url=served.url, headers=bearer(token), timeout=30, trust_env=False
        )
        self._stack.push_async_callback(client.aclose)
        return Served(served.app, served.url, client)

    async def log_in(self, username: str, password: str = PASSWORD) -> User:
        """A user with a new token."""
        answer = await self.bets.post("/token", {"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        bets = self.by(self.bets, token)
        line = None if self.line is None else self.by(self.line, token)
        me = (await bets.get("/users/me")).json()
        return User(me["user_id"], username, token, bets, line)

    async def first(self) -> User:
        """The operator that settings name."""
        if self._first is None:
            self._first = await self.log_in("first")
        return self._first

    async def user(self, role: str = "user", username: str | None = None) -> User:
        """A new user."""
        self._count += 1
        new = {"username": username or f"user{self._count}", "password": PASSWORD, "role": role}
        answer = await (await self.first()).bets.post("/users", new)
        assert answer.status_code == 201, answer.text
        return await self.log_in(new["username"])


def bearer(token: str | None) -> dict[str, str]:
    """The header by which a caller with this token is known."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def expired(user: User, role: str = "user") -> str:
    """A token that was the user's a while ago."""
    principal = Principal(user.username, role, int(user.user_id))  # type: ignore[arg-type]
    return Signing(SecretStr(SECRET), lifetime_s=-60).issue(principal)


@asynccontextmanager
async def closed(folder: Path, *, standalone: bool = False) -> AsyncIterator[House]:
    """Both services, or a standalone bet-maker, which let nobody in without a token."""
    async with AsyncExitStack() as stack:
        line, following = None, {}
        if not standalone:
            line = await stack.enter_async_context(serving(line_provider(folder, **LINE)))
            following = {"line_provider_token": FEED}
        url = None if line is None else line.url
        app = bet_maker(folder, url, **BETS, **following)
        bets = await stack.enter_async_context(serving(app))
        await until_ready(bets)
        yield House(bets, line, stack)
