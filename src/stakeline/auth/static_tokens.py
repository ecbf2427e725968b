"""Static tokens: secrets that settings give to operators and services by name."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from stakeline.auth import Principal
from stakeline.samples import is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from stakeline.auth import Role

LEAST = 32
"""How many characters a token has at least: those of 128 bits, twice over."""
MOST_OF_NAME = 2
"""How many tokens a name may have: an old one and a new one, so that they can be exchanged."""
_FORM = r"[A-Za-z0-9._~+/-]{1,512}={0,2}"
# A name is shorter than any token: with the two exchanged, a message that has the name shows none.
_NAMED = re.compile(rf"([A-Za-z0-9._-]{{1,{LEAST - 1}}})=({_FORM})", re.ASCII)


class StaticTokens:
    """Who carries which token. Only hashes are kept.

    Args:
        tokens: for each role the setting that names its tokens, in the form that `parse` takes.
    """

    def __init__(self, tokens: Mapping[Role, SecretStr | None]) -> None:
        self._known = [
            (_digest(token), Principal(name, role))
            for role, given in tokens.items()
            for name, token in parse("" if given is None else given.get_secret_value())
        ]

    def find(self, token: str) -> Principal | None:
        """Whose token this is, told in the same time whichever it is; None if nobody's."""
        if not self._known:
            return None
        digest = _digest(token)
        found = None
        for known, principal in self._known:
            if hmac.compare_digest(digest, known):
                found = principal
        return found


def parse(text: str) -> list[tuple[str, str]]:
    """The names and tokens in `name=token,name=token`; line breaks serve as commas.

    Raises:
        ValueError: it is malformed, or a token is too short or a known sample, or a name has more
            than two; the message repeats no token.
    """
    named: list[tuple[str, str]] = []
    for part in re.split(r"[,\n]", text):
        if not part.strip():
            continue
        match = _NAMED.fullmatch(part.strip())
        if match is None:
            raise ValueError("must be name=token, several with commas between them")
        name, token = match[1], match[2]
        if len(token) < LEAST or is_known(token):
            raise ValueError(f"the token of {name} must be {LEAST} random characters or more")
        named.append((name, token))
    for name, _ in named:
        if sum(name == other for other, _ in named) > MOST_OF_NAME:
            raise ValueError(f"{name} has more than {MOST_OF_NAME} tokens")
    return named


def check(given: SecretStr) -> SecretStr:
    """The setting, if it has the form that `parse` takes.

    Raises:
        ValueError: as `parse`, or it names nobody.
    """
    if not parse(given.get_secret_value()):
        raise ValueError("must be name=token, several with commas between them")
    return given


def check_one(given: SecretStr) -> SecretStr:
    """The setting, if it is one token, without a name.

    Raises:
        ValueError: it is malformed, too short or a known sample.
    """
    token = given.get_secret_value()
    if not re.fullmatch(_FORM, token) or len(token) < LEAST or is_known(token):
        raise ValueError(f"must be one token of {LEAST} random characters or more, without a name")
    return given


def _digest(token: str) -> bytes:
    # Of bytes: comparing texts would fail on what is not ASCII.
    return hashlib.sha256(token.encode()).digest()
