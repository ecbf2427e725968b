"""Both services from end to end over HTTP, in the order in which people use them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from stakeline import ids
from tests.compose.stack import until
from tests.compose.test_gateway import problem

if TYPE_CHECKING:
    import httpx2

    from tests.compose.stack import Stack

NDJSON = {"Accept": "application/x-ndjson"}
BATCH_CODES = ["event_not_found", "price_changed", "invalid_request"]


@dataclass(frozen=True, slots=True)
class Walk:
    """A pair of doors, and an event that nobody else knows."""

    stack: Stack
    line: str
    bets: str
    event_id: str

    def ask(self, method: str, url: str, body: Any = None, **headers: str) -> httpx2.Response:  # noqa: ANN401 - JSON
        """The answer; a name's `_` is a header's `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack.client.request(method, url, json=body, headers=named)

    def get(self, url: str) -> Any:  # noqa: ANN401 - JSON
        """What is there."""
        answer = self.ask("GET", url)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bet(self, key: str, **more: Any) -> httpx2.Response:  # noqa: ANN401 - JSON
        """The answer to a bet of 10.50 on the event with this key."""
        body = {"event_id": self.event_id, "amount": "10.50"} | more
        return self.ask("POST", f"{self.bets}/bets", body, Idempotency_Key=key)

    def decide(self, status: str, **more: Any) -> httpx2.Response:  # noqa: ANN401 - JSON
        """The answer to a result of the event."""
        url = f"{self.line}/events/{self.event_id}/result"
        return self.ask("POST", url, {"status": status} | more)

    def until_heard(self, **terms: Any) -> None:  # noqa: ANN401 - JSON
        """Return once bet-maker knows the event as it should be."""
        url = f"{self.bets}/events/{self.event_id}"

        def heard() -> bool:
            answer = self.ask("GET", url)
            return answer.is_success and terms.items() <= answer.json().items()

        until(heard, f"bet-maker does not hear of {terms}")


@pytest.fixture(params=["prefixes", "ports"])
def walk(request: pytest.FixtureRequest, stack: Stack) -> Walk:
    """Through the prefixes of one port, or at the services' own ports."""
    doors = {
        "prefixes": (f"{stack.gateway}/line-provider", f"{stack.gateway}/bet-maker"),
        "ports": (stack.line_provider, stack.bet_maker),
    }
    return Walk(stack, *doors[request.param], ids.new_event_id())


def test_a_bet_from_its_event_to_its_correction(walk: Walk) -> None:
    """All that README promises, by whichever of the containers each request reaches."""
    publish(walk)
    bet_url = place(walk)
    move_the_price(walk)
    bet_many(walk)
    read_in_pages(walk)
    settle(walk, bet_url)
    refuse(walk)
    tell_the_history(walk)


def publish(walk: Walk) -> None:
    """An event is where `Location` says, and soon at bet-maker."""
    event = {"event_id": walk.event_id, "coefficient": "1.95", "name": "Home - Away"}
    made = walk.ask("POST", f"{walk.line}/events", event)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    found = walk.get(urljoin(f"{walk.line}/events", made.headers["Location"]))
    assert found == made.json()
    assert walk.ask("POST", f"{walk.line}/events", event).status_code == 200
    other = walk.ask("POST", f"{walk.line}/events", event | {"coefficient": 3})
    assert (other.status_code, other.json()["code"]) == (409, "event_exists")
    walk.until_heard(coefficient=1.95, status="NEW", name="Home - Away")
    listed = walk.get(f"{walk.bets}/events?limit=1000")
    assert walk.event_id in {event["event_id"] for event in listed}


def place(walk: Walk) -> str:
    """A bet is where `Location` says; its key gives it again, by either container. Its URL."""
    key = ids.new_event_id()
    made = walk.bet(key, coefficient="1.95")
    assert made.status_code == 201
    assert "Idempotent-Replayed" not in made.headers
    bet = made.json()
    assert (bet["status"], bet["amount"], bet["potential_payout"]) == ("PENDING", 10.5, 20.48)
    # At each container's own door: one of them did not take the bet.
    for container in walk.stack.containers("bet-maker"):
        repeat = again(walk.event_id, key, walk.stack.operator.log_in())
        said = container.exec("python", "-c", repeat)
        assert said == (0, f"201 true {bet['bet_id']}\n")
    repeated = walk.bet(key, coefficient="1.95")
    assert (repeated.status_code, repeated.json()) == (201, bet)
    assert repeated.headers["Idempotent-Replayed"] == "true"
    problem(walk.bet(key, coefficient="1.95", amount="11"), 422, "idempotency_key_reused")
    url = urljoin(f"{walk.bets}/bets", made.headers["Location"])
    receipt = walk.get(url)["receipt"]
    assert (receipt["coefficient_asked"], receipt["coefficient_given"]) == (1.95, 1.95)
    assert receipt["accept"] == "exact"
    assert 0 <= receipt["feed_age_ms"] <= 5000
    return url


def again(event_id: str, key: str, token: str) -> str:
    """A program that repeats the bet at the container it runs in, and prints what it hears."""
    return f"""
import json
from urllib.request import Request, urlopen
body = {{"event_id": {event_id!r}, "amount": "10.50", "coefficient": "1.95"}}
headers = {{"Content-Type": "application/json", "Idempotency-Key": {key!r}}}
headers["Authorization"] = "Bearer {token}"
request = Request("http://127.0.0.1:8001/bets", json.dumps(body).encode(), headers)
answer = urlopen(request, timeout=10)
print(answer.status, answer.headers["Idempotent-Replayed"], json.load(answer)["bet_id"])
"""


def move_the_price(walk: Walk) -> None:
    """A change with a stale ETag is refused; after one, so is a bet at the price before."""
    url = f"{walk.line}/events/{walk.event_id}"
    moved = walk.ask("PATCH", url, {"coefficient": "2.10"}, If_Match='"1"')
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    for method in ("PATCH", "PUT"):
        stale = walk.ask(method, url, {"coefficient": "2.20"}, If_Match='"1"')
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    walk.until_heard(coefficient=2.1)
    refused = walk.bet(ids.new_event_id(), coefficient="1.95")
    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    assert refused.json()["coefficient"] == 2.1
    better = walk.bet(ids.new_event_id(), coefficient="1.95", accept="better")
    assert (better.status_code, better.json()["coefficient"]) == (201, 2.1)


def bet_many(walk: Walk) -> None:
    """Each bet of a batch has an answer of its own, in order."""
    bet = {"event_id": walk.event_id, "amount": 1}
    bets = [
        bet | {"key": ids.new_event_id()},
        bet | {"event_id": ids.new_event_id()},
        bet | {"coefficient": "1.95"},
        bet | {"amount": "0.001"},
    ]
    first, *refused = walk.ask("POST", f"{walk.bets}/bets/batch", {"bets": bets}).json()["results"]
    assert (first["status"], first["bet"]["coefficient"]) == (201, 2.1)
    assert [each["problem"]["code"] for each in refused] == BATCH_CODES


def read_in_pages(walk: Walk) -> None:
    """Three bets stand: page by page, each `Link` followed as it is written, or in one stream."""
    url: str | None = f"{walk.bets}/bets?event_id={walk.event_id}&limit=1"
    paged: list[dict[str, Any]] = []
    while url is not None:
        page = walk.ask("GET", url)
        paged += page.json()
        link = page.links.get("next", {}).get("url")
        assert link is None or not link.startswith(("/", "http")), "not relative"
        url = None if link is None else urljoin(url, link)
    assert sorted(bet["amount"] for bet in paged) == [1, 10.5, 10.5]
    export = walk.ask("GET", f"{walk.bets}/bets?event_id={walk.event_id}", **NDJSON)
    assert export.headers["Content-Type"].startswith("application/x-ndjson")
    assert len(export.text.splitlines()) == 3
    for bet in paged:
        assert bet["bet_id"] in export.text


def settle(walk: Walk, bet_url: str) -> None:
    """A result pays, a correction takes it back; what is not a correction changes nothing."""
    bets = walk.get(f"{walk.bets}/bets?event_id={walk.event_id}")
    newest = max(instant(bet["placed_at"]) for bet in bets)
    # A bet's time is an upper bound: a result given at once might still come before it.
    until(lambda: lines_time(walk) > newest, "the line's time stands still")
    assert walk.decide("WIN").status_code == 200
    walk.until_heard(status="WIN")
    bet = walk.get(bet_url)
    assert (bet["status"], bet["payout"], bet["coefficient"]) == ("WON", 20.48, 1.95)
    assert walk.decide("WIN").status_code == 200
    refused = walk.decide("LOSE")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_decided")
    corrected = walk.decide("LOSE", correction=True, reason="the goal did not count")
    assert corrected.status_code == 200
    walk.until_heard(status="LOSE")
    bet = walk.get(bet_url)
    assert (bet["status"], bet["payout"]) == ("LOST", 0)
    assert bet["receipt"]["reason"]


def lines_time(walk: Walk) -> datetime:
    """The time at line-provider."""
    return instant(walk.get(f"{walk.line}/feed?wait=0&limit=1")["received_at"])


def instant(text: str) -> datetime:
    """The instant that a timestamp names."""
    return datetime.fromisoformat(text)


def refuse(walk: Walk) -> None:
    """What cannot be is refused in the words of the contract."""
    closed = walk.bet(ids.new_event_id())
    assert (closed.status_code, closed.json()["code"]) == (409, "betting_closed")
    problem(walk.bet(ids.new_event_id(), event_id="nowhere"), 404, "event_not_found")
    problem(walk.ask("GET", f"{walk.line}/events/nowhere"), 404, "event_not_found")
    problem(walk.bet(ids.new_event_id(), amount=-1), 422, "invalid_request")
    malformed = walk.stack.client.post(
        f"{walk.bets}/bets", content=b'{"event_id":', headers={"Content-Type": "application/json"}
    )
    problem(malformed, 400, "malformed_json")


def tell_the_history(walk: Walk) -> None:
    """Every version of the event is told, and why; the bets are those that were taken."""
    told = walk.get(f"{walk.line}/events/{walk.event_id}/history")
    versions = [(each["version"], each["event"]["status"]) for each in told]
    assert sorted(versions) == [(1, "NEW"), (2, "NEW"), (3, "WIN"), (4, "LOSE")]
    assert "the goal did not count" in {each["reason"] for each in told}
    lost = walk.get(f"{walk.bets}/bets?event_id={walk.event_id}&status=LOST")
    assert len(lost) == 3
