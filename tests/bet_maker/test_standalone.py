"""Standalone: events are only identifiers, and their results come to bet-maker itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import clock, grouping
from stakeline.settings import WrongSetting
from tests.bet_maker.calls import bet_of, new_id, placed, refused
from tests.serving import bet_maker, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def decide(served: Served, event_id: str, status: str) -> dict[str, Any]:
    """The event with this result."""
    answer = await served.put(f"/events/{event_id}", {"status": status})
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()
    return event


@pytest.mark.parametrize("event_id", ["any", "a:b.c_d-e", 7, "x" * 64])
async def test_a_bet_on_any_id_is_taken(standalone: Served, event_id: object) -> None:
    """Whatever is well formed can be bet on; there are no prices and no payouts."""
    bet = await placed(standalone, event_id, 10.5)  # type: ignore[arg-type]
    assert bet == {
        "bet_id": bet["bet_id"],
        "event_id": str(event_id),
        "amount": 10.5,
        "coefficient": None,
        "potential_payout": None,
        "status": "PENDING",
        "payout": None,
        "placed_at": bet["placed_at"],
        "event_version": 0,
    }
    assert abs(clock.parse_instant(bet["placed_at"]) - clock.now()) < clock.US_PER_S


@pytest.mark.parametrize(("status", "told"), [("WIN", "WON"), ("LOSE", "LOST"), ("VOID", "VOID")])
async def test_a_result_settles_all_bets_of_its_event(
    standalone: Served, status: str, told: str
) -> None:
    """`PUT /events/{event_id}` settles every bet on it, and no other."""
    event_id = new_id()
    bets = [await placed(standalone, event_id) for _ in range(3)]
    other = await placed(standalone, new_id())
    before = clock.now()
    event = await decide(standalone, event_id, status)
    assert (event["event_id"], event["status"], event["version"]) == (event_id, status, 1)
    assert (event["coefficient"], event["deadline"], event["name"]) == (None, None, None)
    assert before <= clock.parse_instant(event["closed_at"]) <= clock.now()
    for bet in bets:
        assert (await bet_of(standalone, bet))["status"] == told
        assert (await bet_of(standalone, bet))["payout"] is None
    assert (await bet_of(standalone, other))["status"] == "PENDING"
    assert (await standalone.get(f"/events/{event_id}")).json() == event


async def test_another_result_later_is_a_correction(standalone: Served) -> None:
    """It changes every bet's status; `closed_at` stays, and the same again changes nothing."""
    event_id = new_id()
    bet = await placed(standalone, event_id)
    first = await decide(standalone, event_id, "WIN")
    second = await decide(standalone, event_id, "LOSE")
    assert (second["closed_at"], second["version"]) == (first["closed_at"], 2)
    assert await decide(standalone, event_id, "LOSE") == second
    assert (await bet_of(standalone, bet))["status"] == "LOST"


async def test_a_decided_event_takes_no_more_bets(standalone: Served) -> None:
    """Also one that nobody had bet on before."""
    for bets in (0, 1):
        event_id = new_id()
        for _ in range(bets):
            await placed(standalone, event_id)
        await decide(standalone, event_id, "WIN")
        answer = await standalone.post("/bets", {"event_id": event_id, "amount": 1})
        refused(answer, 409, "betting_closed")


async def test_a_price_is_refused(standalone: Served) -> None:
    """Nobody can hold a standalone bet-maker to a price it does not know."""
    body = {"event_id": new_id(), "amount": 1, "coefficient": 2}
    problem = refused(await standalone.post("/bets", body), 422, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == ["body.coefficient"]


@pytest.mark.parametrize(
    "body", [{}, {"status": "NEW"}, {"status": "WON"}, {"status": None}, {"status": "WIN", "x": 1}]
)
async def test_a_malformed_result_is_refused(standalone: Served, body: object) -> None:
    """Only WIN, LOSE and VOID are results."""
    event_id = new_id()
    refused(await standalone.put(f"/events/{event_id}", body), 422, "invalid_request")
    refused(await standalone.get(f"/events/{event_id}"), 404, "event_not_found")


async def test_events_are_those_that_were_named(standalone: Served) -> None:
    """The list has what was bet on and is undecided; an event without a bet is unknown."""
    open_id, over_id = new_id(), new_id()
    await placed(standalone, open_id)
    await placed(standalone, over_id)
    await decide(standalone, over_id, "VOID")
    found = [event["event_id"] for event in (await standalone.get("/events?limit=1000")).json()]
    assert open_id in found
    assert over_id not in found
    refused(await standalone.get(f"/events/{new_id()}"), 404, "event_not_found")


async def test_keys_and_history_are_the_same_as_ever(standalone: Served) -> None:
    """A repeat is replayed, and everything is in the history."""
    event_id = new_id()
    body, headers = {"event_id": event_id, "amount": 1}, {"Idempotency-Key": new_id()}
    first = await standalone.post("/bets", body, headers=headers)
    again = await standalone.post("/bets", body, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (await standalone.get(f"/bets?event_id={event_id}")).json() == [first.json()]
    other = await standalone.post("/bets", body | {"event_id": new_id()}, headers=headers)
    refused(other, 422, "idempotency_key_reused")


async def test_a_receipt_has_no_price_and_no_age(standalone: Served) -> None:
    """The time is the database's own, so nothing had to be heard."""
    bet = await bet_of(standalone, await placed(standalone, new_id()))
    receipt = bet["receipt"]
    assert receipt.pop("reason").startswith("pending: ")
    assert receipt == {
        "feed_seq": 0,
        "feed_age_ms": 0,
        "coefficient_asked": None,
        "coefficient_given": None,
        "accept": "any",
        "closed_at": None,
    }


async def test_it_is_ready_at_once(standalone: Served) -> None:
    """There is no line to wait for."""
    assert (await standalone.get("/readyz")).json() == {"status": "ready"}


async def test_a_database_keeps_the_mode_of_its_first_start(tmp_path: Path) -> None:
    """A standalone database cannot follow a line, nor the other way round."""
    for made, line in (("standalone", None), ("following", "http://127.0.0.1:9")):
        data_dir = tmp_path / made
        async with serving(bet_maker(data_dir, line)):
            pass
        other = bet_maker(data_dir, "http://127.0.0.1:9" if line is None else None)
        with pytest.raises(WrongSetting, match=f"made in {made} mode"):
            async with other.router.lifespan_context(other):
                pass
        async with serving(bet_maker(data_dir, line)) as served:
            assert (await served.get("/healthz")).is_success


async def test_lists_for_pages_are_kept_for_one_origin_alone(tmp_path: Path) -> None:
    """A cache must not give a page what it took from who came without an origin: Vary says so."""
    here = "https://here.example"
    async with serving(bet_maker(tmp_path, None, cors_origins=here)) as served:
        alone = await served.get("/events")
        page = await served.get("/events", headers={"Origin": here})
    assert alone.headers["vary"] == page.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in alone.headers
    assert page.headers["access-control-allow-origin"] == here
    assert alone.headers["etag"] == page.headers["etag"]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_worker_is_patient_and_a_lone_process_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """With others beside it it waits for the company that it lately had."""
    monkeypatch.setattr(grouping, "COMPANY_S", 0.1)
    took = []
    async with serving(bet_maker(tmp_path, None, workers=workers)) as served:
        await asyncio.gather(*(placed(served, new_id()) for _ in range(20)))
        for _ in range(4):
            began = time.perf_counter()
            await placed(served, new_id())
            took.append(time.perf_counter() - began)
    assert (min(took) >= 0.1) == (workers > 1), took
