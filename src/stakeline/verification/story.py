"""The story of a bet in words, from what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stakeline import clock, money
from stakeline.verification import fates
from stakeline.verification.said import Said, instant, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stakeline.verification.replica import Followed
    from stakeline.verification.source import Row

_TAKES = {
    "exact": "{}, and at no other price",
    "better": "{} or a better price",
    "any": "whatever the price is",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One version of the bet's event."""

    seq: int
    by: str
    reason: str | None
    event: Said


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one bet.

    Attributes:
        bet: its row of `fates.BETS`.
        row: what else its event's row has.
        followed: bet-maker's cursor.
        items: its event's versions in the log that is followed, oldest first; None where that is
            not known.
        why_no_items: why not.
    """

    bet: Row
    row: Row
    followed: Followed
    items: list[Item] | None
    why_no_items: str


def lines(story: Story) -> Iterator[str]:
    """The story, for people."""
    bet = story.bet
    name = "" if story.row.name is None else f" ({story.row.name})"
    yield f"bet {bet.bet_id}: {money.decimal(bet.amount)} on {bet.event_id}{name}"
    yield ""
    yield "What was asked:"
    yield from _asked(story)
    yield ""
    if not story.followed.standalone:
        yield "What the line had said:"
        yield from _before(story)
        yield ""
        yield "What it said later:"
        yield from _after(story)
        yield ""
    yield "What decided:"
    yield from _verdict(story)


def _asked(story: Story) -> Iterator[str]:
    bet = story.bet
    if story.followed.standalone:
        yield "  a bet without a price: events are only identifiers here"
    else:
        seen = "" if bet.asked_coefficient is None else f"{money.decimal(bet.asked_coefficient)}"
        takes = _TAKES.get(bet.accept, bet.accept).format(seen)
        yield f"  to bet {money.decimal(bet.amount)} at {takes}"
        yield f"  the price given was {shown('coefficient', bet.coefficient)}"
    yield f"  {'without a key' if bet.key is None else f'with the key {bet.key}'}"
    if story.followed.standalone:
        yield f"  placed at {instant(bet.placed_at)}, by bet-maker's own clock"
        return
    age = (bet.placed_at - bet.fix_at) / 1000
    yield f"  placed at {instant(bet.placed_at)}, by line-provider's clock, at the latest"
    yield f"  the line had been heard {age:.1f} ms before, at {instant(bet.fix_at)}"


def _before(story: Story) -> Iterator[str]:
    bet = story.bet
    if story.items is None:
        yield f"  that is not known: {story.why_no_items}"
        yield f"  bet-maker took the bet on version {bet.event_version}, at seq {bet.feed_seq}"
        return
    if bet.snapshot != story.followed.snapshot:
        yield f"  that is not known: it was version {bet.event_version}, at seq {bet.feed_seq}"
        yield "  of a log before the last resync"
        return
    judged = [item for item in story.items if item.event.version == bet.event_version]
    for item in judged:
        event = item.event
        yield f"  {_place(item)}:"
        price, until = money.decimal(event.coefficient), instant(event.deadline)
        yield f"    price {price}, status {event.status}, bets until {until}"
    if not judged:
        yield f"  it has no readable version {bet.event_version}: `stakeline verify` tells more"
    yield f"  bet-maker was at seq {bet.feed_seq} when it took the bet"


def _after(story: Story) -> Iterator[str]:
    if story.items is None:
        yield f"  that is not known: {story.why_no_items}"
        return
    bet, before, passed, told = story.bet, None, 0, False
    same_log = bet.snapshot == story.followed.snapshot
    if not same_log:
        yield "  in the log that is followed since a resync:"
    for item in story.items:
        if same_log and item.event.version <= bet.event_version:
            before = item.event
            continue
        changes = list(_changes(before, item.event))
        before = item.event
        if not changes:
            passed += 1
            continue
        told = True
        why = f' because "{item.reason}"' if item.reason else ""
        yield f"  {_place(item)}{why}:"
        for change in changes:
            yield f"    {change}"
        knows = "has not applied it yet" if item.seq > story.followed.seq else "knows it by now"
        yield f"    bet-maker {knows}: it is at seq {story.followed.seq}"
    if passed:
        yield f"  {passed} more of its price or name only"
    elif not told:
        yield "  nothing"


def _changes(before: Said | None, event: Said) -> Iterator[str]:
    """What in a version can change the fate of a bet that was there before."""
    if before is None or event.status != before.status:
        yield f"result {event.status}" if event.status != "NEW" else "no result in force"
    if before is None or event.deadline != before.deadline:
        yield f"bets until {instant(event.deadline)}"
    if before is not None and event.closed_at != before.closed_at:
        yield f"closed at {instant(event.closed_at)}"


def _place(item: Item) -> str:
    event = item.event
    return f"version {event.version}, seq {item.seq}, at {instant(event.updated_at)} by {item.by}"


def _verdict(story: Story) -> Iterator[str]:
    bet = story.bet
    status, closed_at, limit = _closing(story)
    must = fates.fate(bet.amount, bet.coefficient, bet.placed_at, status, closed_at)
    amount = money.decimal(bet.amount)
    stake = f"the stake goes back: {amount}"
    placed = instant(bet.placed_at)
    closes = "closed" if closed_at <= clock.now() else "closes"
    closed = f"before betting {closes} at {instant(closed_at)}, {limit}"
    if bet.frozen:
        yield "  bet-maker could not read what the line said last: its event is frozen"
    elif story.followed.epoch != bet.epoch:
        yield "  the log that is followed does not say how it ended, so what was known holds"
    if bet.placed_at >= closed_at:
        yield f"  placed at {placed}, not {closed}"
        yield f"  so it is VOID: {stake}"
    else:
        open_still = closed_at >= clock.LATEST
        yield f"  placed at {placed}, " + ("betting is still open" if open_still else closed)
        told = {"NEW": "no result is in force", "VOID": "the event was called off"}
        yield f"  {told.get(status, f'the result is {status}')}"
        yield f"  so it is {must.status}{_pays(bet, must, stake)}"
    if must.status != bet.shown_status:
        yield f"  bet-maker shows it as {bet.shown_status}: `stakeline verify` tells more"


def _pays(bet: Row, must: fates.Fate, stake: str) -> str:
    if must.status == "VOID":
        return f": {stake}"
    if must.payout is None:
        return ""
    paid = money.decimal(must.payout)
    if must.status == "LOST":
        return f": it pays {paid}"
    amount, price = money.decimal(bet.amount), money.decimal(bet.coefficient)
    exact = amount * price
    rounded = "" if exact == paid else f" = {exact}, half up"
    return f": it pays {amount} x {price}{rounded} = {paid}"


def _closing(story: Story) -> tuple[str, int, str]:
    """The event's status, when betting on it closed, and by what."""
    bet, items = story.bet, story.items or []
    known = [item.event for item in items if item.seq <= story.followed.seq]
    if not known or not story.followed.vouched(bet):
        return bet.status, bet.closed_at, _limit_by_row(story)
    event = known[-1]
    if bet.closed_cap is not None and bet.closed_cap < event.closed_at:
        return event.status, bet.closed_cap, "under an earlier log, which holds for ever"
    decided = next((one.updated_at for one in known if one.status != "NEW"), None)
    limits = {event.deadline: "its deadline", decided: "the moment of its first result"}
    named = "the instant that the operator named"
    return event.status, event.closed_at, limits.get(event.closed_at, named)


def _limit_by_row(story: Story) -> str:
    bet = story.bet
    if bet.closed_at == story.row.deadline:
        return "its deadline"
    if story.followed.standalone:
        return "the moment of its first result"
    return "its first result, or an instant that the operator named"
