"""What bet-maker's tests ask for and look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from stakeline import ids
from tests.faults.betting import passed
from tests.serving import until_known

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Both
    from tests.serving import Served

LATER = "2090-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"


def new_id() -> str:
    """An id that no other test uses."""
    return ids.new_event_id()


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must have this status and code."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    return body


async def published(both: Both, event_id: str | None = None, **terms: object) -> str:
    """The id of a new event at 1.95 that bet-maker knows."""
    event_id = new_id() if event_id is None else event_id
    terms = {"coefficient": 1.95, "deadline": LATER} | terms
    answer = await both.line.put(f"/events/{event_id}", terms)
    assert answer.status_code == 201, answer.text
    await until_known(both.bets, event_id)
    return event_id


async def changed(both: Both, event_id: str, **terms: object) -> dict[str, Any]:
    """The event with other terms, once bet-maker knows them."""
    event = (await both.line.patch(f"/events/{event_id}", terms)).json()
    return await until_known(both.bets, event_id, version=event["version"])


async def decided(both: Both, event_id: str, status: str, **more: object) -> dict[str, Any]:
    """The event with this result, or this correction, once bet-maker knows it.

    A bet counts as placed up to a round trip later than it was: no result is brought within that.
    """
    newest = (await both.bets.get(f"/bets?event_id={event_id}&limit=1")).json()
    if newest:
        await passed(newest[0]["placed_at"])
    ruling = {"status": status, "correction": True} | more
    answer = await both.line.post(f"/events/{event_id}/result", ruling)
    assert answer.status_code == 200, answer.text
    return await until_known(both.bets, event_id, version=answer.json()["version"])


async def placed(served: Served, event_id: str, amount: object = 10, **more: object) -> Any:  # noqa: ANN401
    """A bet that is accepted."""
    answer = await served.post("/bets", {"event_id": event_id, "amount": amount} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def bet_of(served: Served, bet: dict[str, Any]) -> dict[str, Any]:
    """The bet, with its receipt, as it now stands."""
    found: dict[str, Any] = (await served.get(f"/bets/{bet['bet_id']}")).json()
    return found


async def pages(served: Served, path: str) -> list[list[dict[str, Any]]]:
    """Each page of a list, from the first to the one without `Link`."""
    found, url = [], urljoin(served.url, path)
    while True:
        answer = await served.client.get(url)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        if "link" not in answer.headers:
            return found
        url = urljoin(url, answer.links["next"]["url"])
