"""What goes through the gateway: all that the services say, as they said it."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest

from stakeline import ids
from tests.ports import HOST

if TYPE_CHECKING:
    import httpx2

    from tests.compose.stack import Stack

KIB = 1024
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    414: "URI Too Long",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
"""As the services write them, which run on another Python than the tests may."""


DOORS = ("/line-provider/", "/bet-maker/", "line_provider", "bet_maker")


def door_of(stack: Stack, where: str) -> str:
    """The URL of a service: behind its prefix, or at its own port."""
    return f"{stack.gateway}{where}" if "/" in where else f"{getattr(stack, where)}/"


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, stack: Stack) -> str:
    """Each door in turn."""
    return door_of(stack, request.param)


def problem(answer: httpx2.Response, status: int, code: str) -> None:
    """It is this problem, in the shape of all problems."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert (body["type"], body["title"]) == ("about:blank", TITLES[status])
    assert body["detail"]


@pytest.mark.parametrize("path", ["docs", "docs/"])
def test_the_docs_work_at_every_door(stack: Stack, door: str, path: str) -> None:
    """All that the page names is found from where it was found, and calls go there, too."""
    page = urljoin(door, path)
    text = stack.client.get(page).text
    needed = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(needed) == 5
    for address in needed:
        assert stack.client.get(urljoin(page, address)).is_success, address
    schema = urljoin(door, "openapi.json")
    (server,) = stack.client.get(schema).json()["servers"]
    assert urljoin(schema, server["url"]) == door
    assert stack.client.get(urljoin(door, "events")).is_success


def test_an_address_without_its_last_slash_leads_on(stack: Stack) -> None:
    """`/bet-maker` is where a person looks first."""
    answer = stack.client.get(f"{stack.gateway}/bet-maker")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/bet-maker/"


def test_links_and_locations_hold_behind_the_prefix(stack: Stack) -> None:
    """What is created is where `Location` says; a list is whole by its `Link`s."""
    door, made = f"{stack.gateway}/line-provider/", set()
    for _ in range(3):
        answer = stack.client.post(f"{door}events", json={"coefficient": "2.00"})
        found = stack.client.get(urljoin(str(answer.url), answer.headers["Location"]))
        assert found.json()["event_id"] == answer.json()["event_id"]
        made.add(answer.json()["event_id"])
    where, listed = f"{door}events?limit=1", set()
    while True:
        page = stack.client.get(where)
        listed |= {event["event_id"] for event in page.json()}
        if "next" not in page.links:
            break
        where = urljoin(where, page.links["next"]["url"])
    assert made <= listed


@pytest.mark.parametrize("written", ["a:b.c_d-{}", "a%3Ab.c_d-{}", "a%3ab%2Ec_d-{}"])
def test_an_id_travels_as_it_was_written(stack: Stack, written: str) -> None:
    """Every id that the services take, whichever way a client writes it into a URL."""
    door, own = f"{stack.gateway}/line-provider/events", ids.new_event_id()
    event_id = f"a:b.c_d-{own}"
    stack.client.post(door, json={"event_id": event_id, "coefficient": 2})
    found = stack.client.get(f"{door}/{written.format(own)}")
    assert found.json().get("event_id") == event_id
    for elsewhere in (f"x%2F..%2F{event_id}", f"%2e%2e/{event_id}"):
        problem(stack.client.get(f"{door}/{elsewhere}"), 404, "not_found")
    problem(stack.client.get(f"{door}/{event_id}%00"), 400, "bad_request")


def test_the_services_refusals_pass_as_they_are(stack: Stack) -> None:
    """The gateway adds nothing to a problem, and takes nothing away."""
    answer = stack.client.get(f"{stack.gateway}/bet-maker/events/nowhere")
    problem(answer, 404, "event_not_found")
    assert answer.headers["X-Request-Id"]
    bet = {"event_id": "nowhere", "amount": "1.001"}
    answer = stack.client.post(f"{stack.gateway}/bet-maker/bets", json=bet)
    problem(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "body.amount"


@pytest.mark.parametrize("size", [17 * KIB, 257 * KIB, 1000 * KIB, 1100 * KIB, 5000 * KIB])
def test_what_is_too_large_is_told_so(stack: Stack, size: int) -> None:
    """Whoever finds it, the service or the gateway, says the same."""
    for path in ("bet-maker/bets", "bet-maker/bets/batch", "line-provider/events"):
        if path.endswith("batch") and size < 256 * KIB:
            continue
        answer = stack.client.post(
            f"{stack.gateway}/{path}",
            content=b'"' + b"a" * size + b'"',
            headers={"Content-Type": "application/json"},
        )
        problem(answer, 413, "too_large")


def test_what_the_gateway_refuses_is_a_problem_too(stack: Stack, door: str) -> None:
    """Before a service could look at it, in the services' words."""
    large = stack.client.get(f"{door}events", headers={"X": "x" * 40_000})
    problem(large, 431, "headers_too_large")
    problem(stack.client.get(f"{door}events?{'x' * 40_000}"), 414, "uri_too_long")
    answer = stack.client.request("TRACE", f"{door}events")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]
    problem(stack.client.get(f"{stack.gateway}/elsewhere"), 404, "not_found")
    port = urlsplit(door).port
    assert port is not None
    with socket.create_connection((HOST, port), timeout=10) as raw:
        raw.sendall(b"GET / NONSENSE\r\n\r\n")
        assert b'"code":"bad_request"' in raw.recv(64 * KIB)


def test_a_whole_history_streams_through(stack: Stack) -> None:
    """An export comes in pieces, as it is made, and whole."""
    event = {"event_id": ids.new_event_id(), "coefficient": "1.50"}
    stack.client.post(f"{stack.line_provider}/events", json=event)
    bets = [{"event_id": event["event_id"], "amount": "1.00"}] * 1000
    stack.until_heard(event["event_id"])
    for _ in range(5):
        placed = stack.client.post(f"{stack.bet_maker}/bets/batch", json={"bets": bets})
        assert {result["status"] for result in placed.json()["results"]} == {201}
    export = f"{stack.gateway}/bet-maker/bets?event_id={event['event_id']}"
    with stack.client.stream("GET", export, headers={"Accept": "text/csv"}) as answer:
        pieces = list(answer.iter_raw())
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert len(pieces) > 1
    assert len(b"".join(pieces).splitlines()) == 5001
