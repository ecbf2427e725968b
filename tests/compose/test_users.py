"""Who is let in: nobody without a token, unless the stack was made an open one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx2
import pytest

from stakeline import ids
from tests.compose.stack import Stack, docker_fails
from tests.compose.test_gateway import DOORS, door_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT = {"coefficient": "2.00"}


@pytest.fixture
def stranger() -> Iterator[httpx2.Client]:
    """A client without a token."""
    with httpx2.Client(timeout=30, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("where", DOORS)
def test_who_has_no_token_is_not_let_in(stack: Stack, where: str, stranger: httpx2.Client) -> None:
    """At no door, to read or to write; who has one is let in at all of them."""
    door = door_of(stack, where)
    writes = "bets" if door in {f"{stack.gateway}/bet-maker/", f"{stack.bet_maker}/"} else "events"
    for token in ("", "Bearer", "Bearer never-given-to-anybody", "Basic b3BlcmF0b3I6"):
        headers = {"Authorization": token} if token else {}
        answers = [stranger.get(urljoin(door, "events"), headers=headers)]
        answers += [stranger.post(urljoin(door, writes), headers=headers, json=EVENT)]
        answers += [stranger.get(urljoin(door, "metrics"), headers=headers)]
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert stack.client.get(urljoin(door, "events")).is_success
    assert stack.client.get(urljoin(door, "metrics")).is_success


def test_the_operators_static_token_runs_the_line(stack: Stack, stranger: httpx2.Client) -> None:
    """The one of .env; what it does is told under its name."""
    token = stack.given["LINE_PROVIDER_OPERATOR_TOKENS"].removeprefix("operator=")
    stranger.headers["Authorization"] = f"Bearer {token}"
    event = stranger.post(f"{stack.line_provider}/events", json=EVENT).json()
    told = stranger.get(f"{stack.line_provider}/events/{event['event_id']}/history").json()
    assert [version["by"] for version in told] == ["operator"]
    assert stranger.get(f"{stack.bet_maker}/events").status_code == 401


def test_a_user_is_added_from_the_command_line(stack: Stack, stranger: httpx2.Client) -> None:
    """With a password from standard input, while all run; they may bet, and no more."""
    name, password = f"user-{ids.new_event_id()}", ids.new_event_id() + ids.new_event_id()
    words = ("run", "--rm", "-T", "migrate", "user", "add", name)
    assert name in stack.pipe(f"{password}\n".encode(), *words).decode()
    login = {"username": name, "password": password}
    token = stranger.post(f"{stack.bet_maker}/token", data=login).json()["access_token"]
    stranger.headers["Authorization"] = f"Bearer {token}"
    event_id = stack.publish()
    bet = {"event_id": event_id, "amount": 1}
    assert stranger.post(f"{stack.gateway}/bet-maker/bets", json=bet).status_code == 201
    assert len(stranger.get(f"{stack.bet_maker}/bets").json()) == 1
    refused = stranger.post(f"{stack.gateway}/line-provider/events", json=EVENT)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert stranger.get(f"{stack.bet_maker}/users").status_code == 403


@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
def test_a_container_without_a_secret_does_not_start(stack: Stack, service: str) -> None:
    """None is told to be insecure; without a secret it says in one line what to do."""
    (container, *_) = stack.containers(service)
    config = container.inspect()["Config"]
    prefix = service.replace("-", "_").upper()
    assert config["Cmd"] == [service]
    assert f"{prefix}_INSECURE=0" in config["Env"]
    line = ("-e", "BET_MAKER_LINE_PROVIDER_URL=http://line-provider:8000")
    said = docker_fails("run", "--rm", *line, config["Image"], service, "--host", "0.0.0.0")  # noqa: S104 - it refuses
    assert said.startswith(f"{prefix}_HOST: must be a loopback address")
    assert said.count("\n") == 1


@pytest.fixture
def open_stack(tmp_path: Path) -> Iterator[Stack]:
    """One of each service, and no users."""
    stack = Stack(tmp_path, is_open=True)
    try:
        stack.up("--scale", "line-provider=1", "--scale", "bet-maker=1")
        yield stack
    finally:
        stack.remove()


def test_an_open_stack_lets_this_machine_do_anything(open_stack: Stack) -> None:
    """`make env OPEN=1`: no token is asked for at any door, and no other machine comes in."""
    event_id = open_stack.publish()
    assert open_stack.bet(event_id, ids.new_event_id()).status_code == 201
    for name in DOORS:
        door = door_of(open_stack, name)
        assert open_stack.client.get(urljoin(door, "events")).is_success
        schema = open_stack.client.get(urljoin(door, "openapi.json")).json()
        assert "securitySchemes" not in schema["components"]
    (gateway,) = open_stack.containers("nginx")
    ports = gateway.inspect()["NetworkSettings"]["Ports"].values()
    assert {binding["HostIp"] for bindings in ports for binding in bindings or ()} == {"127.0.0.1"}
    assert "nothing is wrong" in open_stack.compose("run", "--rm", "migrate", "verify")
