"""Receipts: every bet could be taken when it was, by what the log says of that moment."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from stakeline.verification import said, source
from stakeline.verification.report import Table
from stakeline.verification.said import Said, instant, shown

if TYPE_CHECKING:
    from stakeline.verification.replica import Followed
    from stakeline.verification.report import Report
    from stakeline.verification.source import Row, Source

_BETS = """
SELECT bets.bet_id, bets.event_id, bets.event_version, bets.feed_seq, bets.placed_at,
       bets.coefficient, events.closed_cap
FROM bets LEFT JOIN events ON events.event_id = bets.event_id
WHERE bets.snapshot = :snapshot ORDER BY bets.event_id COLLATE BINARY, bets.event_version
"""
_HEARD = "SELECT bet_id, feed_seq, fix_at FROM bets WHERE snapshot = :snapshot ORDER BY feed_seq"
# Items that share a transaction, or were written while the clock was behind the one before, are
# exactly a microsecond apart.
_FIRST_ITEMS = """
SELECT seq, at FROM (SELECT seq, at, lag(at) OVER (ORDER BY seq) AS at_before FROM feed) AS items
WHERE at > at_before + 1 ORDER BY seq
"""


async def verify(bets: Source, followed: Followed, line: Source, report: Report) -> None:
    """Check the receipts of the bets taken since the last snapshot.

    The log must have the version a bet was judged by; at the bet's seq that was the newest one, it
    was not decided, it was open at placed_at, and its price is the bet's. And that seq was not
    behind the line when it was heard, at `fix_at`; the log can tell by the time of a transaction
    after the one that followed that seq, not before.

    Args:
        bets: bet-maker's database.
        followed: its cursor; earlier snapshots' seqs count in logs that are gone.
        line: the line that it follows.
        report: takes up what is wrong.
    """
    table = Table(report, bets.name, "bets")
    await _verify_heard(table, bets, followed, line)
    parsed: Said | None = None
    of: Row | None = None
    async for bet, item in source.merged(
        bets.rows(_BETS, snapshot=followed.snapshot),
        line.rows(said.VERSIONS),
        lambda bet: (bet.event_id, bet.event_version),
        lambda item: (item.event_id, item.version),
    ):
        if bet is None:
            continue
        report.checked["receipts held against the log"] += 1
        if item is None:
            what = f"the line has no such version of {bet.event_id}"
            table.wrong("receipt-version", bet.bet_id, what, bet.event_version)
            continue
        if item is not of:
            of, parsed = item, said.readable(item.event)
        _verify_seq(table, bet, item, followed)
        if parsed is not None:
            _verify_terms(table, bet, parsed)


async def _verify_heard(table: Table, bets: Source, followed: Followed, line: Source) -> None:
    """What was in the log when the line was heard had been applied when the bet was taken.

    An item's own time does not tell when it was committed. But the first item of a transaction has
    its time from under the head's lock: all items before it had been committed by then.
    """
    first_seq: int | None = None
    # How far the items are read depends on the bets, so they are no part of the progress.
    async with aclosing(replace(line, read=source.ignore).rows(_FIRST_ITEMS)) as items:
        item = await anext(items, None)
        async for bet in bets.rows(_HEARD, snapshot=followed.snapshot):
            first_seq = bet.feed_seq if first_seq is None else first_seq
            while item is not None and item.seq < bet.feed_seq + 2:
                item = await anext(items, None)
            if item is None or item.at >= bet.fix_at:
                continue
            if followed.snapshot > 1 and bet.feed_seq == first_seq:
                # While a resync fetches its snapshot, the cursor may go on, and is then set back.
                table.report.checked["receipts behind the line, as a resync makes them"] += 1
                continue
            what = (
                f"its seq, as item {item.seq} was begun at {instant(item.at)}, before the line was"
                " heard (it looks so, too, if line-provider's clock stepped forward and back)"
            )
            expected = f"{item.seq - 1} or more"
            table.wrong("receipt-behind", bet.bet_id, what, bet.feed_seq, expected)


def _verify_seq(table: Table, bet: Row, item: Row, followed: Followed) -> None:
    if item.next_seq is not None and item.next_seq <= bet.feed_seq:
        what = f"at seq {bet.feed_seq} version {item.version} of {bet.event_id} was over"
        table.wrong("receipt-seq", bet.bet_id, what)
    if item.seq > bet.feed_seq:
        # A snapshot's rows may be newer than the place it is of. Whoever resyncs while bets are
        # taken can so have bets that are ahead of the cursor; from the feed alone there are none.
        if followed.snapshot > 1:
            table.report.checked["receipts ahead of the cursor, as a resync makes them"] += 1
            return
        what = f"at seq {bet.feed_seq} there was no version {item.version} of {bet.event_id} yet"
        table.wrong("receipt-seq", bet.bet_id, what)


def _verify_terms(table: Table, bet: Row, event: Said) -> None:
    named = f"version {event.version} of {bet.event_id}"
    table.same("receipt-open", bet.bet_id, f"the status in {named}", event.status, "NEW")
    closed_at = min(at for at in (event.closed_at, bet.closed_cap) if at is not None)
    if bet.placed_at >= closed_at:
        what = f"was placed when {named} was closed"
        expected = f"before {instant(closed_at)}"
        table.wrong("receipt-open", bet.bet_id, what, instant(bet.placed_at), expected)
    if bet.coefficient != event.coefficient:
        values = (shown("coefficient", value) for value in (bet.coefficient, event.coefficient))
        table.wrong("receipt-price", bet.bet_id, f"the price in {named}", *values)
