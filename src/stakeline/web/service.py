"""The layers around a service's routes, and its document."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware

from stakeline.web import documenting

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Service(FastAPI):
    """A service's own layers, outermost first, around FastAPI's routes.

    In its document the bounds of whole numbers are whole: FastAPI makes floats of them, and no
    float is the largest id.
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(**kwargs)
        # Starlette's own looks each name up in a dictionary, by a function.
        self.state = SimpleNamespace()  # type: ignore[assignment] # as good as its

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, without asking the environment each time whether to trace it."""
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The layers, without those of FastAPI's that have nothing to do here.

        `Observing` answers what nobody caught, bodies are limited as they are read, and nobody asks
        for traces; each layer costs every request its time.
        """
        app: ASGIApp = AsyncExitStackMiddleware(self.router)
        app = ExceptionMiddleware(app, self.exception_handlers)
        for layer in reversed(self.user_middleware):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = documenting.whole(super().openapi())
        return self.openapi_schema


class OpenService(Service):
    """A service that takes anybody: its docs ask for no tokens."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        document.get("components", {}).pop("securitySchemes", None)
        for path in document["paths"].values():
            for operation in path.values():
                operation.pop("security", None)
        return document
