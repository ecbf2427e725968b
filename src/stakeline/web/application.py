"""The application both services start from: docs, health, metrics, problems, observation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from stakeline import strictjson
from stakeline.web import links, problems
from stakeline.web.observing import Observing
from stakeline.web.reading import JsonRoute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prometheus_client import CollectorRegistry
    from starlette.types import StatelessLifespan

ASSETS = Path(__file__).parent.parent / "assets"


def json_response(
    value: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The value as JSON, Decimals as exact numbers."""
    return Response(strictjson.dumps(value), status, headers, media_type="application/json")


class _Open(FastAPI):
    """A service that takes anybody: its docs ask for no tokens."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        document.get("components", {}).pop("securitySchemes", None)
        for path in document["paths"].values():
            for operation in path.values():
                operation.pop("security", None)
        return document


def create(
    *,
    title: str,
    description: str,
    version: str,
    root_path: str,
    lifespan: StatelessLifespan[FastAPI],
    registry: CollectorRegistry,
    why_not_ready: Callable[[], Awaitable[str | None]],
    routers: list[APIRouter],
    is_open: bool,
) -> FastAPI:
    """A service: its own `routers`, and what every service has.

    Args:
        title: the service's name in its docs.
        description: the first words of its docs.
        version: of the distribution.
        root_path: the prefix behind which a gateway serves it, or empty.
        lifespan: what runs around its serving.
        registry: its metrics.
        why_not_ready: None when it can serve, else the reason, asked by `/readyz`.
        routers: its own calls.
        is_open: whether anybody may call them, so that the docs ask for no tokens.
    """
    app = (_Open if is_open else FastAPI)(
        title=title,
        description=description,
        version=version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems.PROBLEMS,
        # Beside the schema itself, so that "Try it out" asks at the address the page came from,
        # whichever gateway's prefix that has.
        servers=None if root_path else [{"url": "."}],
    )
    app.state.draining = False
    app.state.root_path = root_path  # `serving.Server` puts it into every request
    problems.install(app)
    for router in routers:
        app.include_router(router)
    app.include_router(_service_calls(app, registry, why_not_ready))
    app.mount("/docs/assets", StaticFiles(directory=ASSETS / "swagger-ui"))
    app.add_middleware(Observing, registry=registry)
    return app


def _service_calls(
    app: FastAPI,
    registry: CollectorRegistry,
    why_not_ready: Callable[[], Awaitable[str | None]],
) -> APIRouter:
    router = APIRouter(route_class=JsonRoute, tags=["service"])

    @router.get("/healthz")
    async def healthz() -> Response:
        """Whether the process answers at all; does no I/O."""
        return json_response({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> Response:
        """200 when requests can be served, else 503 with the reason."""
        reason = "shutting down" if app.state.draining else await why_not_ready()
        body: dict[str, Any] = {"status": "ready" if reason is None else "not ready"}
        return json_response(body, 200) if reason is None else _not_ready(body | {"reason": reason})

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=links.beside(request, "openapi.json"),
            title=app.title,
            swagger_js_url=links.beside(request, "docs/assets/swagger-ui-bundle.js"),
            swagger_css_url=links.beside(request, "docs/assets/swagger-ui.css"),
            swagger_favicon_url=links.beside(request, "docs/assets/favicon-32x32.png"),
        )

    return router


def _not_ready(body: dict[str, Any]) -> Response:
    return json_response(body, 503, {"Retry-After": "1"})
