"""Random input: none of it is ever our fault, and good input beside bad is taken."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.bad_input_case import BATCH, BET, KNOWN, ROUTES, Route, Service
from tests.faults.bad_input_services import Services, send, started
from tests.serving import patiently

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """All services, for requests that may turn out to be good."""
    async with AsyncExitStack() as stack:
        yield await started(stack, tmp_path_factory)


async def test_a_good_bet_beside_bad_ones_is_made(fuzzed: Services) -> None:
    """Bad neighbours cost a good bet nothing."""
    body = f'{{"bets":[{BET.body(amount="-1")},{BET.body()},{BET.body(event_id="{}")}]}}'.encode()
    answer = await send(fuzzed["bets"], BATCH.method, BATCH.path, body)
    assert [result["status"] for result in answer.json()["results"]] == [422, 201, 422]


@pytest.mark.parametrize("name", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_come_under_any_of_its_names(fuzzed: Services, name: str) -> None:
    """A parameter or capital letters do not make another media type."""
    headers = (("Content-Type", name),)
    answer = await send(fuzzed["bets"], "POST", "/bets", BET.body().encode(), headers)
    assert answer.status_code == 201


def values() -> st.SearchStrategy[Any]:
    """JSON values of any shape, with the words and the values of our own bodies among them."""
    words = sorted({name for route in ROUTES for name in route.fields} | {"key", "deadline"})
    names = st.sampled_from([*words, "closed_at", "correction", "accept", "name"]) | st.text()
    scalars = st.sampled_from([KNOWN, 1.5, "1.5", "WIN", "NEW", "2090-08-01T18:00:00Z"])
    leaves = scalars | st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=12
    )


def spoilt() -> st.SearchStrategy[tuple[Route, bytes]]:
    """A call with a good body of which some bytes were replaced."""

    def spoil(route: Route, at: int, cut: int, put: bytes) -> tuple[Route, bytes]:
        body = route.body().encode()
        at %= len(body)
        return route, body[:at] + put + body[at + cut :]

    numbers = st.integers(0, 100)
    return st.builds(spoil, st.sampled_from(ROUTES), numbers, numbers, st.binary(max_size=8))


FUZZING = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_answered(answer: httpx2.Response) -> None:
    """Whatever it is, it is no fault of ours; where it was 503 it has been asked for again."""
    assert answer.status_code < 500, answer.text
    refused = answer.status_code >= 400
    kind = "application/problem+json" if refused else "application/json"
    assert answer.headers["content-type"] == kind


@FUZZING
@given(st.sampled_from(ROUTES), st.binary(max_size=200))
async def test_random_bytes_are_never_our_fault(
    fuzzed: Services, route: Route, body: bytes
) -> None:
    """Every write route refuses them with a 4xx."""
    answer = await patiently(lambda: send(fuzzed[route.to], route.method, route.path, body))
    assert_answered(answer)


@FUZZING
@given(spoilt())
async def test_spoilt_bodies_are_never_our_fault(
    fuzzed: Services, sent: tuple[Route, bytes]
) -> None:
    """Every write route answers them with 2xx or 4xx."""
    route, body = sent
    answer = await patiently(lambda: send(fuzzed[route.to], route.method, route.path, body))
    assert_answered(answer)


@FUZZING
@given(st.sampled_from(ROUTES), values())
async def test_random_json_is_never_our_fault(fuzzed: Services, route: Route, value: Any) -> None:  # noqa: ANN401
    """Every write route answers any JSON value with 2xx or 4xx."""
    body = json.dumps(value).encode()
    answer = await patiently(lambda: send(fuzzed[route.to], route.method, route.path, body))
    assert_answered(answer)


def queries() -> Iterator[tuple[Service, str]]:
    """Every parameter of every list."""
    for name in ("status", "bettable", "limit", "cursor"):
        yield "line", f"/events?{name}="
    for name in ("status", "event_id", "placed_from", "placed_to", "limit", "cursor"):
        yield "bets", f"/bets?{name}="
    for name in ("from", "to", "limit", "cursor"):
        yield "bets", f"/report?{name}="
    yield "bets", "/exposure?cursor="
    for name in ("after", "epoch", "at", "limit"):
        yield "line", f"/feed?wait=0&{name}="
    yield "bets", "/events?cursor="


@FUZZING
@given(st.sampled_from(list(queries())), st.binary(max_size=40) | st.text().map(str.encode))
async def test_random_queries_are_never_our_fault(
    fuzzed: Services, query: tuple[Service, str], value: bytes
) -> None:
    """Every parameter answers any bytes with 2xx or 4xx."""
    service, path = query
    encoded = "".join(f"%{byte:02X}" for byte in value)
    assert_answered(await patiently(lambda: fuzzed[service].get(path + encoded)))
