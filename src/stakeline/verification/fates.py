"""How every bet stands, worked out from the line, and compared with what bet-maker shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stakeline.bet_maker import bets as subject  # what is compared with, and nothing else
from stakeline.verification import said, source
from stakeline.verification.bets import verify_bet
from stakeline.verification.report import Table
from stakeline.verification.said import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stakeline.verification.replica import Followed, Stands
    from stakeline.verification.report import Report
    from stakeline.verification.said import Said
    from stakeline.verification.source import Row, Source

_SHOWN = subject.STATUS.element.compile(compile_kwargs={"literal_binds": True})
BETS = f"""
SELECT bets.bet_id, bets.user_id, bets.key, bets.event_id, bets.amount, bets.coefficient,
       bets.asked_coefficient, bets.accept, bets.placed_at, bets.event_version, bets.feed_seq,
       bets.snapshot, bets.fix_at, users.user_id AS known_user, events.status, events.closed_at,
       events.version, events.epoch, events.frozen, events.closed_cap, {_SHOWN} AS shown_status
FROM bets
LEFT JOIN events ON events.event_id = bets.event_id
LEFT JOIN users ON users.user_id = bets.user_id
"""  # noqa: S608 - constants
"""Every bet with its event's row, if there is one, and the status that bet-maker shows."""


class Fate(NamedTuple):
    """A bet's status, and what it returned in cents: None while pending, or without a price."""

    status: str
    payout: int | None


def fate(
    amount: int, coefficient: int | None, placed_at: int, event_status: str, closed_at: int
) -> Fate:
    """The promise: a bet stands iff it was placed before its event closed; then the result counts.

    Args:
        amount: cents.
        coefficient: hundredths, None where there are no prices.
        placed_at: microseconds.
        event_status: NEW, WIN, LOSE or VOID.
        closed_at: microseconds.
    """
    if placed_at >= closed_at or event_status == "VOID":
        return Fate("VOID", None if coefficient is None else amount)
    if event_status == "NEW":
        return Fate("PENDING", None)
    status = "WON" if event_status == "WIN" else "LOST"
    if coefficient is None:
        return Fate(status, None)
    cents, rest = divmod(amount * coefficient, 100)
    return Fate(status, cents + (rest >= 50) if status == "WON" else 0)  # noqa: PLR2004 - half


async def verify(
    bets: Source, followed: Followed, events: AsyncIterator[Stands], report: Report
) -> None:
    """Check every bet by itself, and how it stands by the line.

    Args:
        bets: bet-maker's database.
        followed: how far it has followed which log.
        events: the line there, in the order of its ids; no events where the line is not known.
        report: takes up what is wrong, and what the bets come to.
    """
    table = Table(report, bets.name, "bets")
    rows = bets.rows(f"{BETS} ORDER BY bets.event_id COLLATE BINARY, bets.bet_id")
    async for bet, stands in source.merged(
        rows, events, lambda bet: bet.event_id, lambda stands: stands.event_id
    ):
        if bet is None:
            continue
        report.checked["bets"] += 1
        if bet.snapshot != followed.snapshot:
            report.checked["bets of earlier snapshots, not held against the log"] += 1
        verify_bet(table, bet, followed)
        known = stands is not None and followed.vouched(bet)
        _verify_fate(table, bet, stands.event if known else None)


def _verify_fate(table: Table, bet: Row, event: Said | None) -> None:
    if event is None:
        status, closed_at = bet.status, bet.closed_at
    else:
        status = event.status
        closed_at = min(at for at in (event.closed_at, bet.closed_cap) if at is not None)
    if status not in said.STATUSES:
        return  # its event is not there, or cannot be: told already
    must = fate(bet.amount, bet.coefficient, bet.placed_at, status, closed_at)
    total = table.report.totals[must.status]
    total.bets += 1
    total.staked += bet.amount
    total.paid += must.payout or 0
    found = subject.Bet(
        bet_id=bet.bet_id,
        event_id=bet.event_id,
        amount=bet.amount,
        coefficient=bet.coefficient,
        status=bet.shown_status,
        placed_at=bet.placed_at,
        event_version=bet.event_version,
    )
    table.same("bet-status", bet.bet_id, "how it stands", found.status, must.status)
    if found.payout != must.payout:
        values = (shown("payout", value) for value in (found.payout, must.payout))
        table.wrong("bet-payout", bet.bet_id, "what it paid", *values)
