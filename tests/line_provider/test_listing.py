"""The line as a list is kept written, and yet never stale."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from stakeline import clock
from tests.line_provider.calls import LATER, PAST, created, decided
from tests.serving import Served, line_provider, patiently, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2


def ids_of(answer: httpx2.Response) -> list[str]:
    """The events of a page."""
    assert answer.status_code == 200, answer.text
    return [one["event_id"] for one in answer.json()]


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Served, Served]]:
    """Two line-providers with one database, and so with one line."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving(line_provider(tmp_path)))
        other = await stack.enter_async_context(serving(line_provider(tmp_path)))
        yield one, other


async def test_what_another_process_changes_is_shown_at_once(two: tuple[Served, Served]) -> None:
    """Events that come, their terms and results, on every page that they are on."""
    one, other = two
    tags = set()

    async def shown(query: str) -> list[str]:
        answer = await other.get(f"/events{query}")
        tags.add(answer.headers["etag"])
        return ids_of(answer)

    assert await shown("") == []
    await created(one, "a")
    assert await shown("") == ["a"]
    await created(one, "b")
    assert await shown("") == ["a", "b"]
    assert await shown("?bettable=false") == []
    await one.patch("/events/a", {"coefficient": 3})
    assert (await other.get("/events")).json()[0]["coefficient"] == 3
    await decided(one, "a", "WIN")
    assert await shown("") == ["a", "b"]
    assert await shown("?bettable=false") == ["a"]
    assert await shown("?bettable=true") == ["b"]
    assert await shown("?status=WIN") == ["a"]
    assert len(tags) == 6  # nothing, and the decided one, were each a page of two lists


async def test_a_deadline_moves_an_event_from_one_list_to_the_other(
    two: tuple[Served, Served],
) -> None:
    """In time, though nobody changes anything."""
    _, line = two
    closes = clock.now() + clock.US_PER_S
    await created(line, "soon", deadline=clock.text(closes))
    await created(line, "late", deadline=LATER)
    seen = set()
    while clock.now() < closes + clock.US_PER_S // 2:
        for bettable, before, after in (
            ("true", ["soon", "late"], ["late"]),
            ("false", [], ["soon"]),
        ):
            asked = clock.now()
            found = ids_of(await line.get(f"/events?bettable={bettable}"))
            if clock.now() < closes:
                assert found == before
                seen.add("before")
            if asked >= closes:
                assert found == after
                seen.add("after")
    assert seen == {"before", "after"}


async def test_the_client_is_told_that_it_has_the_page(two: tuple[Served, Served]) -> None:
    """304 for its tag, whichever process gave it; what moves elsewhere on the line changes none."""
    one, other = two
    await created(one, "a")
    await created(one, "b", deadline="2091-01-01T00:00:00Z")
    page = await one.get("/events?limit=1")
    known = {"If-None-Match": page.headers["etag"]}
    for served in two:
        answer = await served.get("/events?limit=1", headers=known)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["link"] == page.headers["link"]
    await one.patch("/events/b", {"coefficient": 3})
    assert (await other.get("/events?limit=1", headers=known)).status_code == 304
    assert ids_of(await other.get("/events?limit=2", headers=known)) == ["a", "b"]
    await one.patch("/events/a", {"coefficient": 3})
    assert ids_of(await other.get("/events?limit=1", headers=known)) == ["a"]


async def test_many_queries_are_answered_each_its_own(two: tuple[Served, Served]) -> None:
    """More than are kept, twice, many at once."""
    _, line = two
    for n in range(40):
        await line.put(f"/events/{n:02}", {"coefficient": 2, "deadline": PAST})
    for _ in range(2):
        asking = [partial(line.get, f"/events?limit={n + 1}") for n in range(40)]
        answers = await asyncio.gather(*map(patiently, asking))
        assert [len(answer.json()) for answer in answers] == list(range(1, 41))
    assert len(line.app.state.pages._places) < 40
