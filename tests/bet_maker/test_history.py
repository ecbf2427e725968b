"""The history of bets: newest first, in pages, by status, event and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock, ids
from stakeline.bet_maker import history
from stakeline.bet_maker.bets import Bet
from stakeline.bet_maker.history import Selection
from tests.bet_maker.calls import decided, pages, placed, published, refused
from tests.bet_maker.replica import NOW, asked, event, item

if TYPE_CHECKING:
    from tests.bet_maker.replica import Replica
    from tests.conftest import Both

in_this_loop = pytest.mark.asyncio(loop_scope="module")


def ids_of(bets: list[dict[str, Any]]) -> list[str]:
    """The ids of the bets in a list."""
    return [bet["bet_id"] for bet in bets]


@in_this_loop
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
async def test_pages_make_up_the_whole_history(both: Both, limit: int) -> None:
    """Following `Link` gives every bet of an event once, newest first."""
    event_id = await published(both)
    made = [(await placed(both.bets, event_id))["bet_id"] for _ in range(7)]
    found = await pages(both.bets, f"/bets?event_id={event_id}&limit={limit}")
    assert [bet_id for page in found for bet_id in ids_of(page)] == made[::-1]
    assert {len(page) for page in found[:-1]} <= {limit}


@in_this_loop
async def test_a_status_chooses_bets(both: Both) -> None:
    """Each bet is listed under the status it now has, and under no other."""
    made = {}
    for status in ("PENDING", "WON", "LOST", "VOID"):
        event_id = await published(both)
        made[status] = [(await placed(both.bets, event_id))["bet_id"] for _ in range(3)][::-1]
        if status != "PENDING":
            await decided(both, event_id, {"WON": "WIN", "LOST": "LOSE", "VOID": "VOID"}[status])
    for status, expected in made.items():
        for limit in (2, 1000):
            found = await pages(both.bets, f"/bets?status={status}&limit={limit}")
            bets = [bet for page in found for bet in page]
            assert {bet["status"] for bet in bets} == {status}
            assert ids_of(bets)[:3] == expected
            assert len({*ids_of(bets)}) == len(bets)


@in_this_loop
@pytest.mark.parametrize(
    ("of", "to", "expected"),
    [
        (0, None, [0, 1, 2]),
        (1, None, [1, 2]),
        (None, 2, [0, 1]),
        (1, 2, [1]),
        (1, 1, []),
        (2, 1, []),
    ],
)
async def test_a_time_chooses_bets(
    both: Both, of: int | None, to: int | None, expected: list[int]
) -> None:
    """`placed_from` is inside, `placed_to` outside, to the microsecond."""
    event_id = await published(both)
    made = [await placed(both.bets, event_id) for _ in range(3)]
    query = {"event_id": event_id}
    if of is not None:
        query["placed_from"] = made[of]["placed_at"]
    if to is not None:
        query["placed_to"] = made[to]["placed_at"]
    answer = await both.bets.get("/bets", params=query)
    assert ids_of(answer.json()) == ids_of([made[n] for n in reversed(expected)])


@in_this_loop
async def test_times_come_as_text_or_unix_seconds(both: Both) -> None:
    """Both forms are taken in a query."""
    event_id = await published(both)
    bet = await placed(both.bets, event_id)
    second = clock.parse_instant(bet["placed_at"]) // clock.US_PER_S
    path = f"/bets?event_id={event_id}&placed_from={{}}&placed_to={{}}"
    found = (await both.bets.get(path.format(second, second + 1))).json()
    assert ids_of(found) == [bet["bet_id"]]
    assert (await both.bets.get(path.format(second + 1, second + 2))).json() == []


@in_this_loop
@pytest.mark.parametrize(
    "query",
    [
        *(
            "limit=0",
            "limit=1001",
            "status=won",
            "status=NEW",
            "cursor=1",
            "cursor=",
            "event_id=a/b",
        ),
        *("placed_from=yesterday", "placed_to=2026-08-01T18:00:00", "placed_from=1e9"),
    ],
)
async def test_a_wrong_query_is_named(both: Both, query: str) -> None:
    """A filter that means nothing is refused, not ignored."""
    problem = refused(await both.bets.get(f"/bets?{query}"), 422, "invalid_request")
    assert problem["errors"][0]["field"] == f"query.{query.partition('=')[0]}"


@in_this_loop
async def test_pages_are_complete_while_others_place(both: Both) -> None:
    """Eight writers place while two read: what was there before page 1 appears exactly once."""
    event_id, done = await published(both), asyncio.Event()
    known: list[str] = []

    async def write() -> None:
        while not done.is_set():
            known.append((await placed(both.bets, event_id))["bet_id"])

    async def read() -> None:
        while len(known) < 40:
            await asyncio.sleep(0.005)
        for _ in range(4):
            before = {*known}
            found = await pages(both.bets, f"/bets?event_id={event_id}&limit=15")
            bet_ids = [bet_id for page in found for bet_id in ids_of(page)]
            assert bet_ids == sorted({*bet_ids}, reverse=True)
            assert before <= {*bet_ids}

    writers = [asyncio.create_task(write()) for _ in range(8)]
    try:
        await asyncio.gather(read(), read())
    finally:
        done.set()
        await asyncio.gather(*writers)


async def test_a_page_may_be_short_though_there_is_more(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rare status is looked for in portions: an empty page with a cursor, and in the end all."""
    monkeypatch.setattr(history, "SCANNED", 5)
    await replica.apply(item(1, of=event("plain")), item(2, of=event("rare")))
    rare = {3, 17, 18}
    made = [
        await replica.place_one("rare" if n in rare else "plain", placed_at=NOW + n)
        for n in range(23)
    ]
    await replica.apply(item(3, of=event("rare", version=2, status="WIN")))
    for limit in (1, 2, 4):
        found: list[list[str]] = []
        before: str | None = None
        while True:
            page, before = await replica.page(Selection(1, "WON"), before, limit)
            found.append(page)
            if before is None:
                break
        assert [bet_id for page in found for bet_id in page] == [
            made[n].bet_id for n in sorted(rare, reverse=True)
        ]
        assert [] in found
        assert len(found) <= 10


async def test_an_empty_history_is_one_empty_page(replica: Replica) -> None:
    """With no bets at all, and with none of a status."""
    for chosen in (Selection(1), Selection(1, "WON"), Selection(2)):
        assert await replica.page(chosen) == ([], None)


async def test_users_see_their_own_bets_only(replica: Replica) -> None:
    """Lists, receipts and cursors end at the user's own bets."""
    await replica.apply(item(1, of=event()))
    async with replica.database.write() as conn:
        await conn.exec_driver_sql("INSERT INTO users (user_id, username) VALUES (2, 'other')")
    mine, theirs = await replica.place(asked(), asked(user_id=2))
    for user_id, bet in ((1, mine), (2, theirs)):
        assert isinstance(bet, Bet)
        assert await replica.page(Selection(user_id)) == ([bet.bet_id], None)


async def test_bets_of_one_microsecond_are_all_there(replica: Replica) -> None:
    """Equal times do not hide one another at the edge of a page."""
    await replica.apply(item(1, of=event()))
    await replica.place(*(asked() for _ in range(10)))
    found: list[str] = []
    before: str | None = None
    while True:
        span = Selection(1, placed_from=NOW, placed_to=NOW + 1)
        page, before = await replica.page(span, before, 3)
        found += page
        if before is None:
            break
    assert len({*found}) == len(found) == 10
    assert min(found) >= ids.first_bet_id(NOW)
