"""The line as a list: order, filters and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import pytest_asyncio

from tests.line_provider.calls import LATER, PAST, created, decided, fields_of
from tests.serving import Served, line_provider, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

# In the order of the line: by deadline, then by id.
EVERY = ["past-lost", "past-open", "a-soon", "b-soon", "c:won", "d-undone", "e-void", "f", "g", "h"]
NEW = ["past-open", "a-soon", "b-soon", "d-undone", "f", "g", "h"]
BETTABLE = ["a-soon", "b-soon", "f", "g", "h"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A line with an event of every kind, which no test changes."""
    async with serving(line_provider(tmp_path_factory.mktemp("line"))) as served:
        for year, event_id in reversed(list(enumerate(["f", "g", "h"], 2095))):
            await created(served, event_id, deadline=f"{year}-01-01T00:00:00Z")
        for event_id in ("e-void", "d-undone", "c:won", "b-soon", "a-soon"):
            await created(served, event_id, deadline=LATER)
        for event_id in ("past-open", "past-lost"):
            await served.put(f"/events/{event_id}", {"coefficient": 2, "deadline": PAST})
        await decided(served, "past-lost", "LOSE")
        await decided(served, "c:won", "WIN")
        await decided(served, "d-undone", "WIN")
        await decided(served, "d-undone", "NEW", correction=True)
        await decided(served, "e-void", "VOID")
        yield served


def ids_of(events: list[dict[str, Any]]) -> list[str]:
    """The ids of the events in a list."""
    return [event["event_id"] for event in events]


async def pages(line: Served, path: str) -> list[list[str]]:
    """The ids on each page, from the first to the one without `Link`."""
    found, url = [], urljoin(line.url, path)
    while True:
        answer = await line.client.get(url)
        assert answer.status_code == 200
        found.append(ids_of(answer.json()))
        if "link" not in answer.headers:
            return found
        url = urljoin(url, answer.links["next"]["url"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", EVERY),
        ("?status=NEW", NEW),
        ("?status=WIN", ["c:won"]),
        ("?status=LOSE", ["past-lost"]),
        ("?status=VOID", ["e-void"]),
        ("?bettable=true", BETTABLE),
        ("?bettable=false", ["past-lost", "past-open", "c:won", "d-undone", "e-void"]),
        ("?status=NEW&bettable=true", BETTABLE),
        ("?status=NEW&bettable=false", ["past-open", "d-undone"]),
        ("?status=WIN&bettable=true", []),
    ],
)
async def test_filters_choose_events(line: Served, query: str, expected: list[str]) -> None:
    """Soonest deadline first; what can be bet on has neither a result nor a past deadline."""
    answer = await line.get(f"/events{query}")
    assert ids_of(answer.json()) == expected
    assert "link" not in answer.headers


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11, 1000])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_pages_make_up_the_whole_list(line: Served, limit: int, slash: str) -> None:
    """Following `Link` gives every event once, in order, and full pages but the last."""
    found = await pages(line, f"/events{slash}?limit={limit}")
    assert [event_id for page in found for event_id in page] == EVERY
    assert {len(page) for page in found[:-1]} <= {limit}
    assert found[-1]


async def test_a_link_keeps_the_filters(line: Served) -> None:
    """Later pages choose as the first one does."""
    assert await pages(line, "/events?bettable=true&limit=2") == [
        ["a-soon", "b-soon"],
        ["f", "g"],
        ["h"],
    ]
    assert await pages(line, "/events?status=NEW&limit=4") == [NEW[:4], NEW[4:]]


async def test_a_page_holds_while_the_line_changes(tmp_path_factory: Any) -> None:  # noqa: ANN401 - pytest's
    """An event that comes before the cursor's place is not shown, none after it is lost."""
    async with serving(line_provider(tmp_path_factory.mktemp("own"))) as served:
        for event_id in ("b", "d", "f"):
            await created(served, event_id, deadline=LATER)
        first = await served.get("/events?limit=2")
        for event_id in ("a", "e", "g"):
            await created(served, event_id, deadline=LATER)
        rest = await served.get(urljoin("/events", first.links["next"]["url"]))
        assert (ids_of(first.json()), ids_of(rest.json())) == (["b", "d"], ["e", "f"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("limit=ten", "query.limit"),
        ("status=OPEN", "query.status"),
        ("bettable=maybe", "query.bettable"),
        ("cursor=nowhere", "query.cursor"),
        ("cursor=" + "1" * 101, "query.cursor"),
    ],
)
async def test_a_wrong_query_is_named(line: Served, query: str, field: str) -> None:
    """A filter that means nothing is refused, not ignored."""
    assert fields_of(await line.get(f"/events?{query}")) == [field]
