"""The headers that tell browsers to be careful: on the answer of every call of both services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Both
    from tests.serving import Served

NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
UNDOCUMENTED = ("/docs", "/docs/assets/start.js", "/openapi.json", "/nothing")


def careful(answer: httpx2.Response) -> dict[str, str]:
    """The headers that are about browsers."""
    names = {"x-content-type-options", "referrer-policy", "content-security-policy"}
    transport = "strict-transport-security"
    return {name: value for name, value in answer.headers.items() if name in {*names, transport}}


@pytest.mark.parametrize("name", ["line", "bets"])
async def test_every_answer_tells_browsers_to_be_careful(both: Both, name: str) -> None:
    """Whatever is asked of every documented call, or of none: served, refused, or not allowed."""
    service: Served = getattr(both, name)
    paths = (await service.get("/openapi.json")).json()["paths"]
    calls = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(calls) >= 10
    calls += [(method, path) for path in (*paths, *UNDOCUMENTED) for method in ("get", "delete")]
    statuses = set()
    for method, path in calls:
        answer = await service.client.request(method, re.sub(r"\{.*?\}", "x", path))
        told = careful(answer)
        policy = told.pop("content-security-policy")
        assert told == {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
        assert (policy == NO_PAGE) == ("text/html" not in answer.headers["content-type"]), path
        statuses.add(answer.status_code)
    assert {200, 404, 405, 415} <= statuses


async def test_the_policy_of_the_docs_allows_no_inline_script(line: Served) -> None:
    """Only what comes from the service itself, in no other page, and nothing inline."""
    answer = await line.get("/docs")
    policy = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", answer.text)
