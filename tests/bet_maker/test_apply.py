"""Following the line item by item: gaps, doubles, other logs, and what cannot be read."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from stakeline.bet_maker.tables import events
from stakeline.contract import Cursor, Event
from stakeline.db import Database
from tests.bet_maker.replica import HOUR, NOW, Replica, event, item, open_replica

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from stakeline.contract import FeedItem


def versions(number: int) -> list[FeedItem]:
    """Items 1 to `number`: versions of one event, each at another price."""
    return [item(n, of=event(version=n, coefficient=100 + n)) for n in range(1, number + 1)]


async def seq(replica: Replica) -> int:
    """How far the line has been applied."""
    cursor = await replica.cursor()
    assert cursor is not None
    return cursor.seq


async def test_items_are_applied_in_order(replica: Replica) -> None:
    """The replica is the line as the last item tells it, and the cursor is that item."""
    one, two, three = versions(3)
    assert await replica.apply(one, two) == Cursor("log", 2, NOW + 2)
    assert await replica.apply(three) == Cursor("log", 3, NOW + 3)
    row = await replica.event()
    assert (row.coefficient, row.version, row.epoch) == (103, 3, "log")
    assert await replica.cursor() == Cursor("log", 3, NOW + 3)


async def test_what_was_applied_is_dropped(replica: Replica) -> None:
    """Items at or below the cursor change nothing, alone or in front of the next ones."""
    one, two, three = versions(3)
    await replica.apply(one, two)
    await replica.apply(one)
    await replica.apply(one, two)
    assert ((await replica.event()).version, await seq(replica)) == (2, 2)
    await replica.apply(one, two, three)
    assert ((await replica.event()).version, await seq(replica)) == (3, 3)


@pytest.mark.parametrize("order", [(2,), (3, 4), (1, 3), (2, 1), (1, 2, 2), (1, 3, 2), (2, 3)])
async def test_after_a_gap_nothing_is_applied(replica: Replica, order: tuple[int, ...]) -> None:
    """What is not the next item in its place stays out, so that it is asked for again."""
    items = dict(enumerate(versions(4), 1))
    await replica.apply(*(items[n] for n in order))
    assert await seq(replica) == 0
    await replica.apply(*versions(4))
    assert ((await replica.event()).version, await seq(replica)) == (4, 4)


@pytest.mark.parametrize("far", [10**6, 10**18])
async def test_a_gap_of_any_size_costs_nothing(replica: Replica, far: int) -> None:
    """A seq from nowhere is a gap like any other, whatever its size."""
    assert await replica.apply(item(far, of=event())) == Cursor("log", 0, NOW)


async def test_items_of_another_log_are_dropped(replica: Replica) -> None:
    """Another epoch is another line: nothing of it is applied."""
    assert await replica.apply(*versions(2), epoch="other") == Cursor("log", 0, NOW)
    assert await replica.refusal() == "event_not_found"


async def test_an_older_version_does_not_come_back(replica: Replica) -> None:
    """Within a log the newest version of an event counts, in whatever item it comes."""
    await replica.apply(item(1, of=event(version=5, coefficient=500)))
    await replica.apply(item(2, of=event(version=4, coefficient=400)))
    assert ((await replica.event()).coefficient, await seq(replica)) == (500, 2)


async def test_two_processes_apply_the_same_page_once(replica: Replica) -> None:
    """Whoever comes second finds it applied."""
    other = Replica(Database(replica.url), replica.url)
    cursors = await asyncio.gather(
        *(each.apply(*versions(5)) for each in (replica, other, replica, other))
    )
    assert set(cursors) == {Cursor("log", 5, NOW + 5)}
    assert (await other.event()).version == 5
    await other.database.close()


async def test_nothing_is_applied_before_the_first_snapshot(replica: Replica) -> None:
    """Without a cursor there is no place to go on from."""
    async with replica.database.write() as conn:
        await conn.exec_driver_sql("UPDATE cursor SET epoch = NULL")
    assert await replica.apply(*versions(1)) is None
    assert await replica.refusal() == "feed_stale"


async def test_an_unreadable_event_is_frozen_and_no_other(replica: Replica) -> None:
    """Its id can be read, so it takes no bets; the line goes on for all others."""
    await replica.apply(item(1, of=event()), item(2, of=event("other")))
    bet = await replica.place_one()
    await replica.apply(item(3, of="derby"), item(4, of=event("other", version=2)))
    assert await seq(replica) == 4
    assert await replica.refusal() == "betting_closed"
    assert (await replica.bet(bet)).status == "PENDING"
    await replica.place_one("other")


async def test_an_unreadable_event_that_was_never_known_is_unknown(replica: Replica) -> None:
    """There is nothing to freeze, and nothing to bet on."""
    await replica.apply(item(1, of="derby"))
    assert (await replica.refusal(), await seq(replica)) == ("event_not_found", 1)
    await replica.apply(item(2, of=event(version=2)))
    await replica.place_one()


async def test_an_item_as_new_as_the_snapshot_heals_a_frozen_event(replica: Replica) -> None:
    """A snapshot may be ahead of its place; what froze the event on the way there is over then."""
    newest = event(version=4, coefficient=400)
    await replica.resync(newest, seq=1)
    await replica.apply(item(2, of="derby"))
    assert await replica.refusal() == "betting_closed"
    await replica.apply(item(3, of=event(version=3, coefficient=300)))
    assert await replica.refusal() == "betting_closed"
    await replica.apply(item(4, of=newest))
    row = await replica.event()
    assert (row.version, row.coefficient, row.frozen) == (4, 400, 0)
    await replica.place_one()


async def test_a_snapshot_s_event_that_cannot_be_read_later_stays_frozen(replica: Replica) -> None:
    """Items of before do not unfreeze what was frozen after them, also in one page."""
    newest = event(version=3)
    await replica.resync(newest, seq=1)
    await replica.apply(item(2, of=event(version=2)), item(3, of=newest), item(4, of="derby"))
    assert await replica.refusal() == "betting_closed"
    await replica.apply(item(5, of=event(version=5)))
    await replica.place_one()


AFTER = event(version=3, coefficient=300)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (event(), AFTER),
        (event(), event(version=3, status="WIN", closed_at=NOW)),
        (event(deadline=NOW - HOUR), event(version=3, deadline=NOW - HOUR, status="LOSE")),
        (event(deadline=NOW - HOUR), event(version=3, deadline=NOW + HOUR)),
        (event(deadline=NOW - HOUR), event(version=3, deadline=NOW - HOUR, coefficient=300)),
        (event(status="WIN", closed_at=NOW - HOUR), event(version=3, closed_at=NOW - HOUR)),
        (
            event(status="WIN", closed_at=NOW - HOUR),
            event(version=3, closed_at=NOW - 1, status="LOSE"),
        ),
    ],
    ids=["open", "decided", "past, decided", "past, moved on", "past", "undone", "corrected"],
)
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "in one page"])
async def test_the_next_readable_item_heals_a_frozen_event(
    replica: Replica, before: Event, after: Event, *, apart: bool
) -> None:
    """It is the same log: the event is again what line-provider says, in every field."""
    items = [item(1, of=before), item(2, of="derby"), item(3, of=after)]
    for page in [[one] for one in items] if apart else [items]:
        await replica.apply(*page)
    row = await replica.event()
    assert Event.model_construct(**{name: getattr(row, name) for name in dict(after)}) == after
    assert row.epoch == "log"
    open_now = after.status == "NEW" and after.closed_at > NOW
    if open_now:
        await replica.place_one()
    else:
        assert await replica.refusal() == "betting_closed"


BEFORE: dict[str, dict[str, Any]] = {
    "unknown": {},
    "open": {"deadline": NOW + HOUR},
    "past": {"deadline": NOW - HOUR},
    "won": {"deadline": NOW + HOUR, "status": "WIN", "closed_at": NOW - 9},
    "undone": {"deadline": NOW + HOUR, "closed_at": NOW - 9},
}
NEXT: dict[str, dict[str, Any] | None] = {
    "open": {"deadline": NOW + 2 * HOUR, "closed_at": NOW + 2 * HOUR},
    "won": {"deadline": NOW + 2 * HOUR, "status": "WIN", "closed_at": NOW - 5},
    "void": {"deadline": NOW + 2 * HOUR, "status": "VOID", "closed_at": NOW - 20},
    "unreadable": None,
}


async def test_it_is_the_same_in_one_page_and_in_several(tmp_path: Path) -> None:
    """Whatever is known of an event from the log before, and whatever three items say of it."""
    names: list[tuple[str, str]] = []
    items: list[FeedItem] = []
    for before, *following in product(BEFORE, NEXT, NEXT, NEXT):
        name = ":".join([before, *following])
        names.append((name, before))
        for version, said in enumerate((NEXT[each] for each in following), start=3):
            known = name if said is None else event(name, version=version, **said)
            items.append(item(len(items) + 1, of=known))
    told = []
    for pages in ([items[n : n + 1] for n in range(len(items))], [items]):
        async with open_replica(tmp_path / f"{len(pages)}") as replica:
            await replica.resync(
                *(
                    event(name, version=7, **BEFORE[before])
                    for name, before in names
                    if BEFORE[before]
                )
            )
            await replica.resync(epoch="next")
            for page in pages:
                await replica.apply(*page, epoch="next")
            async with replica.database.read() as conn:
                rows = await conn.execute(sa.select(events).order_by(events.c.event_id))
                # What no log vouches for takes no bets, frozen or not.
                told.append(
                    [
                        dict(row) | {"frozen": bool(row["frozen"] and row["epoch"])}
                        for row in rows.mappings()
                    ]
                )
    assert len(told[0]) > 300
    assert told[0] == told[1]
