"""Two users: nothing that one can read shows anything of the other's; an operator sees both."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio

from tests.bet_maker.calls import pages, refused
from tests.faults.bad_input_case import A_BET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.access.house import House, User
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

NDJSON, CSV = {"Accept": "application/x-ndjson"}, {"Accept": "text/csv"}
FILTERS = ("", "?status=PENDING", "?event_id=match", "?placed_from=2001-01-01T00:00:00Z")
BETS = 5


class Rivals(NamedTuple):
    """Two users and an operator, with the ids of their bets on `match`."""

    anna: User
    ben: User
    operator: User
    annas: list[str]
    bens: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rivals(house: House) -> AsyncIterator[Rivals]:
    """Anna and Ben by turns bet on one event, with the same keys."""
    anna, ben, operator = await house.user(), await house.user(), await house.user("operator")
    assert operator.line is not None
    event = {"coefficient": 1.95, "deadline": "2090-01-01T00:00:00Z"}
    await operator.line.put("/events/match", event)
    while (await anna.bets.get("/events/match")).is_error:
        await asyncio.sleep(0.01)
    found: dict[str, list[str]] = {anna.user_id: [], ben.user_id: []}
    for n in range(BETS):
        for user in (anna, ben):
            found[user.user_id].append((await bet(user, f"key{n}"))["bet_id"])
    # On a busy machine the newer one of two bets may count as placed earlier.
    yield Rivals(anna, ben, operator, *(sorted(found[user.user_id]) for user in (anna, ben)))


async def bet(user: User, key: str, amount: int = 10) -> dict[str, Any]:
    """A bet on `match` that is accepted, or was."""
    body = {"event_id": "match", "amount": amount}
    answer = await user.bets.post("/bets", body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def listed(served: Served, query: str) -> list[list[dict[str, Any]]]:
    """The bets of a list by pages of two, as NDJSON and as CSV."""
    by_page = await pages(served, f"/bets{query or '?'}&limit=2")
    ndjson = (await served.get(f"/bets{query}", headers=NDJSON)).text
    table = (await served.get(f"/bets{query}", headers=CSV)).text
    return [
        [one for page in by_page for one in page],
        [json.loads(line) for line in ndjson.splitlines()],
        [*rows_of(table)],
    ]


def rows_of(table: str) -> Iterator[dict[str, Any]]:
    """The rows of a CSV."""
    yield from csv.DictReader(io.StringIO(table))


@pytest.mark.parametrize("query", FILTERS)
async def test_each_lists_their_own(rivals: Rivals, query: str) -> None:
    """By page, as NDJSON and as CSV, with every filter; and whose they are is not said."""
    for user, own in ((rivals.anna, rivals.annas), (rivals.ben, rivals.bens)):
        for found in await listed(user.bets, query):
            assert [one["bet_id"] for one in found] == own[::-1]
            assert not [one for one in found if "user_id" in one]


@pytest.mark.parametrize("query", FILTERS)
async def test_an_operator_lists_everybodys(rivals: Rivals, query: str) -> None:
    """With whose each is; `user` chooses."""
    every = sorted(rivals.annas + rivals.bens, reverse=True)
    owners = dict.fromkeys(rivals.annas, rivals.anna.user_id)
    for found in await listed(rivals.operator.bets, query):
        assert [one["bet_id"] for one in found] == every
        for one in found:
            assert one["user_id"] == owners.get(one["bet_id"], rivals.ben.user_id)
    chosen = f"{query or '?'}&user={rivals.ben.user_id}"
    for found in await listed(rivals.operator.bets, chosen):
        assert [one["bet_id"] for one in found] == rivals.bens[::-1]
    for nobody in ("31337", "1", rivals.operator.user_id):
        assert (await rivals.operator.bets.get(f"/bets?user={nobody}")).json() == []


async def test_pages_of_everybodys_bets_leave_none_out(rivals: Rivals) -> None:
    """Keyset pages, whoever they belong to."""
    by_page = await pages(rivals.operator.bets, "/bets?limit=3")
    every = [one["bet_id"] for page in by_page for one in page]
    assert every == sorted(rivals.annas + rivals.bens, reverse=True)
    assert len(by_page) == 4


async def test_nobody_but_an_operator_chooses_whose(rivals: Rivals) -> None:
    """One's own id is no news; anybody else's is forbidden, whether or not there is such a user."""
    mine = await rivals.anna.bets.get(f"/bets?user={rivals.anna.user_id}")
    assert [one["bet_id"] for one in mine.json()] == rivals.annas[::-1]
    for other in (rivals.ben.user_id, "31337", "1"):
        for accept in ({}, NDJSON, CSV):
            answer = await rivals.anna.bets.get(f"/bets?user={other}", headers=accept)
            refused(answer, 403, "forbidden")


async def test_anothers_bet_is_one_that_never_was(rivals: Rivals) -> None:
    """The same answer, byte by byte, but for the request's id and the date."""
    never = await rivals.anna.bets.get(f"/bets/{A_BET}")
    refused(never, 404, "bet_not_found")
    for bet_id in rivals.bens:
        answer = await rivals.anna.bets.get(f"/bets/{bet_id}")
        assert (answer.status_code, answer.content) == (404, never.content)
        assert answer.headers.keys() == never.headers.keys()
    for bet_id in rivals.annas:
        own = (await rivals.anna.bets.get(f"/bets/{bet_id}")).json()
        seen = (await rivals.operator.bets.get(f"/bets/{bet_id}")).json()
        assert own["receipt"]["accept"] == "any"
        assert seen == own | {"user_id": rivals.anna.user_id}


async def test_anothers_bet_as_a_cursor_shows_nothing(rivals: Rivals) -> None:
    """It is a place in time; only one's own bets are before it."""
    for bet_id in rivals.bens:
        found = (await rivals.anna.bets.get(f"/bets?cursor={bet_id}")).json()
        assert [one["bet_id"] for one in found] == [
            own for own in rivals.annas[::-1] if own < bet_id
        ]


async def test_the_same_key_of_two_users_makes_two_bets(rivals: Rivals) -> None:
    """A replay shows one's own; another body is refused to its own user only."""
    for user, own in ((rivals.anna, rivals.annas), (rivals.ben, rivals.bens)):
        assert sorted([(await bet(user, f"key{n}"))["bet_id"] for n in range(BETS)]) == own
    body = {"event_id": "match", "amount": 25}
    again = await rivals.anna.bets.post("/bets", body, headers={"Idempotency-Key": "key0"})
    refused(again, 422, "idempotency_key_reused")


async def test_a_batch_answers_with_ones_own(rivals: Rivals) -> None:
    """Keys of another's bets are free; keys of one's own replay those."""
    keyed = [{"event_id": "match", "amount": 10, "key": f"key{n}"} for n in range(BETS)]
    for user, own in ((rivals.anna, rivals.annas), (rivals.ben, rivals.bens)):
        answer = await user.bets.post("/bets/batch", {"bets": keyed})
        results = answer.json()["results"]
        assert sorted(one["bet"]["bet_id"] for one in results) == own
        assert all(one["replayed"] for one in results)
