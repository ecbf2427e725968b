"""Services that ask for tokens, and tokens of every kind for them, forged ones included."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from stakeline.auth import signing
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2


def secret(name: str) -> str:
    """A secret that looks random, always the same by this name."""
    return hashlib.sha256(name.encode()).hexdigest()


SIGNED_BY, PREVIOUS = secret("signed"), secret("previous")
OPERATORS, FEED = secret("operators"), secret("feed")
DAY_S = 86_400
OPERATOR, PASSWORD = "olga", "tall ships of Lübeck"
LINE = {
    "operator_tokens": SecretStr(f"desk={OPERATORS}"),
    "feed_tokens": SecretStr(f"bet-maker={FEED}"),
    "jwt_secret": SecretStr(SIGNED_BY),
    "jwt_previous_secret": SecretStr(PREVIOUS),
}
BETS = {
    "jwt_secret": SecretStr(SIGNED_BY),
    "jwt_previous_secret": SecretStr(PREVIOUS),
    "line_provider_token": SecretStr(FEED),
    "first_user_username": OPERATOR,
    "first_user_password": SecretStr(PASSWORD),
}


@dataclass(frozen=True, slots=True)
class Closed:
    """Both services, closed, and the token of the one operator."""

    line: Served
    bets: Served
    token: str

    def routes(self) -> list[tuple[Served, str, str]]:
        """Service, method and path: a read, a change and a list of changes, or the feed."""
        return [
            (self.line, "GET", "/events"),
            (self.bets, "GET", "/bets"),
            (self.line, "POST", "/events"),
            (self.bets, "POST", "/bets"),
            (self.line, "GET", "/feed/snapshot"),
            (self.bets, "POST", "/bets/batch"),
        ]


@asynccontextmanager
async def closed_house(folder: Path) -> AsyncIterator[Closed]:
    """Both services, closed, ready, with one operator and the event `open`."""
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(serving(line_provider(folder, **LINE)))
        bets = await stack.enter_async_context(serving(bet_maker(folder, line.url, **BETS)))
        await until_ready(bets)
        token = (await log_in(bets, OPERATOR, PASSWORD)).json()["access_token"]
        made = await line.post("/events", {"event_id": "open", "coefficient": 2}, headers=by(token))
        assert made.status_code == 201, made.text
        yield Closed(line, bets, token)


async def log_in(bets: Served, username: str, password: str) -> httpx2.Response:
    """The answer to a login."""
    return await bets.post("/token", {"username": username, "password": password})


def by(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def claims(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The claims of a good token, or others; None leaves one out."""
    now = int(time.time())
    good = {
        "iss": "bet-maker",
        "aud": "stakeline",
        "sub": "2",
        "iat": now,
        "nbf": now,
        "exp": now + DAY_S,  # whenever in a long run it is used, its time is not what is wrong
        "name": "olga",
        "role": "operator",
        "version": 0,
    }
    return {name: value for name, value in (good | other).items() if value is not None}


def header(key: str = SIGNED_BY, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The header of a good token, or another; None leaves one out."""
    kid = hmac.digest(key.encode(), b"kid", hashlib.sha256).hex()[:16]
    good = {"alg": signing.ALGORITHM, "kid": kid, "typ": signing.TYPE}
    return {name: value for name, value in (good | other).items() if value is not None}


def part(value: object) -> str:
    """A part of a token: text as it is given, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return base64url(text.encode(errors="surrogatepass"))


def base64url(data: bytes) -> str:
    """The bytes in the alphabet of tokens."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(
    head: object | None = None,
    body: object | None = None,
    key: str = SIGNED_BY,
    hashed: str = "sha256",
) -> str:
    """A token made by hand; without arguments a good one of a user that nobody is."""
    signed = f"{part(head or header(key))}.{part(body or claims())}"
    return f"{signed}.{base64url(hmac.digest(key.encode(), signed.encode(), hashed))}"
