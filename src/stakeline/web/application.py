"""The application both services start from: docs, health, metrics, problems, observation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from stakeline.settings import is_loopback
from stakeline.web import documenting, links, problems
from stakeline.web.edges import Hosts, Names, Pages
from stakeline.web.guarding import may
from stakeline.web.lean import Lean, LeanRoute
from stakeline.web.reading import JsonRoute
from stakeline.web.responses import json_response
from stakeline.web.service import OpenService, Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, params
    from fastapi.openapi.models import HTTPBearer, OAuth2
    from prometheus_client import CollectorRegistry
    from starlette.types import StatelessLifespan

    from stakeline.outside import Outside, Visible

_ASSETS = Path(__file__).parent.parent / "assets" / "swagger-ui"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="service-desc" type="application/json" href="{beside}openapi.json">
<link rel="icon" href="{beside}docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="{beside}docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{beside}docs/assets/swagger-ui-bundle.js"></script>
<script src="{beside}docs/assets/start.js"></script>
</body>
</html>
"""
# The icons of Swagger UI's styles are data.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STATUS = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
            "required": ["status"],
        }
    }
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}


def create(
    *,
    title: str,
    description: str,
    version: str,
    root_path: str,
    host: str,
    outside: Outside,
    lifespan: StatelessLifespan[FastAPI],
    registry: CollectorRegistry,
    why_not_ready: Callable[[], Awaitable[str | None]],
    routers: list[APIRouter],
    is_open: bool,
    token_model: HTTPBearer | OAuth2,
) -> FastAPI:
    """A service: its own `routers`, and what every service has.

    Args:
        title: the service's name in its docs.
        description: the first words of its docs.
        version: of the distribution.
        root_path: the prefix behind which a gateway serves it, or empty.
        host: the address that it listens to.
        outside: by whom it may be called, and what it shows.
        lifespan: what runs around its serving.
        registry: its metrics.
        why_not_ready: None when it can serve, else the reason, asked by `/readyz`.
        routers: its own calls.
        is_open: whether anybody may call them, so that the docs ask for no tokens.
        token_model: how tokens are come by, for the docs.
    """
    app = (OpenService if is_open else Service)(
        title=title,
        description=description,
        version=version,
        lifespan=lifespan,
        openapi_url=None,  # a route of its own, below
        redirect_slashes=False,
        generate_unique_id_function=documenting.operation_id,
        responses=problems.PROBLEMS,
        # Beside the schema itself, so that "Try it out" asks at the address the page came from,
        # whichever gateway's prefix that has.
        servers=[{"url": root_path or "."}],
    )
    app.state.draining = False
    # `serving.Server` puts these into every request.
    app.state.root_path, app.state.trusted_proxies = root_path, outside.trusted_proxies
    problems.install(app)
    for router in routers:
        app.include_router(router)
    paths = {
        route.path for router in routers for route in router.routes if isinstance(route, Route)
    }
    app.state.literal_paths = {path for path in paths if "{" not in path}
    app.include_router(_health(app, why_not_ready))
    usual: Visible = "public" if is_open else "operator"
    _show(app, outside.docs or usual, _docs(app), may(token_model, "operator"))
    _show(
        app, outside.metrics or usual, _metrics(registry), may(token_model, "operator", "service")
    )
    names = Names(outside.allowed_hosts or _own_names(host))
    lean = [each for router in routers for each in router.routes if isinstance(each, LeanRoute)]
    # The last one is the outermost.
    app.add_middleware(Hosts, names=names)
    if outside.cors_origins:
        app.add_middleware(Pages, origins=outside.cors_origins)
    shared = bool(outside.cors_origins)
    app.add_middleware(Lean, registry=registry, routes=lean, names=names, shared=shared)
    return app


def _own_names(host: str) -> tuple[str, ...]:
    if not is_loopback(host):
        return ("*",)
    return ("localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host)


def _show(app: FastAPI, visible: Visible, router: APIRouter, guard: params.Depends) -> None:
    """Add calls that not everybody may be meant to see."""
    if visible != "off":
        app.include_router(router, dependencies=[guard] if visible == "operator" else [])


def _health(app: FastAPI, why_not_ready: Callable[[], Awaitable[str | None]]) -> APIRouter:
    router = APIRouter(route_class=JsonRoute, tags=["service"])

    @router.get("/healthz", responses={200: documenting.answer("It does.", content=_STATUS)})
    async def healthz() -> Response:
        """Whether the process answers at all; does no I/O."""
        return json_response({"status": "ok"})

    @router.get(
        "/readyz",
        responses={
            200: documenting.answer("They can.", content=_STATUS),
            "503": documenting.answer("Not now.", documenting.RETRY_AFTER, content=_STATUS),
        },
    )
    async def readyz() -> Response:
        """200 when requests can be served, else 503 with the reason."""
        reason = "shutting down" if app.state.draining else await why_not_ready()
        body: dict[str, Any] = {"status": "ready" if reason is None else "not ready"}
        return json_response(body, 200) if reason is None else _not_ready(body | {"reason": reason})

    return router


def _metrics(registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(route_class=JsonRoute, tags=["service"])

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: documenting.answer("All of them.", content=_TEXT)},
    )
    async def metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _docs(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    files = StaticFiles(directory=_ASSETS)

    @router.get("/openapi.json")
    async def schema() -> Response:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        page = _PAGE.format(title=app.title, beside=links.beside(request, ""))
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})

    @router.get("/docs/assets/{name}")
    async def asset(request: Request, name: str) -> Response:
        return await files.get_response(name, request.scope)

    return router


def _not_ready(body: dict[str, Any]) -> Response:
    return json_response(body, 503, {"Retry-After": "1"})
