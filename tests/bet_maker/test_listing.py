"""The list of what can be bet on is kept written, and yet never stale."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock
from stakeline.bet_maker import events
from stakeline.bet_maker.app import create_app
from stakeline.bet_maker.settings import Settings
from tests.bet_maker.calls import placed
from tests.bet_maker.replica import event, item
from tests.serving import bet_maker, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import httpx2

    from tests.bet_maker.replica import Replica
    from tests.serving import Served

LATE = clock.parse_instant("2090-01-01T00:00:00Z")


def open_event(event_id: str, /, **fields: Any) -> Any:  # noqa: ANN401 - as `event`
    """An event that takes bets for a long time."""
    return event(event_id, **({"deadline": LATE} | fields))


def ids_of(answer: httpx2.Response) -> list[str]:
    """The events of a page."""
    assert answer.status_code == 200, answer.text
    return [one["event_id"] for one in answer.json()]


@pytest.fixture
async def served(replica: Replica) -> AsyncIterator[Served]:
    """A bet-maker on the replica, whose line is away: others apply what is new."""
    settings = Settings(database_url=replica.url, line_provider_url="http://127.0.0.1:9")
    async with serving(create_app(settings)) as one:
        yield one


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limit of each page that is read from the database."""
    limits: list[int] = []
    page = events.page

    def noted(*args: Any) -> Any:  # noqa: ANN401 - as `events.page`
        limits.append(args[-1])
        return page(*args)

    monkeypatch.setattr(events, "page", noted)
    return limits


async def test_a_page_is_read_once_while_nothing_changes(
    replica: Replica, served: Served, reads: list[int]
) -> None:
    """However many ask for it, one after another or at once; each query has a page of its own."""
    await replica.apply(item(1, of=open_event("a")), item(2, of=open_event("b")))
    for _ in range(3):
        assert ids_of(await served.get("/events")) == ["a", "b"]
    answers = await asyncio.gather(*(served.get("/events?limit=1") for _ in range(20)))
    assert [ids_of(answer) for answer in answers] == [["a"]] * 20
    assert reads == [101, 2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda one: one.apply(item(3, of=open_event("c"))), ["a", "b", "c"]),
        (lambda one: one.apply(item(3, of=open_event("a", version=2, status="WIN"))), ["b"]),
        (lambda one: one.apply(item(3, of="b")), ["a"]),  # frozen: it cannot be read
        (lambda one: one.resync(open_event("b", version=9), seq=2), ["b"]),
        (lambda one: one.resync(open_event("b"), epoch="other", seq=2), ["b"]),
    ],
)
async def test_what_another_process_applies_is_shown_at_once(
    replica: Replica,
    served: Served,
    change: Callable[[Replica], Any],
    expected: list[str],
) -> None:
    """Items, also unreadable ones, and a resync that ends at the very same place of its log."""
    await replica.apply(item(1, of=open_event("a")), item(2, of=open_event("b")))
    before = await served.get("/events")
    assert ids_of(before) == ["a", "b"]
    await change(replica)
    after = await served.get("/events", headers={"If-None-Match": before.headers["etag"]})
    assert ids_of(after) == expected
    assert after.headers["etag"] != before.headers["etag"]


async def test_a_price_is_never_older_than_the_question(replica: Replica, served: Served) -> None:
    """While it changes all the time, whoever asks gets one that stood when they asked, or later."""
    await replica.apply(item(1, of=open_event("a", coefficient=1)))
    stands, enough = 1, asyncio.Event()

    async def look_on() -> None:
        while not enough.is_set():
            least = stands
            (seen,) = (await served.get("/events")).json()
            assert round(seen["coefficient"] * 100) >= least

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(look_on())
        for n in range(2, 60):
            await replica.apply(item(n, of=open_event("a", version=n, coefficient=n)))
            stands = n
        enough.set()


async def test_an_event_is_gone_when_its_betting_closes(
    replica: Replica, served: Served, reads: list[int]
) -> None:
    """In time, though nobody changes anything; until then, and after it, the page holds."""
    closes = clock.now() + clock.US_PER_S
    await replica.apply(
        item(1, of=open_event("soon", deadline=closes)), item(2, of=open_event("late"))
    )
    seen = set()
    while clock.now() < closes + clock.US_PER_S // 2:
        asked = clock.now()
        found = ids_of(await served.get("/events"))
        if clock.now() < closes:
            assert found == ["soon", "late"]
            seen.add("before")
        if asked >= closes:
            assert found == ["late"]
            seen.add("after")
    assert seen == {"before", "after"}
    assert reads == [101, 101]


async def test_the_client_is_told_that_it_has_the_page(replica: Replica, served: Served) -> None:
    """304 for its tag in whatever company, `*`, or marked as weak; else the page."""
    await replica.apply(item(1, of=open_event("a")), item(2, of=open_event("b")))
    whole = await served.get("/events?limit=1")
    tag = whole.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = await served.get("/events?limit=1", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        for name in ("etag", "link", "cache-control", "x-content-type-options"):
            assert answer.headers[name] == whole.headers[name]
        assert "content-type" not in answer.headers
    for known in ('"other"', tag.strip('"'), tag[:-2] + '"', "", '"a,' + tag[1:]):
        answer = await served.get("/events?limit=1", headers={"If-None-Match": known})
        assert ids_of(answer) == ["a"]


async def test_a_tag_is_of_just_one_page(replica: Replica, served: Served) -> None:
    """It says the body, and whether there is more; what is beyond the page does not change it."""
    await replica.apply(item(1, of=open_event("a")))
    one, first = await served.get("/events"), await served.get("/events?limit=1")
    assert one.headers["etag"] == first.headers["etag"]
    await replica.apply(item(2, of=open_event("b")))
    with_more = await served.get("/events?limit=1")
    assert with_more.content == first.content
    assert with_more.headers["etag"] != first.headers["etag"]
    await replica.apply(item(3, of=open_event("b", version=2, coefficient=300)))
    known = {"If-None-Match": with_more.headers["etag"]}
    assert (await served.get("/events?limit=1", headers=known)).status_code == 304


async def test_standalone_events_are_listed_as_they_are(tmp_path: Path) -> None:
    """What one process names or decides, another one shows at once."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving(bet_maker(tmp_path, None)))
        other = await stack.enter_async_context(serving(bet_maker(tmp_path, None)))
        await placed(one, "a")
        first = await other.get("/events")
        await placed(one, "b")
        second = await other.get("/events", headers={"If-None-Match": first.headers["etag"]})
        await one.put("/events/a", {"status": "WIN"})
        third = await other.get("/events", headers={"If-None-Match": second.headers["etag"]})
        known = {"If-None-Match": third.headers["etag"]}
        assert (await other.get("/events", headers=known)).status_code == 304
    assert [ids_of(answer) for answer in (first, second, third)] == [["a"], ["a", "b"], ["b"]]
