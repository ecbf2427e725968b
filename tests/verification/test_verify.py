"""`stakeline verify`: what it says of sound databases, of running ones, and of offences."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from stakeline.bet_maker.bets import Bet, bet_status
from stakeline.verification import proof
from stakeline.verification.fates import fate
from stakeline.verification.source import Databases
from tests.bet_maker.calls import published
from tests.databases import url_of
from tests.faults.betting import both_in
from tests.verification.damage import at, do, event, loosen, run, verify
from tests.verification.season import BETS, LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Both
    from tests.verification.conftest import Played


def test_a_season_is_sound(season_played: Played) -> None:
    """Every fate, and nothing wrong; the report says how much that was."""
    ended = run(**at(season_played.folder))
    assert ended.exit_code == 0
    assert ended.output == (
        "verified: bet-maker, line-provider\n"
        "  feed items: 23\n"
        "  events: 10\n"
        "  replica rows: 10\n"
        "  bets: 11\n"
        "  receipts held against the log: 11\n"
        "bets by status:\n"
        "  PENDING: 4 bets, 40.00 staked, 0.00 paid\n"
        "  WON: 3 bets, 20.10 staked, 43.70 paid\n"
        "  LOST: 1 bets, 10.00 staked, 0.00 paid\n"
        "  VOID: 3 bets, 30.00 staked, 30.00 paid\n"
        "nothing is wrong\n"
    )


def test_the_report_for_programs(season_played: Played) -> None:
    """One JSON object, in which money is a number."""
    ended = run("--json", **at(season_played.folder))
    assert ended.stdout.count("\n") == 1
    assert json.loads(ended.stdout, parse_float=str) == {
        "clean": True,
        "verified": ["bet-maker", "line-provider"],
        "checked": {
            "feed items": 23,
            "events": 10,
            "replica rows": 10,
            "bets": 11,
            "receipts held against the log": 11,
        },
        "bets": {
            "PENDING": {"bets": 4, "staked": "40.00", "paid": "0.00"},
            "WON": {"bets": 3, "staked": "20.10", "paid": "43.70"},
            "LOST": {"bets": 1, "staked": "10.00", "paid": "0.00"},
            "VOID": {"bets": 3, "staked": "30.00", "paid": "30.00"},
        },
        "offences": [],
        "counts": {},
        "unnamed": {},
    }


def test_a_resync_is_sound(resync_played: Played) -> None:
    """Bets and rows of an earlier log are told apart, not held against the new one."""
    code, report = verify(resync_played.folder)
    assert (code, report["offences"]) == (0, [])
    assert report["checked"] == {
        "feed items": 5,
        "events": 3,
        "replica rows": 4,
        "replica rows of earlier logs": 2,
        "bets": 5,
        "bets of earlier snapshots, not held against the log": 4,
        "receipts held against the log": 1,
    }


def test_a_standalone_bet_maker_is_sound(standalone_played: Played) -> None:
    """It has no line, and needs none."""
    code, report = verify(standalone_played.folder, "--only", "bet-maker")
    assert (code, report["offences"]) == (0, [])
    assert {status: total["bets"] for status, total in report["bets"].items()} == {
        "PENDING": 1,
        "WON": 1,
        "LOST": 1,
        "VOID": 1,
    }


def test_services_that_never_heard_of_an_event(tmp_path: Path) -> None:
    """Empty databases are sound."""

    async def start() -> None:
        async with both_in(tmp_path):
            pass

    asyncio.run(start())
    assert verify(tmp_path)[1]["offences"] == []


async def test_running_services_are_verified(tmp_path: Path) -> None:
    """While bets are placed and the line moves, each state that is read is a sound one."""
    databases = Databases(url_of(tmp_path, LINE), url_of(tmp_path, BETS))
    async with both_in(tmp_path) as both:
        for event_id in ("event-0", "event-1", "event-2", "endless"):
            await published(both, event_id)
        work = asyncio.create_task(keep_betting(both))
        counts: list[int] = []
        while len(counts) < 8:
            assert not work.done()
            report = await proof.verify(databases)
            assert list(report.lines())[-1] == "nothing is wrong", list(report.lines())
            if not counts or report.checked["bets"] > counts[-1]:
                counts.append(report.checked["bets"])
            await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.wait([work])
    assert counts[-1] > 0


async def keep_betting(both: Both) -> None:
    """Place bets, move prices, and give results, but to one event never: there is always a bet."""
    for number in range(10_000):
        event_id = f"event-{number % 3}"
        batch = [{"event_id": name, "amount": "1.15"} for name in (event_id, event_id, "endless")]
        await both.bets.post("/bets/batch", {"bets": batch})
        await both.line.patch(f"/events/{event_id}", {"coefficient": 2 + number % 50 / 10})
        if number % 10 == 9:
            await both.line.put(f"/events/late-{number}", {"coefficient": 2})
            await both.line.post(f"/events/event-{number % 3}/result", {"status": "WIN"})


@pytest.mark.parametrize(("kept", "offences"), [(2, {}), (1, {"replica-as-line": 3})])
def test_a_frozen_row_is_as_it_was(
    season_played: Played, kept: int, offences: dict[str, int], tmp_path: Path
) -> None:
    """Where the line's last word cannot be read, bet-maker keeps the one before, and no other."""
    labels = season_played.copied(tmp_path).labels
    cut = "UPDATE feed SET event = '{{' WHERE event_id = 'quiet' AND version = 3"
    do(url_of(tmp_path, LINE), cut.format())
    as_kept = {
        1: "version = 1, coefficient = 200, updated_at = created_at",
        2: "version = 2, coefficient = 250, updated_at = {at_quiet_2}",
    }
    do(url_of(tmp_path, BETS), event("quiet", f"frozen = 1, {as_kept[kept]}").format(**labels))
    _, report = verify(tmp_path)
    assert report["counts"] == {"feed-readable": 1} | offences
    assert report["checked"]["replica rows that are frozen"] == 1


