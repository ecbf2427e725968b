"""Signed tokens: JSON Web Tokens as access tokens (RFC 9068), by one algorithm."""

from __future__ import annotations

import hashlib
import hmac
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
_CLAIMS = ["aud", "exp", "iat", "iss", "nbf", "sub"]
# The last one of 43 characters has two bits to spare: other texts would say the same 32 bytes.
_CANONICAL = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


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
        self._key_id = _key_id(keys[0])
        self._keys = {_key_id(key): key for key in keys}
        self.lifetime_s = lifetime_s

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
        headers = {"typ": TYPE, "kid": self._key_id}
        return jwt.encode(claims, self._keys[self._key_id], ALGORITHM, headers)

    def read(self, token: str) -> Principal:
        """Whose token this is.

        Raises:
            Unauthenticated: it is none of ours, or expired, or not yet good.
        """
        if len(token) > MOST_CHARACTERS or not _CANONICAL.fullmatch(token):
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE:
                raise Unauthenticated
            # Of our own keys; what else a header may name (jku, jwk, x5u) is not looked at.
            key = self._keys[header["kid"]]
            claims = jwt.decode(
                token,
                key,
                [ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": _CLAIMS, "strict_aud": True},
            )
            return _principal(claims)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise Unauthenticated from error


def _principal(claims: dict[str, Any]) -> Principal:
    if claims["role"] not in {"user", "operator"} or not isinstance(claims["version"], int):
        raise ValueError("not as we write them")
    return Principal(
        str(claims["name"]), claims["role"], ids.parse_integer(claims["sub"]), claims["version"]
    )


def _key_id(key: bytes) -> str:
    """The name of a key, which tells nothing of it."""
    return hmac.digest(key, b"kid", hashlib.sha256).hex()[:16]
