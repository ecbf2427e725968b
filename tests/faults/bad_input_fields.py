"""Requests of which one field, path parameter, query parameter or header is bad."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tests.faults import bad_input_values as values
from tests.faults.bad_input_case import (
    BATCH,
    BET,
    BET_ALIAS,
    CHANGE,
    CREATE,
    DECIDE,
    JSON,
    KNOWN,
    NAMELESS_BET,
    PUT,
    SETTLE,
    Case,
    Route,
    Service,
    bodies,
    gets,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_INVALID = (422, "invalid_request")
_PATHS: tuple[tuple[Service, str, str, str], ...] = (
    ("line", "GET", "/events/*", ""),
    ("line", "GET", "/events/*/history", ""),
    ("line", "PUT", "/events/*", PUT.body()),
    ("line", "PATCH", "/events/*", CHANGE.body()),
    ("line", "POST", "/events/*/result", DECIDE.body()),
    ("bets", "GET", "/events/*", ""),
    ("standalone", "PUT", "/events/*", SETTLE.body()),
)
_HEADER_KEYS: tuple[str | bytes, ...] = (
    *("", "k" * 65, "k" * 5000, "zq7x x", "zq7x\tx", "zq7x, x", "é".encode(), b"zq7x\xff"),
    *("\u0661".encode(), "zq7x\u2028".encode(), b"\xed\xa0\x80"),
)


def numbers() -> Iterator[Case]:
    """Amounts and coefficients."""
    yield from tokens(BET, "amount", values.AMOUNTS)
    yield from tokens(BET_ALIAS, "amount", values.AMOUNTS[::7])
    yield from tokens(NAMELESS_BET, "amount", values.AMOUNTS[3::7])
    yield from tokens(CREATE, "coefficient", (*values.COEFFICIENTS, "null"))
    for route in (PUT, CHANGE, BET):
        yield from tokens(route, "coefficient", values.FEW_COEFFICIENTS)
    yield from tokens(NAMELESS_BET, "coefficient", ["1.5"])
    for route, field in ((BET, "amount"), (CREATE, "coefficient"), (BET, "event_id")):
        texts = (route.body(**{field: token}) for token in values.NO_JSON_NUMBERS)
        yield from bodies(route, texts, 400, "malformed_json")


def identities() -> Iterator[Case]:
    """Ids in bodies and paths, keys in headers."""
    yield from tokens(CREATE, "event_id", values.IDS)
    yield from tokens(BET, "event_id", (*values.IDS, "null"))
    yield from tokens(NAMELESS_BET, "event_id", values.IDS[::3])
    for n, (to, method, path, body) in enumerate(_PATHS):
        for bad in values.PATH_IDS if n == 0 else values.PATH_IDS[n % 3 :: 3]:
            name, at = path.replace("*", bad[:30]), path.replace("*", bad)
            yield Case(name, to, method, at, *_INVALID, body.encode() or None)
    yield from gets("bets", "/bets/*", values.PATH_BET_IDS, *_INVALID)
    for key in _HEADER_KEYS:
        yield _keyed(BET, f"key {key[:20]!r}", ("Idempotency-Key", key))
    for route in (BET_ALIAS, NAMELESS_BET):
        yield _keyed(route, "key with a blank", ("Idempotency-Key", "zq7x x"))
    two = (("Idempotency-Key", "zq7x-1"), ("Idempotency-Key", "zq7x-2"))
    yield _keyed(BET, "two keys", *two)


def times() -> Iterator[Case]:
    """Deadlines and closing times; at creation also such as have passed."""
    yield from tokens(CREATE, "deadline", (*values.TIMES, *values.PAST))
    yield from tokens(PUT, "deadline", values.TIMES[::3])
    yield from tokens(CHANGE, "deadline", values.TIMES[1::3])
    yield from tokens(DECIDE, "closed_at", values.TIMES[2::3])
    asked = DECIDE.body(status='"NEW"', closed_at='"2090-08-01T18:00:00Z"')
    yield from bodies(DECIDE, [asked], *_INVALID)


def words() -> Iterator[Case]:
    """Names, reasons, statuses, yes and no."""
    yield from tokens(CREATE, "name", values.TEXTS)
    yield from tokens(PUT, "name", values.TEXTS[::2])
    yield from tokens(CHANGE, "name", values.TEXTS[1::2])
    yield from tokens(DECIDE, "reason", values.TEXTS)
    yield from tokens(DECIDE, "status", values.STATUSES)
    yield from tokens(SETTLE, "status", (*values.STATUSES, '"NEW"'))
    yield from tokens(DECIDE, "correction", values.NO_BOOLEANS)
    yield from tokens(BET, "accept", ('"zq7x"', '"EXACT"', '""', "31337", "true", "[]", "{}"))
    yield from tokens(BET, "accept", ('"exact"', '"better"'))  # without a coefficient


def queries() -> Iterator[Case]:
    """Limits, cursors, filters."""
    history = f"/events/{KNOWN}/history"
    yield from gets("line", "/events?limit=*", values.LIMITS, *_INVALID)
    yield from gets("bets", "/bets?limit=*", values.LIMITS[::2], *_INVALID)
    for path in ("/feed?wait=0&limit=*", f"{history}?limit=*"):
        yield from gets("line", path, values.LIMITS[1::4], *_INVALID)
    yield from gets("bets", "/events?limit=*", values.LIMITS[::4], *_INVALID)
    yield from gets("line", "/feed?wait=0&after=*", values.COUNTS, *_INVALID)
    yield from gets("line", f"{history}?cursor=*", values.COUNTS, *_INVALID)
    yield from gets("line", "/events?cursor=*", values.EVENT_CURSORS, *_INVALID)
    yield from gets("bets", "/events?cursor=*", values.EVENT_CURSORS[::2], *_INVALID)
    yield from gets("bets", "/bets?cursor=*", values.PATH_BET_IDS[::2], *_INVALID)
    yield from gets("bets", "/bets?placed_from=*", values.QUERY_TIMES, *_INVALID)
    yield from gets("bets", "/bets?placed_to=*", values.QUERY_TIMES[::3], *_INVALID)
    for n, name in enumerate(("from", "to")):
        yield from gets("bets", f"/report?{name}=*", values.QUERY_TIMES[n::2], *_INVALID)
    for n, path in enumerate(("/exposure", "/report")):
        yield from gets("bets", f"{path}?limit=*", values.LIMITS[n::4], *_INVALID)
        yield from gets("bets", f"{path}?cursor=*", values.PLACES, *_INVALID)
    yield from gets("line", "/feed?wait=0&at=*", values.QUERY_TIMES[1::3], *_INVALID)
    yield from gets("line", "/feed?wait=*", values.WAITS, *_INVALID)
    yield from gets("line", "/feed?wait=0&epoch=*", ("zq7x" * 17, "%00" * 65), *_INVALID)
    yield from gets("line", "/feed?wait=0&epoch=*", ("zq7x", "%00", ""), 409, "feed_changed")
    yield from gets("bets", "/bets?event_id=*", values.PATH_IDS[1::2], *_INVALID)
    statuses = ("zq7x", "new", "WON", "", "%00", "WIN%00")
    yield from gets("line", "/events?status=*", statuses, *_INVALID)
    yield from gets("bets", "/bets?status=*", ("zq7x", "won", "WIN", "", "%00"), *_INVALID)
    yield from gets("line", "/events?bettable=*", ("zq7x", "31337", "", "%00", "2"), *_INVALID)


def all_fields() -> Iterator[Case]:
    """All of this module's cases."""
    return chain(*(numbers(), identities(), times(), words(), queries()))


def bad_batch() -> list[str]:
    """Bets of a batch, each of them bad."""
    keyed = Route("bets", "POST", "/bets/batch", BET.fields)
    fields = (
        *(("amount", token) for token in values.AMOUNTS[::2]),
        *(("event_id", token) for token in values.IDS[::2]),
        *(("coefficient", token) for token in values.FEW_COEFFICIENTS),
        *(("key", token) for token in values.KEYS),
        *((name, '"zq7x"') for name in ("status", "payout", "user_id", "placed_at", "zq7x")),
    )
    shapes = ["null", "31337", '"zq7x"', "[]", "{}", "true", '["zq7x"]', BATCH.body()]
    return [keyed.body(**{name: token}) for name, token in fields] + shapes


def _keyed(route: Route, name: str, *headers: tuple[str, str | bytes]) -> Case:
    body = route.body().encode()
    return Case(name, route.to, route.method, route.path, *_INVALID, body, (JSON, *headers))
