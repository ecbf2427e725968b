"""The bets by what bet-maker alone knows: their bounds, prices, ids and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stakeline import clock, ids, money
from stakeline.verification import said
from stakeline.verification.report import Table
from stakeline.verification.said import instant, shown

if TYPE_CHECKING:
    from stakeline.verification.replica import Followed
    from stakeline.verification.report import Report
    from stakeline.verification.source import Row, Source

MOST_AGE_US = 5 * clock.US_PER_S
"""How long before a bet was placed the line may have been heard."""
ACCEPTS = ("exact", "better", "any")

_SAME_KEY = """
SELECT user_id, key, count(*) AS number, min(bet_id) AS one, max(bet_id) AS other
FROM bets WHERE key IS NOT NULL GROUP BY user_id, key HAVING count(*) > 1 ORDER BY user_id, key
"""
_SAME_ID = "SELECT bet_id, count(*) AS number FROM bets GROUP BY bet_id HAVING count(*) > 1"


async def verify_unique(bets: Source, report: Report) -> None:
    """No user's key names two bets, and no id does.

    Args:
        bets: bet-maker's database.
        report: takes up what is wrong.
    """
    table = Table(report, bets.name, "bets")
    async for row in bets.rows(_SAME_KEY):
        what = f"key {row.key} of user {row.user_id} names {row.number} bets, {row.other} too"
        table.wrong("key-unique", row.one, what)
    async for row in bets.rows(_SAME_ID):
        table.wrong("bet-unique", row.bet_id, "has more than one row", row.number, 1)


def verify_bet(table: Table, bet: Row, followed: Followed) -> None:
    """Check one bet by its own columns, its event's row and the cursor.

    Args:
        table: takes up what is wrong.
        bet: a row of `fates.BETS`.
        followed: how far bet-maker has followed which log.
    """
    _verify_bounds(table, bet)
    _verify_price(table, bet)
    _verify_refers(table, bet, followed)
    if followed.standalone:
        _verify_standalone(table, bet)
        return
    age = bet.placed_at - bet.fix_at
    if not 0 <= age <= MOST_AGE_US:
        what = "the line was heard this long before, in microseconds"
        table.wrong("bet-fresh", bet.bet_id, what, age, f"0 to {MOST_AGE_US}")
    newest = bet.version is not None and bet.snapshot == followed.snapshot
    if bet.event_version < 1 or (newest and bet.event_version > bet.version):
        most = bet.version if newest else "any"
        what = "a version that its event does not have"
        table.wrong("bet-version", bet.bet_id, what, bet.event_version, f"1 to {most}")
    if not 1 <= bet.snapshot <= followed.snapshot:
        what = "a snapshot that was not taken"
        expected = f"1 to {followed.snapshot}"
        table.wrong("bet-snapshot", bet.bet_id, what, bet.snapshot, expected)
    if bet.feed_seq < 0 or (bet.snapshot == followed.snapshot and bet.feed_seq > followed.seq):
        what = "a seq that the cursor has not reached"
        table.wrong("bet-seq", bet.bet_id, what, bet.feed_seq, f"0 to {followed.seq}")


def _verify_bounds(table: Table, bet: Row) -> None:
    number, prefix = str(bet.bet_id).replace("-", ""), _id_prefix(bet.placed_at)
    variant = number[len(prefix) : len(prefix) + 1]
    if not number.startswith(prefix) or variant not in set("89ab") or not _is_bet_id(bet.bet_id):
        what = f"its id is not a UUIDv7 of placed_at, {instant(bet.placed_at)}"
        table.wrong("bet-id", bet.bet_id, what)
    for field in ("placed_at", "fix_at"):
        if not said.in_time(at := getattr(bet, field)):
            what = f"{field} is not from 2000 to 2100"
            table.wrong("bet-bounds", bet.bet_id, what, instant(at))
    for field, most in (
        ("amount", money.MAX_AMOUNT),
        ("coefficient", money.MAX_COEFFICIENT),
        ("asked_coefficient", money.MAX_COEFFICIENT),
    ):
        value = getattr(bet, field)
        if value is not None and not 1 <= value <= most:
            what = f"{field}, in hundredths"
            table.wrong("bet-bounds", bet.bet_id, what, value, f"1 to {most}")
    if bet.key is not None:
        try:
            ids.parse_key(bet.key)
        except ValueError as error:
            table.wrong("key-formed", bet.bet_id, f"its key {error}")


def _verify_price(table: Table, bet: Row) -> None:
    """The price that was given is one that its user took."""
    given, asked = bet.coefficient, bet.asked_coefficient
    if bet.accept not in ACCEPTS or (bet.accept != "any" and asked is None):
        what = "which price its user takes"
        expected = "exact or better with a price, or any"
        table.wrong("bet-accept", bet.bet_id, what, bet.accept, expected)
    elif bet.accept != "any" and given != asked and not (bet.accept == "better" and given > asked):
        what = f"the price given is not the one asked for, or {bet.accept}"
        values = (shown("coefficient", value) for value in (given, asked))
        table.wrong("bet-price", bet.bet_id, what, *values)


def _verify_refers(table: Table, bet: Row, followed: Followed) -> None:
    if bet.known_user is None:
        table.wrong("bet-user", bet.bet_id, "its user is not there", bet.user_id)
    if bet.version is None:
        table.wrong("bet-event", bet.bet_id, "its event is not there", bet.event_id)
    if (bet.coefficient is None) != followed.standalone:
        what = "a bet has a price, unless it is a standalone bet-maker's"
        table.wrong("bet-priced", bet.bet_id, what, shown("coefficient", bet.coefficient))


def _verify_standalone(table: Table, bet: Row) -> None:
    # Nothing was heard from anybody: the time is its own, and an event takes bets till its result.
    known = {"fix_at": bet.placed_at, "event_version": 0, "feed_seq": 0, "snapshot": 0}
    for field, expected in known.items():
        what = f"{field} of a standalone bet"
        table.same("bet-standalone", bet.bet_id, what, getattr(bet, field), expected)


def _id_prefix(placed_at: int) -> str:
    """The first 16 digits of a UUIDv7 of this instant: milliseconds, 7, the fraction of one."""
    ms, us = placed_at // 1000, placed_at % 1000
    return f"{ms:012x}7{us * 4096 // 1000:03x}"


def _is_bet_id(bet_id: str) -> bool:
    try:
        return ids.parse_bet_id(bet_id) == bet_id
    except ValueError:
        return False
