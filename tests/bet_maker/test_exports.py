"""Exports: the whole selection of bets as NDJSON or CSV."""

from __future__ import annotations

import asyncio
import csv
import gc
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from stakeline.bet_maker import exports, history
from stakeline.bet_maker.app import create_app
from stakeline.bet_maker.bodies import BetBody
from stakeline.bet_maker.history import Selection
from stakeline.bet_maker.settings import Settings
from stakeline.errors import Unavailable
from tests.bet_maker.calls import decided, new_id, pages, placed, published, refused
from tests.bet_maker.replica import NOW, event, item
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bet_maker.replica import Replica
    from tests.conftest import Both
    from tests.serving import Served

in_this_loop = pytest.mark.asyncio(loop_scope="module")
NDJSON = {"Accept": "application/x-ndjson"}
CSV = {"Accept": "text/csv"}


def lines_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    """The values of an NDJSON answer, every line of which ends."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert not answer.text or answer.text.endswith("\n")
    return [json.loads(line, parse_float=str) for line in answer.text.splitlines()]


def rows_of(answer: httpx2.Response) -> list[dict[str, str]]:
    """The rows of a CSV answer, as a spreadsheet reads them."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert all(line.endswith("\r\n") for line in answer.text.splitlines(keepends=True))
    return list(csv.DictReader(answer.text.splitlines(keepends=True), strict=True))


async def every_fate(both: Both) -> str:
    """A new event with bets, and another event each for bets that are won, lost and void."""
    for status in ("WIN", "LOSE", "VOID"):
        event_id = await published(both)
        await placed(both.bets, event_id, "0.37")
        await decided(both, event_id, status)
    event_id = await published(both)
    for amount in (10, "0.01", "999999999.99"):
        await placed(both.bets, event_id, amount)
    return event_id


@in_this_loop
@pytest.mark.parametrize("page", [1, 2, 5000])
async def test_an_export_is_what_the_pages_are(
    both: Both, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Every bet of the selection, newest first, each with all that the JSON list shows of it."""
    monkeypatch.setattr(exports, "PAGE", page)
    event_id = await every_fate(both)
    for query in ("", f"?event_id={event_id}", "?status=VOID", "?status=PENDING", "?event_id=no"):
        listed = [bet for found in await pages(both.bets, f"/bets{query}") for bet in found]
        exported = lines_of(await both.bets.get(f"/bets{query}", headers=NDJSON))
        assert [_as_listed(bet) for bet in exported] == listed
        rows = rows_of(await both.bets.get(f"/bets{query}", headers=CSV))
        assert rows == [
            {name: "" if value is None else str(value) for name, value in bet.items()}
            for bet in exported
        ]


def _as_listed(bet: dict[str, Any]) -> dict[str, Any]:
    money = ("amount", "coefficient", "potential_payout", "payout")
    return bet | {name: bet[name] and float(bet[name]) for name in money}


@in_this_loop
async def test_an_empty_selection_is_an_empty_export(both: Both) -> None:
    """No line of NDJSON; of CSV the header, so that a spreadsheet has its columns."""
    none = f"/bets?event_id={new_id()}"
    assert (await both.bets.get(none, headers=NDJSON)).content == b""
    assert (await both.bets.get(none, headers=CSV)).text == (
        "bet_id,event_id,amount,coefficient,potential_payout,status,payout,placed_at,event_version"
        "\r\n"
    )


@in_this_loop
async def test_money_keeps_its_digits(both: Both) -> None:
    """The text of an amount is exact in both forms: never a float's."""
    event_id = await published(both)
    await placed(both.bets, event_id, "999999999.99")
    (bet,) = lines_of(await both.bets.get(f"/bets?event_id={event_id}", headers=NDJSON))
    (row,) = rows_of(await both.bets.get(f"/bets?event_id={event_id}", headers=CSV))
    assert (bet["amount"], bet["potential_payout"]) == ("999999999.99", "1949999999.98")
    assert (row["amount"], row["potential_payout"]) == ("999999999.99", "1949999999.98")
    assert row["payout"] == ""


@in_this_loop
@pytest.mark.parametrize("event_id", ["-1", "-A1:B2", "--", "-2026-08-01"])
async def test_no_cell_is_a_formula(both: Both, event_id: str) -> None:
    """A spreadsheet would compute what begins with a minus sign; with an apostrophe it is text."""
    await placed(both.bets, await published(both, event_id))
    (row,) = rows_of(await both.bets.get(f"/bets?event_id={event_id}", headers=CSV))
    assert row["event_id"] == f"'{event_id}"
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())
    (bet,) = lines_of(await both.bets.get(f"/bets?event_id={event_id}", headers=NDJSON))
    assert bet["event_id"] == event_id


