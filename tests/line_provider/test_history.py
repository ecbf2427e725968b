"""The history of an event: what changed, when, by whom and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from tests.line_provider.calls import LATER_STILL, PAST, created, decided, fields_of, refused

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def history(line: Served, event_id: str) -> list[dict[str, Any]]:
    """Every version."""
    versions: list[dict[str, Any]] = (await line.get(f"/events/{event_id}/history")).json()
    return versions


async def test_every_version_is_kept(line: Served) -> None:
    """Each version tells what changed, and holds the whole event as it then stood."""
    await created(line, "told", name="A")
    await line.patch("/events/told", {"coefficient": 2.5})
    await line.patch("/events/told", {"name": "B", "deadline": LATER_STILL})
    await decided(line, "told", "WIN", closed_at=PAST, reason="final whistle")
    await decided(line, "told", "LOSE", correction=True, reason="wrong match")
    last = (await line.get("/events/told")).json()
    versions = await history(line, "told")
    assert [version["version"] for version in versions] == [1, 2, 3, 4, 5]
    assert [version["changed"] for version in versions[1:]] == [
        ["coefficient"],
        ["closed_at", "deadline", "name"],
        ["closed_at", "status"],
        ["status"],
    ]
    assert {"coefficient", "deadline", "event_id", "name", "status"} <= {*versions[0]["changed"]}
    assert [version["reason"] for version in versions] == [None] * 3 + [
        "final whistle",
        "wrong match",
    ]
    assert {version["by"] for version in versions} == {"anonymous"}
    seqs = [version["seq"] for version in versions]
    assert seqs == sorted(set(seqs))
    assert sorted(version["at"] for version in versions) == [version["at"] for version in versions]
    assert versions[4]["event"] == last
    assert [version["event"]["name"] for version in versions] == ["A", "A", "B", "B", "B"]


async def test_what_changed_nothing_is_no_version(line: Served) -> None:
    """Repeats and refusals leave no trace."""
    await created(line, "quiet")
    await line.post("/events", {"event_id": "quiet", "coefficient": 1.95})
    await line.patch("/events/quiet", {"coefficient": "1.950"})
    await line.patch("/events/quiet", {"coefficient": "1.95"})
    await line.put("/events/quiet", {"coefficient": 3}, headers={"If-Match": '"9"'})
    assert len(await history(line, "quiet")) == 1


async def test_a_version_is_the_feeds_item(line: Served) -> None:
    """The log is the history: seq, time and event are those of the feed."""
    await created(line, "logged")
    await decided(line, "logged", "VOID")
    for version in await history(line, "logged"):
        page = (await line.get(f"/feed?after={version['seq'] - 1}&limit=1&wait=0")).json()
        item = page["items"][0]
        assert (item["at"], item["event"]) == (version["at"], version["event"])


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_a_long_history_comes_in_pages(line: Served, limit: int) -> None:
    """Following `Link` gives every version once, and what changed across the pages' edges."""
    event_id = f"long-{limit}"
    await created(line, event_id)
    for coefficient in range(2, 7):
        await line.patch(f"/events/{event_id}", {"coefficient": coefficient})
    url, found = f"{line.url}/events/{event_id}/history?limit={limit}", []
    while True:
        answer = await line.client.get(url)
        found += answer.json()
        if "link" not in answer.headers:
            break
        assert len(answer.json()) == limit
        url = urljoin(url, answer.links["next"]["url"])
    assert [version["version"] for version in found] == [1, 2, 3, 4, 5, 6]
    assert [version["changed"] for version in found[1:]] == [["coefficient"]] * 5


async def test_an_unknown_event_has_no_history(line: Served) -> None:
    """There never was such an event."""
    refused(await line.get("/events/none/history"), 404, "event_not_found")


@pytest.mark.parametrize("cursor", ["1", "2", "9223372036854775807"])
async def test_after_the_last_version_there_is_nothing(line: Served, cursor: str) -> None:
    """A cursor at or past the end gives an empty last page, however large it is."""
    await created(line, f"short-{cursor}")
    answer = await line.get(f"/events/short-{cursor}/history?cursor={cursor}")
    assert (answer.status_code, answer.json()) == (200, [])
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "cursor=-1", "cursor=x", "cursor=9223372036854775808"]
)
async def test_a_wrong_query_is_named(line: Served, query: str) -> None:
    """Limits and cursors have their bounds."""
    assert fields_of(await line.get(f"/events/x/history?{query}")) == [
        f"query.{query.partition('=')[0]}"
    ]
