"""What every service has: docs without the internet, health, readiness, metrics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.serving import serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_docs_need_no_internet(sample: Served) -> None:
    """Every script, style and icon of the page comes from the service itself."""
    page = (await sample.get("/docs")).text
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(needed) >= 3
    for address in needed:
        assert address.startswith("/docs/assets/")
        assert len((await sample.get(address)).content) > 500
    assert "url: '/openapi.json'" in page


async def test_the_docs_hold_behind_a_prefix() -> None:
    """Behind a gateway that takes its prefix off, all the page names is found there."""
    async with serving(create_app("/line-provider")) as served:
        page = (await served.get("/docs")).text
        needed = [*re.findall(r'(?:src|href)="([^"]+)"', page), *re.findall(r"url: '(.+?)'", page)]
        assert len(needed) >= 4
        for address in needed:
            assert address.startswith("/line-provider/")
            passed_on = address.removeprefix("/line-provider")
            assert (await served.get(passed_on)).is_success, passed_on
        servers = (await served.get("/openapi.json")).json()["servers"]
        assert servers == [{"url": "/line-provider"}]


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
