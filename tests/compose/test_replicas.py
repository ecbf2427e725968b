"""Several containers of a service: found, left when they are gone, never told a thing twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stakeline import ids
from tests.compose.stack import docker, until
from tests.compose.test_gateway import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.compose.stack import Stack

CUTS_OFF = """
import socket
server = socket.create_server(("", 8000))
while True:
    peer, _ = server.accept()
    request = peer.recv(65536)
    if request:
        print(request.split(b" ")[0].decode(), flush=True)
    peer.close()
"""
"""A line-provider that reads what it is asked, and dies before it answers."""


@pytest.fixture
def cutting_off(stack: Stack) -> Iterator[str]:
    """One more line-provider, that one; the container's name."""
    name = f"{stack.project}-cuts-off"
    network = ("--network", f"{stack.project}_inside", "--network-alias", "line-provider")
    words = ("--entrypoint", "python", stack.image("line-provider"), "-c", CUTS_OFF)
    docker("run", "--detach", "--name", name, *network, *words)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def asked(cutting_off: str) -> list[str]:
    """The methods of the requests that it got."""
    return docker("logs", cutting_off).split()


def test_only_a_get_is_asked_again_elsewhere(stack: Stack, cutting_off: str) -> None:
    """Whatever may have changed something is not sent twice: the client, who has keys, decides."""
    known = {"event_id": ids.new_event_id(), "coefficient": "2.00"}
    until(lambda: _put(stack, known).is_success, "no line-provider answers")
    for method in ("POST", "PUT", "PATCH"):
        before = asked(cutting_off).count(method)
        refused = []
        while asked(cutting_off).count(method) < before + 5:
            event_id = known["event_id"] if method == "PATCH" else ids.new_event_id()
            path = "events" if method == "POST" else f"events/{event_id}"
            body = {"coefficient": "3.00"} | ({"event_id": event_id} if method == "POST" else {})
            answer = stack.client.request(method, f"{stack.line_provider}/{path}", json=body)
            if not answer.is_success:
                problem(answer, 503, "unavailable")
                assert answer.headers["Retry-After"] == "1"
                refused.append(event_id)
        assert len(refused) == asked(cutting_off).count(method) - before
        if method != "PATCH":
            for event_id in refused:
                assert _get(stack, event_id).status_code == 404
    before = asked(cutting_off).count("GET")
    while asked(cutting_off).count("GET") < before + 5:
        assert _get(stack, known["event_id"]).is_success


def _get(stack: Stack, event_id: str) -> httpx2.Response:
    return stack.client.get(f"{stack.line_provider}/events/{event_id}")


def _put(stack: Stack, event: dict[str, str]) -> httpx2.Response:
    body = {"coefficient": event["coefficient"]}
    return stack.client.put(f"{stack.line_provider}/events/{event['event_id']}", json=body)


@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
def test_restarted_containers_are_found_again(stack: Stack, service: str) -> None:
    """Each is killed in turn; soon after, both are asked again, wherever they are now."""
    for container in stack.containers(service):
        restarts = container.inspect()["RestartCount"]
        container.kill()
        container.until_healthy_again(restarts)
    assert len(answering(stack, service, 2)) == 2


def test_more_of_them_share_the_work(stack: Stack) -> None:
    """`--scale bet-maker=3` is all that it takes; and back."""
    stack.up("--no-recreate", "--scale", "bet-maker=3")
    try:
        assert len(answering(stack, "bet-maker", 3)) == 3
    finally:
        stack.up("--no-recreate")
    assert len(stack.containers("bet-maker")) == 2


def answering(stack: Stack, service: str, wanted: int) -> set[str]:
    """The addresses that answered requests, once so many have."""
    url = stack.line_provider if service == "line-provider" else stack.bet_maker
    found: set[str] = set()

    def look() -> bool:
        mark = ids.new_event_id()
        for _ in range(20):
            assert stack.client.get(f"{url}/events?limit=1&{mark}").is_success
        said = stack.compose("logs", "--no-color", "--no-log-prefix", "--since", "1m", "nginx")
        found.clear()
        found.update(
            re.findall(rf'{mark} HTTP/1.1","status":200,.*"upstream":"(\S+?)",".*":"200"', said)
        )
        return len(found) >= wanted

    until(look, f"fewer than {wanted} of {service} answer", within_s=30)
    return found


def test_the_line_is_published_and_heard(stack: Stack) -> None:
    """Third parties find the exchange; both bet-makers have a queue of their own at it."""

    def listed(*words: str) -> list[str]:
        status, said = stack.exec(
            "rabbitmq", "rabbitmqctl", "--quiet", "--no-table-headers", *words
        )
        assert status == 0, said
        return said.splitlines()

    def heard() -> bool:
        bound = [line.split("\t")[0] for line in listed("list_bindings", "source_name")]
        return bound.count("stakeline.line") == 2

    until(heard, "not both bet-makers listen")
    assert "stakeline.line\ttopic\ttrue" in listed("list_exchanges", "name", "type", "durable")


def test_without_a_line_bets_wait_and_reading_goes_on(stack: Stack) -> None:
    """The gateway says that it reaches no line-provider, bet-maker that it hears none."""
    stack.compose("stop", "line-provider")
    try:
        for url in (stack.line_provider, f"{stack.gateway}/line-provider"):
            answers = [stack.client.get(f"{url}/events")]
            answers += [stack.client.post(f"{url}/events", json={"coefficient": 2})]
            answers += [stack.client.put(f"{url}/events/x", json={"coefficient": 2})]
            for answer in answers:
                problem(answer, 503, "unavailable")
                assert answer.headers["Retry-After"] == "1"
        bet = {"event_id": "x", "amount": 1}

        def refused() -> httpx2.Response:
            return stack.client.post(f"{stack.gateway}/bet-maker/bets", json=bet)

        until(lambda: refused().status_code == 503, "bets are taken without a line")
        problem(refused(), 503, "feed_stale")
        assert refused().headers["Retry-After"] == "1"
        assert stack.client.get(f"{stack.bet_maker}/readyz").status_code == 503
        assert stack.client.get(f"{stack.gateway}/bet-maker/bets?limit=1").is_success
    finally:
        stack.compose("start", "line-provider")
