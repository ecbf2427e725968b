"""Containers that hang: not gone, so they are asked, but they never answer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stakeline import ids
from tests.compose.stack import docker, until
from tests.compose.test_gateway import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.compose.stack import Container, Stack

SILENT_S = 10
"""proxy_read_timeout in deploy/nginx/nginx.conf."""
SLACK_S = 5
AT_ONCE = 12
"""So many that it is all but certain that each of two containers is asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, to a request with this key, and how long it took."""

    answer: httpx2.Response
    key: str
    took_s: float


@contextmanager
def frozen(stack: Stack, *containers: Container) -> Iterator[None]:
    """While this lasts, no process of these runs; what is sent to them waits."""
    names = [container.name for container in containers]
    docker("pause", *names)
    try:
        yield
    finally:
        docker("unpause", *names)
        stack.until_healthy()


@pytest.fixture
def event_id(stack: Stack) -> str:
    """An event that can be bet on."""
    return stack.publish()


def ask(stack: Stack, event_id: str, method: str) -> Told:
    """List the event's bets, or place one."""
    key, began = ids.new_event_id(), time.monotonic()
    answer = list_bets(stack, event_id) if method == "GET" else stack.bet(event_id, key)
    return Told(answer, key, time.monotonic() - began)


def list_bets(stack: Stack, event_id: str) -> httpx2.Response:
    """The answer to a request for all bets on the event."""
    return stack.client.get(f"{stack.bet_maker}/bets?event_id={event_id}")


def ask_many(stack: Stack, event_id: str) -> tuple[list[Told], list[Told]]:
    """The answers to many of both at once: lists, and bets."""
    with ThreadPoolExecutor(2 * AT_ONCE) as crowd:
        lists, bets = (
            [crowd.submit(ask, stack, event_id, method) for _ in range(AT_ONCE)]
            for method in ("GET", "POST")
        )
        return [each.result() for each in lists], [each.result() for each in bets]


def check_unavailable(told: Told, limit_s: float) -> None:
    """The gateway said within its limit that it got no answer."""
    problem(told.answer, 503, "unavailable")
    assert told.answer.headers["Retry-After"] == "1"
    assert told.took_s < limit_s + SLACK_S


def check_each_key_is_one_bet(stack: Stack, event_id: str, bets: list[Told]) -> None:
    """Bets are taken again; repeating each, answered or not, makes none twice."""
    until(lambda: stack.bet(event_id, event_id).is_success, "bets are not taken again")
    made = [stack.bet(event_id, told.key) for told in bets]
    assert {answer.status_code for answer in made} == {201}
    for told, answer in zip(bets, made, strict=True):
        if told.answer.is_success:
            assert answer.json()["bet_id"] == told.answer.json()["bet_id"]
    wanted = {answer.json()["bet_id"] for answer in made}
    wanted.add(stack.bet(event_id, event_id).json()["bet_id"])
    listed = [each["bet_id"] for each in list_bets(stack, event_id).json()]
    assert sorted(listed) == sorted(wanted)
    assert len(wanted) == len(bets) + 1


def test_one_that_hangs_delays_reading_and_refuses_its_share(stack: Stack, event_id: str) -> None:
    """A GET goes on to the other; a bet is not sent twice, and its key tells what became of it."""
    one, _ = stack.containers("bet-maker")
    with frozen(stack, one):
        lists, bets = ask_many(stack, event_id)
    assert {told.answer.status_code for told in lists} == {200}
    assert max(told.took_s for told in lists) < SILENT_S + SLACK_S
    assert {told.answer.status_code for told in bets} == {201, 503}
    for told in bets:
        if not told.answer.is_success:
            check_unavailable(told, SILENT_S)
    check_each_key_is_one_bet(stack, event_id, bets)


def test_when_all_hang_everybody_is_told(stack: Stack, event_id: str) -> None:
    """Nobody waits for ever, and all goes on once they do."""
    with frozen(stack, *stack.containers("bet-maker")):
        lists, bets = ask_many(stack, event_id)
    for told in lists:
        check_unavailable(told, 2 * SILENT_S)
    for told in bets:
        check_unavailable(told, SILENT_S)
    check_each_key_is_one_bet(stack, event_id, bets)
