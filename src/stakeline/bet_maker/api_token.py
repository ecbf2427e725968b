"""bet-maker's HTTP call for tokens: a name and a password for a token that is good for a while."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from stakeline import db, fields, ids, strictjson
from stakeline.auth import passwords
from stakeline.bet_maker import logins, users
from stakeline.errors import BadRequest, InvalidRequest, Unauthenticated, UnsupportedMediaType
from stakeline.web import problems
from stakeline.web.reading import KIB, JsonRoute, read_body
from stakeline.web.responses import json_response

if TYPE_CHECKING:
    from stakeline.auth import Principal
    from stakeline.auth.passwords import Passwords
    from stakeline.auth.tokens import Tokens
    from stakeline.db import Database

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Entrance:
    """What logging in works on."""

    database: Database
    tokens: Tokens
    passwords: Passwords

    async def log_in(self, username: str, password: str, address: str) -> Principal:
        """Whom the name and the password belong to.

        Raises:
            Unauthenticated: nobody, or not that password; which of them is not told.
            TooManyRequests: too many logins have failed for the name or from the address.
            Overloaded: too many wait.
            InvalidRequest: the password is longer than 1 KiB.
            Unavailable: the database cannot be used.
        """
        try:
            password = passwords.normal(password)
        except ValueError as error:
            raise InvalidRequest.of("body.password", str(error)) from None
        try:
            username = ids.parse_username(username)
        except ValueError:
            username = "~"  # which is nobody's
        async with self.passwords.turn():
            async with self.database.write() as conn:
                login_id = await logins.begin(conn, await db.now(conn), username, address)
                found = await users.credentials(conn, username)
            who, hashed = found or (None, None)
            matches, better = await self.passwords.match(password, hashed)
            async with self.database.write() as conn:
                if who is None or not matches:
                    await logins.fail(conn, login_id)
                else:
                    await logins.succeed(conn, login_id)
                    if better is not None:
                        await users.rehash(conn, who, better)
        if who is None or not matches:
            raise Unauthenticated("There is no such user, or the password is not theirs.")
        return who


class Login(fields.Body):
    """A name and a password; a form may also say `grant_type=password`, as OAuth2 has it."""

    username: Annotated[str, Field(max_length=1024)]
    password: Annotated[str, Field(max_length=1024)]


class Form(Login):
    """The OAuth2 password form (RFC 6749, section 4.3.2); there are no scopes and no clients."""

    grant_type: str = "password"
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""


class Token(BaseModel):
    """A token, and for how many seconds it is good."""

    access_token: str
    token_type: str
    expires_in: int


async def entrance_of(request: Request) -> Entrance:
    """The entrance of this application."""
    entrance: Entrance = request.app.state.entrance
    return entrance


EntranceHere = Annotated[Entrance, Depends(entrance_of)]
router = APIRouter(route_class=JsonRoute, tags=["users"])

_BODY_IN_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Login.model_json_schema()},
            FORM: {"schema": Form.model_json_schema()},
        },
    }
}


@router.post("/token", response_model=Token, openapi_extra=_BODY_IN_DOCS)
async def log_in(request: Request, entrance: EntranceHere) -> Response:
    """Log in with JSON or the OAuth2 password form: a token to send as `Authorization: Bearer`."""
    login = await _login(request)
    who = await entrance.log_in(login.username, login.password, address_of(request))
    signing = entrance.tokens.signing
    assert signing is not None  # noqa: S101 - without one this route is not there
    token = {
        "access_token": signing.issue(who),
        "token_type": "bearer",
        "expires_in": signing.lifetime_s,
    }
    return json_response(token, headers={"Cache-Control": "no-store"})


def address_of(request: Request) -> str:
    """Where a request comes from, as far as trusted proxies say.

    Of IPv6 the network: its first 64 bits, since everybody has all addresses of one.
    """
    host = request.client.host if request.client is not None else "-"
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


async def _login(request: Request) -> Login:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {"application/json", FORM}:
        raise UnsupportedMediaType("The body must be JSON, or an HTML form.")
    body = await read_body(request, 16 * KIB)
    try:
        if media_type == "application/json":
            return Login.model_validate(strictjson.loads(body))
        return _form(body)
    except ValidationError as error:
        raise problems.invalid(error, "body") from None


def _form(body: bytes) -> Form:
    """The fields of a form, each given once.

    Raises:
        BadRequest: it is no form in UTF-8.
        ValidationError: its fields are not those of a login.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:
        raise BadRequest("The body is not a form in UTF-8.") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise BadRequest("The form has a field twice.")
    form = Form.model_validate(given)
    if form.grant_type not in {"password", ""}:
        raise InvalidRequest.of("body.grant_type", "must be password")
    return form
