"""bet-maker's HTTP calls for users: operators' for all of them, and everybody's for oneself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from starlette.responses import Response

from stakeline import clock, db, errors, fields, ids
from stakeline.auth import Principal, passwords
from stakeline.bet_maker import users
from stakeline.bet_maker.api_token import EntranceHere, address_of
from stakeline.bet_maker.users import User, UserRole
from stakeline.web.documenting import LOCATION, NEXT, answer, link
from stakeline.web.guarding import BY_PASSWORD, may
from stakeline.web.links import location, next_link
from stakeline.web.reading import JsonRoute
from stakeline.web.responses import json_response

Operator = Annotated[Principal, may(BY_PASSWORD, "operator")]
Oneself = Annotated[Principal, may(BY_PASSWORD, "user")]
router = APIRouter(route_class=JsonRoute, tags=["users"])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - pydantic wants a ValueError
    return value


Username = Annotated[
    str,
    PlainValidator(lambda value: ids.parse_username(_text(value))),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9._@+-]{1,64}$"}),
]
Password = Annotated[
    str,
    PlainValidator(lambda value: passwords.parse(_text(value))),
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "minLength": passwords.LEAST,
            "maxLength": passwords.MOST,
        }
    ),
]


class NewUser(fields.Body):
    """A user to be; `user` bets, `operator` runs the line."""

    username: Username
    password: Password
    role: UserRole = "user"


class UserTerms(fields.Body):
    """What is to change; an omitted field keeps its value."""

    username: Username | None = None
    password: Password | None = None
    role: UserRole | None = None
    active: StrictBool | None = None


class OwnTerms(fields.Body):
    """One's own name and password. A new password wants the current one, too."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"password": {"type": "null"}}},
                {
                    "properties": {"current_password": {"type": "string"}},
                    "required": ["current_password"],
                },
            ]
        }
    )
    username: Username | None = None
    password: Password | None = None
    current_password: str | None = None

    @model_validator(mode="after")
    def _known(self) -> OwnTerms:
        if self.password is not None and self.current_password is None:
            raise ValueError("a new password wants current_password")
        return self


class UserBody(BaseModel):
    """A user."""

    user_id: fields.UserId
    username: str
    role: UserRole
    active: bool
    created_at: fields.Instant
    updated_at: fields.Instant


UserIdInPath = Annotated[fields.UserId, Path()]


_CALLS = ("get_user", "change_user", "remove_user")
_ADDED = [link(call, user_id="$response.body#/user_id") for call in _CALLS]


@router.post(
    "/users",
    status_code=201,
    response_model=UserBody,
    responses={201: answer("Added.", LOCATION, *_ADDED)},
)
async def add_user(
    request: Request, new: NewUser, entrance: EntranceHere, who: Operator
) -> Response:
    """Add a user."""
    hashed = await entrance.passwords.hash(new.password)
    async with entrance.database.write() as conn:
        await users.begin(conn, who)
        user = await users.add(conn, await db.now(conn), new.username, hashed, new.role)
    return json_response(_body(user), 201, location(request, f"users/{user.user_id}"))


@router.get("/users", response_model=list[UserBody], responses={200: answer("A page.", NEXT)})
async def list_users(
    request: Request,
    entrance: EntranceHere,
    _who: Operator,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Annotated[fields.Count, Query()] = 0,
) -> Response:
    """All users, in the order in which they were added; `Link` leads to the next page."""
    async with entrance.database.read() as conn:
        found = await users.page(conn, cursor, limit + 1)
    last = str(found[limit - 1].user_id) if len(found) > limit else None
    bodies = [_body(user) for user in found[:limit]]
    return json_response(bodies, headers=next_link(request, last))


@router.get("/users/me", response_model=UserBody)
async def get_me(entrance: EntranceHere, who: Oneself) -> Response:
    """Yourself."""
    async with entrance.database.read() as conn:
        return json_response(_body(await users.find(conn, who.user_id)))


@router.patch("/users/me", response_model=UserBody)
async def change_me(
    request: Request, terms: OwnTerms, entrance: EntranceHere, who: Oneself
) -> Response:
    """Change your own name or password; a new password ends all your tokens, this one too."""
    to: dict[str, Any] = {} if terms.username is None else {"username": terms.username}
    if terms.password is not None:
        async with entrance.database.read() as conn:
            username = (await users.find(conn, who.user_id)).username
        assert terms.current_password is not None  # noqa: S101 - its model saw to that
        try:
            await entrance.log_in(username, terms.current_password, address_of(request))
        except (errors.Unauthenticated, errors.InvalidRequest):
            # Not 401: the token is good.
            raise errors.InvalidRequest.of("body.current_password", "is not yours") from None
        to["password_hash"] = await entrance.passwords.hash(terms.password)
    async with entrance.database.write() as conn:
        await users.begin(conn, who)
        user = await users.change(conn, await db.now(conn), who.user_id, to)
    return json_response(_body(user))


@router.get("/users/{user_id}", response_model=UserBody)
async def get_user(user_id: UserIdInPath, entrance: EntranceHere, _who: Operator) -> Response:
    """The user."""
    async with entrance.database.read() as conn:
        return json_response(_body(await users.find(conn, user_id)))


@router.patch("/users/{user_id}", response_model=UserBody)
async def change_user(
    user_id: UserIdInPath, terms: UserTerms, entrance: EntranceHere, who: Operator
) -> Response:
    """Change a user. A new password or role, or to be inactive, ends all their tokens."""
    to = terms.model_dump(exclude_none=True)
    if terms.password is not None:
        to["password_hash"] = await entrance.passwords.hash(to.pop("password"))
    if terms.active is not None:
        to["active"] = int(terms.active)
    async with entrance.database.write() as conn:
        await users.begin(conn, who)
        user = await users.change(conn, await db.now(conn), user_id, to)
    return json_response(_body(user))


@router.delete("/users/{user_id}", status_code=204)
async def remove_user(user_id: UserIdInPath, entrance: EntranceHere, who: Operator) -> Response:
    """Remove a user: their name, password and tokens are gone, their bets stay."""
    async with entrance.database.write() as conn:
        await users.begin(conn, who)
        await users.remove(conn, await db.now(conn), user_id)
    return Response(status_code=204)


def _body(user: User) -> dict[str, Any]:
    return {
        "user_id": str(user.user_id),
        "username": user.username,
        "role": user.role,
        "active": user.active,
        "created_at": clock.text(user.created_at),
        "updated_at": clock.text(user.updated_at),
    }
