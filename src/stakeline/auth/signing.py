"""Signed tokens: JSON Web Tokens as access tokens (RFC 9068), by one algorithm."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import TYPE_CHECKING, Any

import jwt

from stakeline import ids
from stakeline.auth import Principal
from stakeline.errors import Unauthenticated

if TYPE_CHECKING:
    from typing import Final

    from pydantic import SecretStr

ALGORITHM: Final = "HS256"
ISSUER, AUDIENCE = "bet-maker", "stakeline"
TYPE = "at+jwt"
LEEWAY_S = 30
"""By how much the clocks of the machines may differ."""
MOST_CHARACTERS = 2048
MOST_SEEN = 10_000
"""How many tokens are remembered, so that each is verified once."""
_CLAIMS = ["aud", "exp", "iat", "iss", "nbf", "sub"]
# The last one of 43 characters has two bits to spare: other texts would say the same 32 bytes.
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class Signing:
    """Issues tokens, and reads those of its own keys.

    Args:
        secret: what tokens are signed with, 32 bytes or more.
        previous: another one whose tokens are taken too, so that secrets can be exchanged.
        lifetime_s: how long a token is good.
    """

    def __init__(
        self, secret: SecretStr, previous: SecretStr | None = None, lifetime_s: int = 900
    ) -> None:
        keys = [
            given.get_secret_value().encode() for given in (secret, previous) if given is not None
        ]
        self._key = keys[0]
        self._keys = {
            jwt.encode({}, key, ALGORITHM, _header(key)).partition(".")[0]: key for key in keys
        }
        self.lifetime_s = lifetime_s
        self._seen: dict[str, tuple[Principal, int, int]] = {}

    def issue(self, principal: Principal) -> str:
        """A token by which the principal is known until its lifetime is over, or it is revoked."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(principal.user_id),
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_s,
            "name": principal.name,
            "role": principal.role,
            "version": principal.token_version,
        }
        return jwt.encode(claims, self._key, ALGORITHM, _header(self._key))

    def read_again(self, token: str) -> Principal | None:
        """Whose token this is, if it was read lately; None: `read` tells.

        A client sends the same token with each request, and reading it took a third of a bet's
        time; but for the clock nothing in it changes.

        Raises:
            Unauthenticated: it is not good any more.
        """
        seen = self._seen.get(token)
        return None if seen is None else _if_good(*seen)

    def read(self, token: str) -> Principal:
        """Whose token this is.

        Raises:
            Unauthenticated: it is none of ours, or expired, or not yet good.
        """
        seen = self._verify(token)
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen[token] = seen
        return _if_good(*seen)

    def _verify(self, token: str) -> tuple[Principal, int, int]:
        """Whose token this is, and from when until when it is good, in unix seconds."""
        header, _, rest = token.partition(".")
        claims_part, _, signature = rest.partition(".")
        # One of the headers that we write, to the letter: what else a header might ask for (another
        # algorithm, a key of its own) is not even read.
        key = self._keys.get(header)
        if key is None or len(token) > MOST_CHARACTERS or not _SIGNATURE.fullmatch(signature):
            raise Unauthenticated
        try:
            claims = jwt.decode(
                token,
                key,
                [ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": _CLAIMS, "strict_aud": True},
            )
            principal = _principal(claims)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise Unauthenticated from error
        if _text(claims) != claims_part:  # a claim twice, for instance
            raise Unauthenticated
        from_s = max(claims["iat"], claims["nbf"]) - LEEWAY_S
        return principal, from_s, claims["exp"] + LEEWAY_S


def _if_good(principal: Principal, from_s: int, until_s: int) -> Principal:
    if not from_s <= time.time() < until_s:
        raise Unauthenticated
    return principal


def _principal(claims: dict[str, Any]) -> Principal:
    """Whom the claims name, which are of the very types that we write.

    Raises:
        KeyError, TypeError, ValueError: they are not.
    """
    name, role, version = claims["name"], claims["role"], claims["version"]
    numbers = (claims["iat"], claims["nbf"], claims["exp"], version)
    if (
        any(type(number) is not int or not 0 <= number <= ids.MAX_INTEGER for number in numbers)
        or role not in {"user", "operator"}
        or name != ids.parse_username(str(name))
    ):
        raise ValueError("not as we write them")
    return Principal(name, role, ids.parse_integer(claims["sub"], 1), version)


def _text(claims: dict[str, Any]) -> str:
    """The claims as they stand in a token."""
    written = json.dumps(claims, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()


def _header(key: bytes) -> dict[str, str]:
    """The header of a key's tokens; its name tells nothing of the key."""
    return {"typ": TYPE, "kid": hmac.digest(key, b"kid", hashlib.sha256).hex()[:16]}
