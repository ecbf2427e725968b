"""What every service has: docs without the internet, health, readiness, metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.serving import serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("page", ["/docs", "/docs/"])
async def test_the_docs_need_no_internet(sample: Served, page: str) -> None:
    """Every script, style and icon of the page comes from the service itself, and the schema."""
    needed = await named_by_the_docs(sample, page)
    assert len(needed) == 5
    for address in needed:
        path = urljoin(page, address)
        assert path == "/openapi.json" or path.startswith("/docs/assets/")
        assert len((await sample.get(path)).content) > 300


@pytest.mark.parametrize("page", ["/any/prefix/docs", "/any/prefix/docs/"])
async def test_the_docs_hold_behind_any_prefix(sample: Served, page: str) -> None:
    """Behind a gateway that takes a prefix off, all the page names is found there, calls too."""
    needed = await named_by_the_docs(sample, page.removeprefix("/any/prefix"))
    assert len(needed) == 5
    for address in needed:
        path = urljoin(page, address)
        assert path.startswith("/any/prefix/")
        assert (await sample.get(path.removeprefix("/any/prefix"))).is_success, path
    servers = (await sample.get("/openapi.json")).json()["servers"]
    assert [urljoin("/any/prefix/openapi.json", server["url"]) for server in servers] == [
        "/any/prefix/"
    ]


async def test_the_schema_names_the_prefix_of_the_settings() -> None:
    """Who takes the schema elsewhere learns of the one gateway that the settings name."""
    async with serving(create_app("/line-provider")) as served:
        servers = (await served.get("/openapi.json")).json()["servers"]
        assert servers == [{"url": "/line-provider"}]
        for address in await named_by_the_docs(served, "/docs"):
            assert (await served.get(urljoin("/docs", address))).is_success, address


async def named_by_the_docs(served: Served, path: str) -> list[str]:
    """Every address that the page of the docs names."""
    return re.findall(r'(?:src|href)="([^"]+)"', (await served.get(path)).text)


async def test_the_schema_tells_of_problems(sample: Served) -> None:
    """Every call says in the docs which problems it may answer with."""
    schema = (await sample.get("/openapi.json")).json()
    assert (schema["info"]["title"], schema["info"]["version"]) == ("sample", "1.2.3")
    answers = schema["paths"]["/orders"]["post"]["responses"]
    assert "application/problem+json" in answers["4XX"]["content"]
    assert "application/problem+json" in answers["503"]["content"]
    assert "/docs" not in schema["paths"]


async def test_metrics_are_prometheus_text(sample: Served) -> None:
    """Prometheus is told by the content type what it reads."""
    answer = await sample.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE stakeline_http_requests_total counter" in answer.text


async def test_a_service_says_why_it_is_not_ready() -> None:
    """`/readyz` gives the reason and a time to come back; `/healthz` does not care."""
    reason: str | None = "the line has not been heard"

    async def why_not_ready() -> str | None:
        return reason

    async with serving(create_app(why_not_ready=why_not_ready)) as served:
        answer = await served.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json() == {"status": "not ready", "reason": reason}
        assert (await served.get("/healthz")).json() == {"status": "ok"}
        reason = None
        answer = await served.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_service_that_drains_is_not_ready() -> None:
    """While it shuts down a service is alive but not ready."""
    async with serving(create_app()) as served:
        served.app.state.draining = True
        answer = await served.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "shutting down")
        assert (await served.get("/healthz")).is_success
