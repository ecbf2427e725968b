"""The line as bet-maker shows it: what can be bet on now, and any event it knows."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from stakeline import clock
from tests import databases
from tests.bet_maker.calls import (
    LATER,
    PAST,
    changed,
    decided,
    new_id,
    pages,
    placed,
    published,
    refused,
)
from tests.conftest import Both
from tests.serving import bet_maker, line_provider, serving, until_known, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """Seven open events and four others, which no test changes."""
    data_dir = tmp_path_factory.mktemp("fair")
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(serving(line_provider(data_dir)))
        bets = await stack.enter_async_context(serving(bet_maker(data_dir, line.url)))
        both = Both(line, bets)
        await until_ready(bets)
        for number in range(7):
            deadline = f"209{(number * 3) % 7}-01-01T00:00:00Z"
            await published(both, OPEN[int(deadline[:4]) - 2090], deadline=deadline)
        await published(both, "past", deadline=PAST)
        for status in ("WIN", "VOID", "NEW"):
            await published(both, f"closed-{status}")
            await decided(both, f"closed-{status}", "WIN")
        await decided(both, "closed-VOID", "VOID")
        await decided(both, "closed-NEW", "NEW")
        yield both


OPEN = ["f", "b", "open", "a:a", "d", "c", "e"]
"""By deadline, of which each has a year of its own."""


def ids_of(events: list[dict[str, Any]]) -> list[str]:
    """The ids of the events in a list."""
    return [event["event_id"] for event in events]


async def test_the_list_is_what_can_be_bet_on(fair: Both) -> None:
    """Soonest deadline first; past, decided and once decided events are not in it."""
    answer = await fair.bets.get("/events")
    assert ids_of(answer.json()) == OPEN
    assert "link" not in answer.headers


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_pages_make_up_the_whole_list(fair: Both, limit: int, slash: str) -> None:
    """Following `Link` gives every open event once, in order."""
    found = await pages(fair.bets, f"/events{slash}?limit={limit}")
    assert ids_of([event for page in found for event in page]) == OPEN
    assert {len(page) for page in found[:-1]} <= {limit}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=1~.."])
async def test_a_wrong_query_is_named(fair: Both, query: str) -> None:
    """Limits and cursors have their bounds."""
    problem = refused(await fair.bets.get(f"/events?{query}"), 422, "invalid_request")
    assert problem["errors"][0]["field"] == f"query.{query.partition('=')[0]}"


@pytest.mark.parametrize("event_id", ["open", "past", "closed-VOID", "closed-NEW"])
async def test_an_event_is_the_lines_own(fair: Both, event_id: str) -> None:
    """Open or not, bet-maker shows an event as line-provider does."""
    shown = await fair.bets.get(f"/events/{event_id}")
    assert shown.json() == (await fair.line.get(f"/events/{event_id}")).json()


async def test_an_unknown_event_is_not_found(both: Both) -> None:
    """What the line never had is not known here."""
    refused(await both.bets.get("/events/unknown"), 404, "event_not_found")


async def test_a_new_event_can_be_bet_on_at_once(both: Both) -> None:
    """A feed answer later an event is in the list and takes bets."""
    began = clock.steady()
    event_id = await published(both, "with:colon")
    await placed(both.bets, event_id)
    assert clock.steady() - began < clock.US_PER_S
    assert event_id in ids_of((await both.bets.get("/events?limit=1000")).json())


async def test_an_event_leaves_the_list_as_it_closes(both: Both) -> None:
    """Whatever closes it: a result, or a deadline moved into the past."""
    one, other = await published(both), await published(both)
    await decided(both, one, "LOSE")
    await changed(both, other, deadline=PAST)
    found = ids_of((await both.bets.get("/events?limit=1000")).json())
    assert not {one, other} & {*found}


async def test_a_result_is_not_taken_from_callers(both: Both) -> None:
    """`PUT /events` is for a standalone bet-maker: here it is `not_standalone`."""
    event_id = await published(both)
    refused(await both.bets.put(f"/events/{event_id}", {"status": "WIN"}), 409, "not_standalone")
    assert (await until_known(both.bets, event_id))["status"] == "NEW"


async def test_reading_goes_on_without_a_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With no line-provider bets are refused, and everything else is answered."""
    data_dir = tmp_path_factory.mktemp("deaf")
    async with serving(line_provider(data_dir)) as line:
        await line.put("/events/known", {"coefficient": 2, "deadline": LATER})
        await line.put("/events/past", {"coefficient": 2, "deadline": PAST})
        async with serving(bet_maker(data_dir, line.url)) as bets:
            await until_known(bets, "known")
    async with serving(bet_maker(data_dir, "http://127.0.0.1:9")) as bets:
        assert ids_of((await bets.get("/events")).json()) == ["known"]
        assert (await bets.get("/bets")).json() == []
        answer = await bets.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        assert (await bets.get("/healthz")).is_success
        for event_id in ("known", "unknown"):
            answer = await bets.post("/bets", {"event_id": event_id, "amount": 1})
            refused(answer, 503, "feed_stale")


async def test_it_is_not_ready_without_its_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What it needs to judge bets cannot be read: it says so, and goes on answering."""
    data_dir = tmp_path_factory.mktemp("broken")
    async with serving(bet_maker(data_dir, None)) as bets:
        assert (await bets.get("/readyz")).is_success
        databases.execute(databases.url_of(data_dir, "bet-maker"), "DROP TABLE cursor")
        answer = await bets.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["reason"] == "the database cannot be used"


async def test_the_age_of_the_line_is_a_metric(both: Both, standalone: Served) -> None:
    """Who watches sees how long ago the line was heard; standalone there is none."""
    text = (await both.bets.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("stakeline_feed_age_seconds ")]
    assert 0 <= float(line.split()[1]) < 3
    assert "stakeline_feed_age_seconds" not in (await standalone.get("/metrics")).text
    assert new_id() not in text
