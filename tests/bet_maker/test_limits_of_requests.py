"""Limits as users meet them: settings, refusals over HTTP, and how often one may bet."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stakeline import settings
from stakeline.bet_maker.settings import Settings
from stakeline.settings import WrongSetting
from tests.bet_maker.calls import decided, new_id, placed, published, refused
from tests.conftest import Both
from tests.serving import bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def limited(folder: Path, **limits: object) -> AsyncIterator[Both]:
    """A line-provider, and a bet-maker that follows it under limits."""
    async with (
        serving(line_provider(folder)) as line,
        serving(bet_maker(folder, line.url, **limits)) as bets,
    ):
        await until_ready(bets)
        yield Both(line, bets)


async def test_a_refusal_names_the_limit_and_the_largest_amount(tmp_path: Path) -> None:
    """Alone and in a batch, where the others are taken."""
    limits = {"smallest_amount": "1", "largest_amount": "50.5", "event_exposure": "100.00"}
    async with limited(tmp_path, **limits) as both:
        event_id = await published(both)
        bet = {"event_id": event_id, "amount": 50.51}
        problem = refused(await both.bets.post("/bets", bet), 409, "limit_exceeded")
        assert (problem["limit"], problem["largest_amount"]) == ("largest_amount", 50.5)
        batch = [bet | {"amount": amount} for amount in (50.5, "50.50", 10, 0.99)]
        answer = await both.bets.post("/bets/batch", {"bets": batch})
        results = answer.json()["results"]
        assert [result["status"] for result in results] == [201, 201, 409, 409]
        told = [(r["problem"]["limit"], r["problem"]["largest_amount"]) for r in results[2:]]
        assert told == [("event_exposure", 4.25), ("smallest_amount", 4.25)]
        assert '"largest_amount":4.25' in answer.text
        await placed(both.bets, event_id, 4.25)


async def test_a_result_makes_room_for_its_users(tmp_path: Path) -> None:
    """What a user has open is what has no result yet."""
    async with limited(tmp_path, user_open_amount="15") as both:
        one, other = await published(both), await published(both)
        await placed(both.bets, one, 10)
        bet = {"event_id": other, "amount": 10}
        problem = refused(await both.bets.post("/bets", bet), 409, "limit_exceeded")
        assert (problem["limit"], problem["largest_amount"]) == ("user_open_amount", 5)
        await decided(both, one, "LOSE")
        await placed(both.bets, other, 15)


async def test_a_restart_counts_what_was_taken_without_limits(tmp_path: Path) -> None:
    """Limits that are set later hold for all bets there are."""
    async with limited(tmp_path) as both:
        event_id = await published(both)
        await placed(both.bets, event_id, 100)
    async with limited(tmp_path, event_exposure="100") as both:
        problem = refused(
            await both.bets.post("/bets", {"event_id": event_id, "amount": 10}),
            *(409, "limit_exceeded"),
        )
        assert problem["largest_amount"] == 5.26


async def test_a_standalone_bet_maker_has_limits_too(tmp_path: Path) -> None:
    """All but the exposure, which wants coefficients."""
    async with serving(bet_maker(tmp_path, None, user_open_amount="15")) as bets:
        one = new_id()
        await placed(bets, one, 10)
        bet = {"event_id": new_id(), "amount": 10}
        refused(await bets.post("/bets", bet), 409, "limit_exceeded")
        assert (await bets.put(f"/events/{one}", {"status": "WIN"})).status_code == 200
        assert (await bets.post("/bets", bet)).status_code == 201


async def test_bets_that_come_too_often_are_told_when_to_come_back(tmp_path: Path) -> None:
    """None of the request is taken; a repeat is answered all the same."""
    async with limited(tmp_path, user_bets_per_second=1) as both:
        event_id = await published(both)
        bet, key = {"event_id": event_id, "amount": 1}, {"Idempotency-Key": "first"}
        first = await both.bets.post("/bets", bet, headers=key)
        batch = {"bets": [bet | {"key": "second"}] * 30}
        assert first.status_code == 201
        answer = await both.bets.post("/bets/batch", batch)
        refused(answer, 429, "too_many_requests")
        assert answer.headers["retry-after"] == "1"
        await placed(both.bets, event_id, 1)
        refused(await both.bets.post("/bets", bet), 429, "too_many_requests")
        again = await both.bets.post("/bets", bet, headers=key)
        assert again.json() == first.json()
        batch = {"bets": [bet | {"key": "first"}] * 30}
        results = (await both.bets.post("/bets/batch", batch)).json()["results"]
        assert {result["bet"]["bet_id"] for result in results} == {first.json()["bet_id"]}
        assert len((await both.bets.get(f"/bets?event_id={event_id}")).json()) == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *((name, value, f"BET_MAKER_{name}: must be")
          for name in ("SMALLEST_AMOUNT", "LARGEST_AMOUNT", "USER_OPEN_AMOUNT", "EVENT_EXPOSURE")
          for value in ("0", "-1", "1e3", "10.505", "1000000000", "none")),
        *(("USER_BETS_PER_SECOND", value, "BET_MAKER_USER_BETS_PER_SECOND: ")
          for value in ("0", "-1", "0.5", "many")),
        ("SMALLEST_AMOUNT", "10.01", "BET_MAKER_SMALLEST_AMOUNT must not be more than"),
        ("STANDALONE", "1", "BET_MAKER_EVENT_EXPOSURE needs coefficients"),
    ],
)  # fmt: skip
def test_a_wrong_limit_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """In one line that names it."""
    known = {"LARGEST_AMOUNT": "10", "EVENT_EXPOSURE": "10"}
    if name != "STANDALONE":
        known["LINE_PROVIDER_URL"] = "http://127.0.0.1:8000"
    for setting, text in (known | {name: value}).items():
        monkeypatch.setenv(f"BET_MAKER_{setting}", text)
    with pytest.raises(WrongSetting) as wrong:
        settings.read(Settings)
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)
