"""Links: relative, so that they hold behind any prefix; cursors that only we write."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakeline import clock
from stakeline.errors import InvalidRequest
from stakeline.web import links

if TYPE_CHECKING:
    from tests.serving import Served

in_this_loop = pytest.mark.asyncio(loop_scope="module")


@in_this_loop
@pytest.mark.parametrize("path", ["/orders", "/orders/"])
@pytest.mark.parametrize("prefix", ["", "/gateway/line"])
async def test_a_location_holds_behind_any_prefix(sample: Served, path: str, prefix: str) -> None:
    """`Location` resolves to the thing, with and without a slash at the request's end."""
    answer = await sample.post(path, {"amount": 1})
    where = urljoin(f"http://host{prefix}{path}", answer.headers["location"])
    assert where == f"http://host{prefix}/orders/7"


@in_this_loop
@pytest.mark.parametrize("path", ["/orders", "/orders/"])
async def test_a_link_keeps_the_query_and_moves_on(sample: Served, path: str) -> None:
    """`Link` leads to the same list, with the same filters, at another cursor."""
    answer = await sample.get(f"{path}?limit=7&cursor=x%26y")
    link = answer.headers["link"]
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    to = urlsplit(urljoin(f"http://host/line{path}", link[1 : link.index(">")]))
    assert to.path == f"/line{path}"
    assert parse_qs(to.query) == {"limit": ["7"], "cursor": ["a~b&c"]}
    assert answer.links["next"]["url"] == link[1 : link.index(">")]


@in_this_loop
async def test_the_last_page_has_no_link(sample: Served) -> None:
    """Only a missing `Link` ends a list."""
    assert "link" not in (await sample.get("/orders?cursor=end")).headers


@given(
    st.integers(0, clock.LATEST),
    st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True).filter(lambda i: i not in {".", ".."}),
)
@settings(deadline=None)
def test_a_cursor_reads_back_as_it_was_written(deadline: int, event_id: str) -> None:
    """The place in a list of events survives the way through a URL."""
    assert links.read_event_cursor(links.event_cursor(deadline, event_id)) == (deadline, event_id)


def test_without_a_cursor_a_list_begins_at_its_start() -> None:
    """Nothing sorts before the first place."""
    assert links.read_event_cursor(None) == (0, "")


@pytest.mark.parametrize(
    "cursor",
    ["", "~", "1", "1~", "~a", "x~a", "-1~a", "1~a/b", "1~..", "1e3~a", "10000000000000000~a"],
)
def test_a_cursor_that_no_link_gave_is_refused(cursor: str) -> None:
    """A made-up place is refused by name."""
    with pytest.raises(InvalidRequest) as refusal:
        links.read_event_cursor(cursor)
    assert refusal.value.body()["errors"][0]["field"] == "query.cursor"
