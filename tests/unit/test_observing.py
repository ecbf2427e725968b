"""Seeing what a service does: request ids, metrics by route, and paths that end in a slash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from stakeline.web.observing import Observing
from tests.serving import serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("given", ["a", "0199f3a0-1b2c", "A" * 64])
async def test_a_request_id_is_answered(sample: Served, given: str) -> None:
    """A well-formed id of the caller is kept."""
    answer = await sample.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", [None, "", "a b", "a_b", "A" * 65, "a;b", "\xe9", '{"x":1}'])
async def test_a_request_without_a_usable_id_gets_one(sample: Served, given: str | None) -> None:
    """What could spoil a log is not taken over; each request gets an id of its own."""
    headers = {} if given is None else {b"X-Request-Id": given.encode("latin-1")}
    one = await sample.client.get("/healthz", headers=headers)
    other = await sample.client.get("/nothing", headers=headers)
    made = {answer.headers["x-request-id"] for answer in (one, other)}
    assert len(made) == 2
    assert {len(request_id) for request_id in made} == {32}


async def test_the_request_id_stands_in_the_log(sample: Served) -> None:
    """The line of a request carries its id, route, status and time."""
    with capture_logs() as lines:
        await sample.get("/orders?limit=5", headers={"X-Request-Id": "abc"})
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/orders", 200)
    assert line["took_ms"] > 0


async def test_what_went_wrong_stands_in_the_log(sample: Served) -> None:
    """A defect is logged with its error, a refusal with the first line of its cause."""
    with capture_logs() as lines:
        await sample.get("/broken")
        await sample.get("/busy")
    wrong = {line["event"]: line for line in lines if line["event"] != "request"}
    assert isinstance(wrong["internal error"]["exc_info"], RuntimeError)
    assert wrong["problem"]["cause"] == "RuntimeError: the secret is out"


async def test_requests_are_counted_by_route() -> None:
    """A label names the route's template, never a path: ids would be labels without end."""
    async with serving(create_app()) as served:
        await served.put("/orders/one", {"amount": 1})
        await served.put("/orders/two/", {"amount": 1})
        await served.put("/orders/two", {"amount": 0})
        for path in ("/nothing", "/none/such"):
            await served.get(path)
        text = (await served.get("/metrics")).text
    samples = [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "stakeline_http_requests_total"
    ]
    put = {"method": "PUT", "route": "/orders/{order_id}"}
    assert ({**put, "status": "200"}, 2) in samples
    assert ({**put, "status": "422"}, 1) in samples
    assert ({"method": "GET", "route": "none", "status": "404"}, 2) in samples
    assert "stakeline_http_request_seconds_bucket" in text


async def test_what_is_no_request_is_passed_on() -> None:
    """Only HTTP requests are seen; whatever else a server brings goes straight through."""
    passed: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        passed.append(scope["type"])

    async def nothing(*_: object) -> Any:  # noqa: ANN401 - never called
        raise AssertionError

    await Observing(app, CollectorRegistry())({"type": "websocket"}, nothing, nothing)
    assert passed == ["websocket"]


@pytest.mark.parametrize("slashes", ["/", "//"])
async def test_a_slash_at_the_end_changes_nothing(sample: Served, slashes: str) -> None:
    """`/orders/` is served as `/orders`, at once, body and query included."""
    answer = await sample.post(f"/orders{slashes}", {"amount": 1})
    assert (answer.status_code, answer.json()) == (201, {"amount": 100})
    assert (await sample.get(f"/orders{slashes}?limit=7")).json() == {"limit": 7}
    assert (await sample.put(f"/orders/9{slashes}", {"amount": 1})).json()["order_id"] == "9"
    assert (await sample.get(slashes)).status_code == 404
