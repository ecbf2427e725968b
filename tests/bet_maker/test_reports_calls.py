"""`GET /exposure` and `GET /report`: their forms, pages and bounds."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock
from stakeline.bet_maker import exports, reports
from tests.bet_maker.calls import changed, decided, new_id, pages, placed, published, refused

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Both
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATHS = ("/exposure", "/report")
COLUMNS = {
    "/exposure": "event_id,name,coefficient,bets,staked,potential_payout,exposure",
    "/report": "day,event_id,name,bets,staked,pending,pending_staked,returned,margin",
}


async def rows(served: Served, path: str, event_id: str) -> list[dict[str, Any]]:
    """What a list says of an event, in all its pages."""
    found = [row for page in await pages(served, path) for row in page]
    return [row for row in found if row["event_id"] == event_id]


def lines_of(answer: httpx2.Response) -> list[dict[str, str]]:
    """The rows of a CSV answer, as a spreadsheet reads them."""
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    return list(csv.DictReader(answer.text.splitlines(keepends=True), strict=True))


async def test_an_exposure_is_what_may_be_lost(both: Both) -> None:
    """Each bet at its own price, rounded half up by itself; below 0 where nothing can be lost."""
    event_id = await published(both, name="Home v Away")
    await placed(both.bets, event_id, "0.10")  # 0.195
    await placed(both.bets, event_id, "0.30")  # 0.585
    await changed(both, event_id, coefficient=3)
    assert await rows(both.bets, "/exposure", event_id) == [
        {
            "event_id": event_id,
            "name": "Home v Away",
            "coefficient": 3,
            "bets": 2,
            "staked": 0.4,
            "potential_payout": 0.79,
            "exposure": 0.39,
        }
    ]
    sure = await published(both, coefficient="0.50")
    await placed(both.bets, sure)
    (row,) = await rows(both.bets, "/exposure", sure)
    assert row["exposure"] == -5
    exposures = [row["exposure"] for row in (await both.bets.get("/exposure")).json()]
    assert exposures == sorted(exposures, reverse=True)
    assert {0.39, -5} <= {*exposures}


async def test_a_report_tells_settled_from_pending(both: Both) -> None:
    """A void bet returns its stake; what is pending is neither returned nor margin."""
    for status, pending, returned, margin in (
        ("NEW", 20, 0, 0),
        ("WIN", 0, 39, -19),
        ("LOSE", 0, 0, 20),
        ("VOID", 0, 20, 0),
    ):
        event_id = await published(both, name="Home v Away")
        bets = [await placed(both.bets, event_id) for _ in range(2)]
        if status != "NEW":
            await decided(both, event_id, status)
        assert await rows(both.bets, "/report", event_id) == [
            {
                "day": bets[0]["placed_at"][:10],
                "event_id": event_id,
                "name": "Home v Away",
                "bets": 2,
                "staked": 20,
                "pending": 2 if pending else 0,
                "pending_staked": pending,
                "returned": returned,
                "margin": margin,
            }
        ]


async def test_a_report_is_of_the_time_asked_for(both: Both) -> None:
    """`from` is inside, `to` outside, as text or unix seconds."""
    event_id = await published(both)
    first, second, third = [await placed(both.bets, event_id) for _ in range(3)]
    after = clock.parse_instant(third["placed_at"]) // clock.US_PER_S + 1
    for query, bets in (
        (f"from={first['placed_at']}", 3),
        (f"from={second['placed_at']}&to={third['placed_at']}", 1),
        (f"from={second['placed_at']}&to={after}", 2),
    ):
        (row,) = await rows(both.bets, f"/report?{query}", event_id)
        assert row["bets"] == bets
    for query in (f"from={after}", f"from={after}&to=1577836800", "to=1577836800"):
        assert (await both.bets.get(f"/report?{query}")).json() == []


async def test_standalone_no_payout_is_known(standalone: Served) -> None:
    """Stakes are summed, the most staked first; what is not known is null, in CSV empty."""
    small, large = f"a{new_id()}", f"b{new_id()}"
    for event_id, amount in ((small, 5), (large, 10), (large, 1)):
        await placed(standalone, event_id, amount)
    first, second = (await standalone.get("/exposure")).json()
    assert [first["event_id"], second["event_id"]] == [large, small]
    unknown = {"name": None, "coefficient": None, "potential_payout": None, "exposure": None}
    assert first == unknown | {"event_id": large, "bets": 2, "staked": 11}
    await standalone.put(f"/events/{small}", {"status": "WIN"})
    (row,) = await rows(standalone, "/report", small)
    assert (row["staked"], row["pending"], row["returned"], row["margin"]) == (5, 0, None, None)
    _, line = lines_of(await standalone.get("/report", headers={"Accept": "text/csv"}))
    assert (line["event_id"], line["returned"], line["margin"]) == (large, "", "")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("page", [1, 3, 500])
async def test_pages_and_exports_are_the_same_list(
    both: Both, path: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following `Link` in pages of any size gives what NDJSON and CSV give in one answer."""
    for name in (None, "-1 v +2"):
        await placed(both.bets, await published(both, name=name))
    monkeypatch.setattr(exports, "PAGE", page)
    monkeypatch.setattr(reports, "SCANNED", page)
    listed = [row for one in await pages(both.bets, f"{path}?limit={page}") for row in one]
    answer = await both.bets.get(path, headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == listed != []
    exact = [json.loads(line, parse_float=str) for line in answer.text.splitlines()]
    assert lines_of(await both.bets.get(path, headers={"Accept": "text/csv"})) == [
        {name: in_cell(name, value) for name, value in row.items()} for row in exact
    ]


def in_cell(name: str, value: object) -> str:
    """What a spreadsheet shows of a value."""
    if name in {"event_id", "name"} and str(value).startswith(("=", "+", "-", "@")):
        return f"'{value}"
    return "" if value is None else str(value)


@pytest.mark.parametrize("path", PATHS)
async def test_the_answer_says_what_it_is(both: Both, path: str) -> None:
    """A download with a name and its columns, kept by no cache; `Accept` chose it."""
    answer = await both.bets.get(path, headers={"Accept": "text/csv"})
    filename = f'attachment; filename="{path[1:]}.csv"'
    assert answer.headers["content-disposition"] == filename
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.partition("\r\n")[0] == COLUMNS[path]
    assert (await both.bets.get(path)).headers["vary"] == "Accept"
    for query in ("limit=5", "cursor=1~a"):
        whole = await both.bets.get(f"{path}?{query}", headers={"Accept": "text/csv"})
        refused(whole, 422, "invalid_request")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\uff1d1", "\uff0b1"])
async def test_no_name_is_a_formula(both: Both, name: str) -> None:
    """A spreadsheet would compute it; a margin below 0 stays a number."""
    event_id = await published(both, f"-{new_id()}", name=name)
    await placed(both.bets, event_id)
    await decided(both, event_id, "WIN")
    answer = await both.bets.get("/report", headers={"Accept": "text/csv"})
    (line,) = [line for line in lines_of(answer) if line["event_id"] == f"'{event_id}"]
    assert (line["name"], line["margin"]) == (f"'{name}", "-9.50")
    (row,) = await rows(both.bets, "/report", event_id)
    assert row["name"] == name


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *(("/exposure?limit=0", "limit"), ("/report?limit=1001", "limit")),
        *(("/report?from=yesterday", "from"), ("/report?to=2026-08-01T18:00:00", "to")),
        *((f"{path}?cursor={bad}", "cursor") for path in PATHS for bad in ("", "1.5~a", "1~a~b")),
    ],
)
async def test_a_wrong_query_is_named(both: Both, path: str, field: str) -> None:
    """What means nothing is refused, not ignored."""
    problem = refused(await both.bets.get(path), 422, "invalid_request")
    assert problem["errors"][0]["field"] == f"query.{field}"
