"""A small service with every kind of answer, to see what all services have from `stakeline.web`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from fastapi import APIRouter, FastAPI, Query, Request
from prometheus_client import CollectorRegistry
from starlette.responses import Response, StreamingResponse

from stakeline import errors, fields
from stakeline.auth import Principal, Role
from stakeline.outside import Outside
from stakeline.web import application
from stakeline.web.guarding import STATIC
from stakeline.web.links import location, next_link
from stakeline.web.reading import JsonRoute, LargeJsonRoute
from stakeline.web.responses import json_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

router = APIRouter(route_class=JsonRoute)
large_router = APIRouter(route_class=LargeJsonRoute)


class Order(fields.Body):
    """A body with one field of each kind."""

    amount: fields.Amount
    kind: Literal["red", "green"] = "red"
    sure: bool = False
    notes: list[str] | None = None
    place: dict[str, str] | None = None


@router.post("/orders", status_code=201)
async def create_order(request: Request, order: Order) -> Response:
    """Answer with the amount in cents, and where the order would be."""
    where = location(request, "orders/7")
    return json_response({"amount": order.amount}, 201, where)


@router.get("/orders")
async def list_orders(
    request: Request,
    limit: Annotated[fields.Limit, Query()] = 100,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Answer with the limit, and a link to a next page."""
    link = next_link(request, None if cursor == "end" else "a~b&c")
    return json_response({"limit": limit}, headers=link)


@router.put("/orders/{order_id}")
async def put_order(order_id: fields.EventId, order: Order) -> Response:
    """Answer with the id."""
    return json_response({"order_id": order_id, "amount": order.amount})


@large_router.post("/orders/batch")
async def create_orders(orders: dict[str, str]) -> Response:
    """Answer with the number of members."""
    return json_response(len(orders))


@router.get("/broken")
async def break_down() -> Response:
    """Fail in a way that nobody thought of."""
    raise RuntimeError("the secret is out")


@router.get("/half")
async def break_off() -> Response:
    """Fail in the middle of an answer."""

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError

    return StreamingResponse(body())


@router.get("/busy")
async def refuse() -> Response:
    """Fail in a way that was thought of, for a reason that is for the log only."""
    raise errors.Unavailable from RuntimeError("the secret is out\nof its box")


@router.get("/slow")
async def answer_late(request: Request) -> Response:
    """Answer once the test says so."""
    request.app.state.began.set()
    await request.app.state.go_on.wait()
    return json_response("at last")


@router.get("/client")
async def tell_client(request: Request) -> Response:
    """Answer with the caller's address, and how he came."""
    assert request.client is not None
    return json_response([request.client.host, request.url.scheme])


@router.get("/long")
async def answer_long(request: Request) -> Response:
    """Begin to answer, and end once the test says so."""

    async def body() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await request.app.state.go_on.wait()
        yield b"the end"

    return StreamingResponse(body())


async def _ready() -> str | None:
    return None


def create_app(
    root_path: str = "",
    why_not_ready: Callable[[], Awaitable[str | None]] = _ready,
    *,
    host: str = "127.0.0.1",
    is_open: bool = True,
    **outside: Any,  # noqa: ANN401 - settings of its outside
) -> FastAPI:
    """The service; where it is not open, a role is the token of whoever has it."""

    async def admit(token: str | None, *, look_up: bool) -> Principal:  # noqa: ARG001 - nobody goes
        for role in get_args(Role):
            if role == token:
                return Principal("somebody", role)
        raise errors.Unauthenticated

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.began, app.state.go_on = asyncio.Event(), asyncio.Event()
        yield

    app = application.create(
        title="sample",
        description="A sample.",
        version="1.2.3",
        root_path=root_path,
        host=host,
        outside=Outside(**outside),
        lifespan=lifespan,
        registry=CollectorRegistry(),
        why_not_ready=why_not_ready,
        routers=[router, large_router],
        is_open=is_open,
        token_model=STATIC,
    )
    app.state.admit = admit
    return app
