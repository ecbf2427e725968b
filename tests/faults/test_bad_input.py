"""Bad input of every kind, to both services: refused for its reason, and nothing is changed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.faults.bad_input_case import (
    BATCH,
    MARKS,
    Case,
    Service,
)
from tests.faults.bad_input_fields import all_fields, bad_batch
from tests.faults.bad_input_requests import all_requests, allowed
from tests.faults.bad_input_services import Services, send, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = [*all_fields(), *all_requests()]
Shown = dict[Service, list[Any]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """All services, for requests that change nothing."""
    async with AsyncExitStack() as stack:
        yield await started(stack, tmp_path_factory)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shown(services: Services) -> Shown:
    """What each service shows, as each test leaves it."""
    return {name: await state(service) for name, service in services.items()}


async def state(service: Served) -> list[Any]:
    """All that a service shows: its events, and the feed's head or the bets."""
    events = (await service.get("/events?limit=1000")).json()
    if service.app.title == "line-provider":
        return [events, (await service.get("/feed?wait=0")).json()["items"]]
    return [events, (await service.get("/bets?limit=1000")).json()]


async def assert_unchanged(service: Served, name: Service, shown: Shown) -> None:
    """It shows what it has shown before."""
    before, shown[name] = shown[name], await state(service)
    assert shown[name] == before


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    """The answer is this problem and repeats nothing of what was sent."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem.get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    said = answer.text + repr([pair for pair in answer.headers.items() if "id" not in pair[0]])
    assert not [mark for mark in MARKS if mark in said]
    if code == "invalid_request":
        assert problem["errors"]
        assert all(error["field"] and error["reason"] for error in problem["errors"])


async def test_there_are_enough_cases() -> None:
    """Hundreds, every one another request, over both services and both modes."""
    requests = {(c.to, c.method, c.path, c.body, c.headers) for c in CASES}
    assert len(requests) == len(CASES) >= 300
    assert {case.to for case in CASES} == {"line", "bets", "standalone"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_bad_input_is_a_clear_problem_and_changes_nothing(
    services: Services, shown: Shown, case: Case
) -> None:
    """The status and code are the right ones, the input is not repeated, all stays as it was."""
    service = services[case.to]
    answer = await send(service, case.method, case.path, case.body, case.headers)
    await assert_unchanged(service, case.to, shown)
    assert_problem(answer, case.status, case.code)
    if case.status == 405:
        assert answer.headers["allow"] == allowed(case)


async def test_each_bad_bet_of_a_batch_is_refused_by_itself(
    services: Services, shown: Shown
) -> None:
    """Every bet gets its own 422 and echoes nothing; none is made."""
    bets = services["bets"]
    bad = bad_batch()
    body = f'{{"bets":[{",".join(bad)}]}}'.encode()
    answer = await send(bets, BATCH.method, BATCH.path, body)
    assert answer.status_code == 200
    results = answer.json()["results"]
    refused = [(result["status"], result["problem"]["code"]) for result in results]
    assert refused == [(422, "invalid_request")] * len(bad)
    assert not [mark for mark in MARKS if mark in answer.text]
    await assert_unchanged(bets, "bets", shown)


@pytest.mark.parametrize("name", ["", "zq7x zq7x", "zq7x" * 17, "zq7x\xe9", "zq7x{}"])
async def test_a_malformed_request_id_is_not_repeated(services: Services, name: str) -> None:
    """It could put lines of its own into the log; a fresh one is made instead."""
    headers = (("X-Request-Id", name),)
    answer = await send(services["line"], "GET", "/healthz", None, headers)
    assert answer.status_code == 200
    assert MARKS[0] not in answer.headers["x-request-id"]


@pytest.mark.parametrize("to", ["line", "bets"])
@pytest.mark.parametrize(
    "request_text",
    [
        b"GET /events HTTP/1.1\r\nHost: here\r\nIdempotency-Key: zq7x\0\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: here\r\nzq7x\r\n\r\n",
        b"zq7x\r\n\r\n",
    ],
    ids=["NUL in a header", "a header without a colon", "no HTTP"],
)
async def test_what_is_no_http_is_a_problem_too(
    services: Services, to: Service, request_text: bytes
) -> None:
    """400 `bad_request`, as problem+json, and the input is not repeated."""
    url = services[to].client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request_text)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert MARKS[0].encode() not in answer
    assert b"application/problem+json" in answer
    assert b'"bad_request"' in answer