@in_this_loop
async def test_the_answer_says_what_it_is(both: Both) -> None:
    """A download with a name, kept by no cache; every form says that Accept chose it."""
    answer = await both.bets.get("/bets", headers=CSV)
    assert answer.headers["content-disposition"] == 'attachment; filename="bets.csv"'
    assert answer.headers["cache-control"] == "no-store"
    for accept in ("text/csv", "application/x-ndjson", "*/*"):
        answer = await both.bets.get("/bets", headers={"Accept": accept})
        assert answer.headers["vary"] == "Accept"


@in_this_loop
@pytest.mark.parametrize("accept", [NDJSON, CSV])
async def test_an_export_has_no_pages(both: Both, accept: dict[str, str]) -> None:
    """A limit or a cursor is refused: what came would not be the whole selection."""
    for query in ("limit=5", "cursor=01890a5d-ac96-774b-bcce-b302099a8057"):
        refused(await both.bets.get(f"/bets?{query}", headers=accept), 422, "invalid_request")
    refused(await both.bets.get("/bets?status=won", headers=accept), 422, "invalid_request")


@in_this_loop
async def test_every_acknowledged_bet_is_in_it_once(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others place bets: none that was acknowledged before is missing, none is doubled."""
    monkeypatch.setattr(exports, "PAGE", 7)
    event_id = await published(both)
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def place_on() -> None:
        while not enough.is_set():
            acknowledged.append((await placed(both.bets, event_id))["bet_id"])
            await asyncio.sleep(0.1)  # or an export finds more and more while it goes on

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(place_on())
        for headers in [NDJSON, CSV] * 3:
            while len(acknowledged) < 50:
                await asyncio.sleep(0.01)
            before = set(acknowledged)
            answer = await both.bets.get(f"/bets?event_id={event_id}", headers=headers)
            found = [bet["bet_id"] for bet in (lines_of if headers == NDJSON else rows_of)(answer)]
            assert before <= {*found}
            assert found == sorted({*found}, reverse=True)
        enough.set()


async def test_a_database_that_fails_at_once_is_a_problem(replica: Replica) -> None:
    """Before anything was sent, the answer can still say so."""
    async with replica.database.write() as conn:
        await conn.exec_driver_sql("ALTER TABLE bets RENAME TO gone")
    find_end = partial(history.end_of_part, chosen=Selection(1))
    parts = exports.side_by_side(
        replica.database, find_end, partial(history.part, chosen=Selection(1))
    )
    with pytest.raises(Unavailable):
        await exports.stream(parts, exports.CSV, name="bets", columns=BetBody)


@pytest.fixture
async def damaged(replica: Replica) -> Replica:
    """Three bets, the oldest of which no release can have written."""
    await replica.apply(item(1, of=event()))
    for n in range(3):
        await replica.place_one(placed_at=NOW + n)
    async with replica.database.write() as conn:
        damage = f"placed_at = {10**18}, amount = {9 * 10**18}"
        await conn.exec_driver_sql(f"UPDATE bets SET {damage} WHERE placed_at = {NOW}")  # noqa: S608
    return replica


@pytest.fixture
async def served(damaged: Replica) -> AsyncIterator[Served]:
    """A bet-maker on that database, whose line is away."""
    settings = Settings(database_url=damaged.url, line_provider_url="http://127.0.0.1:9")
    async with serving(create_app(settings)) as one:
        yield one


async def test_half_an_export_never_looks_whole(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails on the way cuts the connection; what was sent before is right."""
    monkeypatch.setattr(exports, "PAGE", 1)
    got = bytearray()

    async def read() -> None:
        async with served.client.stream("GET", "/bets", headers=NDJSON) as answer:
            async for chunk in answer.aiter_bytes():
                got.extend(chunk)

    with pytest.raises(httpx2.RemoteProtocolError):
        await read()
    assert len(got.splitlines()) in {1, 2}  # a page looks one bet ahead


@in_this_loop
async def test_who_hangs_up_breaks_nothing(
    both: Both, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients that go in the middle of an export leave no error, and no connection, behind."""
    monkeypatch.setattr(exports, "PAGE", 1)
    event_id = await published(both)
    bets = [{"event_id": event_id, "amount": 1}] * 1000
    assert (await both.bets.post("/bets/batch", {"bets": bets})).is_success
    pool = both.bets.app.state.desk.database.engine.pool
    kept = pool.checkedout()
    for n in range(20):
        async with both.bets.client.stream("GET", "/bets", headers=CSV) as answer:
            await anext(answer.aiter_bytes())
            await asyncio.sleep(n / 2000)
    gc.collect()
    async with asyncio.timeout(10):
        while pool.checkedout() != kept:
            await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