def test_bets_beside_the_cursor_are_counted(resync_played: Played, tmp_path: Path) -> None:
    """Whoever resyncs while bets are taken may have such bets; without a resync they are wrong."""
    labels = resync_played.copied(tmp_path).labels
    ahead = "UPDATE bets SET feed_seq = 0 WHERE bet_id = '{after}'"
    do(url_of(tmp_path, BETS), ahead.format(**labels))
    _, report = verify(tmp_path)
    assert report["counts"] == {}
    assert report["checked"]["receipts ahead of the cursor, as a resync makes them"] == 1
    assert report["checked"]["receipts behind the line, as a resync makes them"] == 1


def test_many_offences_are_counted(season_played: Played, tmp_path: Path) -> None:
    """A thousand of a kind are named, the others counted."""
    played = season_played.copied(tmp_path)
    loosen(url_of(tmp_path, BETS), "bets")
    script = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)"
        " INSERT INTO bets SELECT bet_id || i, user_id, key || i, event_id, amount, coefficient,"
        " asked_coefficient, accept, placed_at, event_version, feed_seq, snapshot, fix_at"
        " FROM bets, n WHERE bet_id = '{won}'"
    )
    do(url_of(tmp_path, BETS), script.format(**played.labels))
    ended = run(**at(tmp_path))
    assert ended.exit_code == 1
    lines = ended.output.splitlines()
    assert len([line for line in lines if line.startswith("bet-id: bet-maker bets ")]) == 1000
    assert lines[1000] == "bet-id: and 234 more"
    assert lines[-1] == "offences: 1,234"
    assert verify(tmp_path)[1]["unnamed"] == {"bet-id": 234}


def test_an_offence_is_one_line(season_played: Played, tmp_path: Path) -> None:
    """The check, the row, what is wrong, what is there and what ought to be."""
    played = season_played.copied(tmp_path)
    bet_id = played.labels["won"]
    do(url_of(tmp_path, BETS), f"UPDATE bets SET coefficient = 999 WHERE bet_id = '{bet_id}'")  # noqa: S608
    ended = run(**at(tmp_path))
    assert ended.exit_code == 1
    assert ended.output.splitlines()[0] == (
        f"receipt-price: bet-maker bets {bet_id}: the price in version 1 of won: "
        "found 9.99, expected 1.95"
    )


@pytest.mark.parametrize("event_status", ["NEW", "WIN", "LOSE", "VOID"])
@pytest.mark.parametrize("placed_at", [9, 10, 11])
@pytest.mark.parametrize("coefficient", [None, 1, 195, 1_000_000])
def test_two_rules_agree(event_status: Any, placed_at: int, coefficient: int | None) -> None:  # noqa: ANN401
    """Verification's rule and bet-maker's were written apart, and say the same."""
    for amount in (1, 10, 49, 50, 99_999_999_999):
        status = bet_status(placed_at, event_status, 10)
        bet = Bet("bet", "event", amount, coefficient, status, placed_at, 1)
        assert fate(amount, coefficient, placed_at, event_status, 10) == (status, bet.payout)


async def test_the_watch_is_told_of_every_row(season_played: Played) -> None:
    """As many rows as were announced, so that a bar ends where it must."""
    folder, announced, read = season_played.folder, list[int](), list[int]()
    await proof.verify(
        Databases(url_of(folder, LINE), url_of(folder, BETS)),
        proof.Watch(announced.append, read.append),
    )
    assert [sum(read)] == announced


def test_databases_that_no_service_has_used_yet_are_sound(tmp_path: Path) -> None:
    """Migrated, and nothing more."""
    for service in ("line-provider", "bet-maker"):
        url_of(tmp_path, service)
    ended = run(**at(tmp_path))
    assert (ended.exit_code, ended.output.splitlines()[-1]) == (0, "nothing is wrong")
