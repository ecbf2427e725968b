"""That a run finds what is wrong, and says so: on a service that lies in its document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from tests.fuzz.running import Figures, fuzz
from tests.serving import serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.xdist_group("fuzz line-provider")
async def test_faults_of_every_kind_are_found(tmp_path: Path) -> None:
    """A status and a media type that are not documented, a 500, and bad input that is taken."""
    app = FastAPI()
    app.state.root_path, app.state.trusted_proxies, app.state.draining = "", (), False
    said = {
        "parameters": [
            {"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}
        ]
    }

    @app.get("/strange", responses={200: {"content": {"application/json": {}}}})
    async def strange() -> Response:
        return Response("yes", media_type="text/strange")

    @app.get("/teapot")
    async def teapot() -> Response:
        return Response("{}", 418, media_type="application/json")

    @app.get("/lenient", openapi_extra=said)
    async def lenient(request: Request) -> list[str]:
        n = request.query_params.get("n")
        if n == "0":
            app.state.zeros = True
            return Response("{}", 500, media_type="application/json")  # type: ignore[return-value]
        return []

    figures = Figures()
    async with serving(app) as served:
        found = await fuzz(served.url, tmp_path, figures, "--seed", "1", "--max-examples", "20")
    assert found is not None
    for title in (
        "Undocumented Content-Type",
        "Undocumented status code",
        "Server error",
        "Schema-violating request accepted",
    ):
        assert title in found, found
    assert app.state.zeros
    assert figures.answers[418] > 0
    assert figures.cases.total() == figures.answers.total()
