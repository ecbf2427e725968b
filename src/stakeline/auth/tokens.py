"""All tokens that a service takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline.errors import Unauthenticated

if TYPE_CHECKING:
    from stakeline.auth import Principal
    from stakeline.auth.signing import Signing
    from stakeline.auth.static_tokens import StaticTokens


class Tokens:
    """The tokens that a service takes; `hold` exchanges them while it runs."""

    def __init__(self, static: StaticTokens, signing: Signing | None) -> None:
        self.hold(static, signing)

    def hold(self, static: StaticTokens, signing: Signing | None) -> None:
        """Take these from now on, and no others.

        Args:
            static: those that settings name.
            signing: reads those that bet-maker issues; None where there are none.
        """
        self._static, self.signing = static, signing

    def read(self, token: str | None) -> Principal:
        """Whose token this is.

        Raises:
            Unauthenticated: nobody's, or it has expired.
        """
        if token is None:
            raise Unauthenticated
        signing = self.signing
        found = signing.read_again(token) if signing is not None else None
        found = self._static.find(token) if found is None else found
        if found is not None:
            return found
        if signing is None:
            raise Unauthenticated
        return signing.read(token)
