"""Guarding calls: who asks is told from their token, before anything of a body is read."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer, OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.security.base import SecurityBase

from stakeline.auth import Admission, Principal, Role  # noqa: TC001 - FastAPI reads annotations
from stakeline.errors import Forbidden, Unauthenticated
from stakeline.web import headers

STATIC = HTTPBearer(description="A static token, or one that bet-maker's POST /token gave.")
BY_PASSWORD = OAuth2(
    flows=OAuthFlows(password=OAuthFlowPassword(tokenUrl="token", scopes={})),
    description="A user's name and password. Other tokens are sent as Authorization: Bearer, too.",
)
_PRINCIPAL = "stakeline.principal"


class Guard(SecurityBase):
    """Lets callers of some roles in; a dependency that gives the route its `Principal`.

    Args:
        model: how tokens are come by, for the docs.
        roles: who may call the route; an operator may do all that a user may.
        look_up: False where the route's own statement finds out whether the token was revoked.
    """

    def __init__(self, model: HTTPBearer | OAuth2, *roles: Role, look_up: bool = True) -> None:
        self.model = model
        self.scheme_name = "token"
        self._roles = {*roles, "anybody"} | ({"operator"} if "user" in roles else set())
        self._look_up = look_up

    @property
    def looks_later(self) -> bool:
        """Whether the route finds out itself if the token was revoked."""
        return not self._look_up

    async def __call__(self, request: Request) -> Principal:
        """Who asks.

        Raises:
            Unauthenticated: nobody that is known.
            Forbidden: somebody whose role is none of these.
        """
        principal: Principal | None = request.scope.get(_PRINCIPAL)
        if principal is None:
            admit: Admission = request.scope["app"].state.admit
            principal = await admit(token_of(request), look_up=self._look_up)
            if principal.role not in self._roles:
                raise Forbidden
            request.scope[_PRINCIPAL] = principal
        return principal

    async def look_again(self, request: Request) -> None:
        """Nothing, unless the token was revoked and the route has not come to find out.

        Raises:
            Unauthenticated: it was.
        """
        if not self._look_up:
            await request.scope["app"].state.admit(token_of(request), look_up=True)


def may(model: HTTPBearer | OAuth2, *roles: Role, look_up: bool = True) -> Any:  # noqa: ANN401 - as `Depends` itself
    """The dependency of a route that callers of these roles may use."""
    return Depends(Guard(model, *roles, look_up=look_up))


def token_of(request: Request) -> str | None:
    """The bearer token (RFC 6750) that came with a request; None where there is none.

    Raises:
        Unauthenticated: what came is no bearer token, or there are two.
    """
    given = headers.given(request.scope, b"authorization")
    if not given:
        return None
    if len(given) > 1:
        raise Unauthenticated
    return _bearer(given[0])


@lru_cache(128)  # clients send the same with each request; few, since each may be long
def _bearer(given: str) -> str:
    scheme, _, token = given.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthenticated
    return token
