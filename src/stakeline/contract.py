"""What crosses between the two services: an event's body, feed items, feed pages and the snapshot.

line-provider writes them, bet-maker reads them as strictly as it reads its users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from stakeline import clock, fields, ids, money, strictjson

FEED_VERSION = 1
EventStatus = Literal["NEW", "WIN", "LOSE", "VOID"]
STATUSES: tuple[str, ...] = get_args(EventStatus)


class Event(BaseModel):
    """An event as both services show it; times in microseconds, coefficient in hundredths.

    Fields that a later release may add are passed over, so that old and new run side by side.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: fields.EventId
    name: fields.LineOfText | None = None
    coefficient: fields.Coefficient
    deadline: fields.Instant
    status: EventStatus
    closed_at: fields.Instant
    version: fields.Count
    created_at: fields.Instant
    updated_at: fields.Instant


def event_body(event: Any) -> dict[str, Any]:  # noqa: ANN401 - an `Event`, or a row like it
    """The event as JSON shows it: times as text, the coefficient as an exact number.

    Anything with the attributes of an `Event` will do. A standalone bet-maker knows no
    coefficient and no deadline: null.
    """
    known = event.coefficient is not None
    return {
        "event_id": event.event_id,
        "name": event.name,
        "coefficient": money.decimal(event.coefficient) if known else None,
        "deadline": clock.text(event.deadline) if event.deadline is not None else None,
        "status": event.status,
        "closed_at": clock.text(event.closed_at) if event.closed_at < clock.LATEST else None,
        "version": event.version,
        "created_at": clock.text(event.created_at),
        "updated_at": clock.text(event.updated_at),
    }


class UnreadableItem(ValueError):
    """The feed holds something that this release cannot read and must not skip."""


class Cursor(NamedTuple):
    """A place in a log: the item at `seq` of `epoch`, which was written at `at`."""

    epoch: str
    seq: int
    at: int


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One change of the line; `event` is None where only its id could be read."""

    seq: int
    at: int
    event_id: str
    event: Event | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One answer of the feed; `received_at` is line-provider's time when it got the request.

    `nonce` is the request's own, so that no other one's answer is taken for it; None without one.
    """

    epoch: str
    head: int
    received_at: int
    items: list[FeedItem]
    nonce: str | None = None


class _Item(BaseModel):
    v: fields.Count
    epoch: str
    seq: fields.Count
    at: fields.Instant
    event: dict[str, Any]


class _Page(BaseModel):
    epoch: str
    head: fields.Count
    received_at: fields.Instant
    items: list[_Item]
    nonce: str | None = None


class _Top(BaseModel):
    epoch: str
    seq: fields.Count
    at: fields.Instant
    received_at: fields.Instant


def read_page(data: bytes) -> FeedPage:
    """The feed page in an answer's body.

    Raises:
        UnreadableItem: an unknown version, an unreadable item: nothing of the page may be applied.
        MalformedJson: not JSON.
    """
    try:
        page = _Page.model_validate(strictjson.loads(data))
        items = [_read_item(item, page.epoch) for item in page.items]
    except ValidationError as error:
        raise UnreadableItem(f"unreadable feed: {_where(error)}") from None
    return FeedPage(page.epoch, page.head, page.received_at, items, page.nonce)


def _read_item(item: _Item, epoch: str) -> FeedItem:
    if item.v != FEED_VERSION:
        raise UnreadableItem(f"feed item {item.seq} is of version {item.v}, not {FEED_VERSION}")
    if item.epoch != epoch:
        raise UnreadableItem(f"feed item {item.seq} is of another epoch than its page")
    event_id, event = _read_event(item.event)
    return FeedItem(item.seq, item.at, event_id, event)


def read_snapshot_top(line: bytes) -> tuple[Cursor, int]:
    """The first line of a snapshot: the cursor to go on from, and line-provider's time then.

    Raises:
        UnreadableItem: not such a line.
    """
    try:
        top = _Top.model_validate(strictjson.loads(line))
    except ValidationError as error:
        raise UnreadableItem(f"unreadable snapshot: {_where(error)}") from None
    return Cursor(top.epoch, top.seq, top.at), top.received_at


def read_snapshot_event(line: bytes) -> tuple[str, Event | None]:
    """One further line of a snapshot: the event's id, and the event where it could be read.

    Raises:
        UnreadableItem: not even the id could be read.
    """
    event = strictjson.loads(line)
    return _read_event(event if isinstance(event, dict) else {})


def _read_event(raw: dict[str, Any]) -> tuple[str, Event | None]:
    try:
        event = Event.model_validate(raw)
    except ValidationError:
        try:
            return ids.parse_event_id(raw["event_id"]), None
        except (KeyError, TypeError, ValueError):
            raise UnreadableItem("an event came without a readable id") from None
    return event.event_id, event


def _where(error: ValidationError) -> str:
    return ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
