"""Stopping all of it, and starting it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline import ids

if TYPE_CHECKING:
    from tests.compose.stack import Stack


def test_data_survives_down_and_up(stack: Stack) -> None:
    """The containers are removed and made anew; events and bets are what they were."""
    event_id = ids.new_event_id()
    event = {"event_id": event_id, "coefficient": "1.95"}
    assert stack.client.post(f"{stack.line_provider}/events", json=event).status_code == 201
    stack.until_heard(event_id)
    bet = {"event_id": event_id, "amount": "10.50"}
    assert stack.client.post(f"{stack.bet_maker}/bets", json=bet).status_code == 201
    where = (
        f"{stack.line_provider}/events/{event_id}/history",
        f"{stack.bet_maker}/bets?event_id={event_id}",
        f"{stack.bet_maker}/bets",
    )
    before = [stack.client.get(url).text for url in where]
    stack.down()
    assert stack.containers() == []
    stack.up()
    assert [stack.client.get(url).text for url in where] == before
    stack.until_heard(event_id)
    assert stack.client.post(f"{stack.bet_maker}/bets", json=bet).status_code == 201


def test_all_of_them_stop_as_they_should(stack: Stack) -> None:
    """Each ends by itself when it is told to, before Docker's patience does."""
    containers = stack.containers()
    stack.compose("stop")
    try:
        for container in containers:
            state = container.inspect()["State"]
            assert (state["ExitCode"], state["OOMKilled"]) == (0, False), container.name
    finally:
        stack.up()
