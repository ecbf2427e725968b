"""Who may do what: principals, and the tokens by which they are known."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Role = Literal["user", "operator", "service"]
"""Who bets; who runs the line; what reads the feed or the metrics."""


class Principal(msgspec.Struct, frozen=True):
    """On whose behalf a request is made.

    Attributes:
        name: what the history of the line says of who changed it.
        role: what they may do; `anybody` is everybody in open mode, and may do everything.
        user_id: whose bets they place and see; 0 for those who have none here.
        token_version: of the user, when the token was issued; another one now revokes it.
    """

    name: str
    role: Role | Literal["anybody"]
    user_id: int = 0
    token_version: int = 0


class Admission(Protocol):
    """How a service tells who asks."""

    async def __call__(self, token: str | None, *, look_up: bool) -> Principal:
        """Whose token this is.

        Args:
            token: what came as `Authorization: Bearer`, if anything did.
            look_up: False where what follows finds out by itself whether it was revoked.

        Raises:
            Unauthenticated: nobody's.
        """
