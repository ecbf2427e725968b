"""Requests that are bad before their values are looked at: syntax, shape, size, type, method."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tests.faults.bad_input_case import (
    A_BET,
    BATCH,
    BET,
    BET_ALIAS,
    CHANGE,
    CREATE,
    DECIDE,
    JSON,
    KNOWN,
    PUT,
    ROUTES,
    SETTLE,
    Case,
    Route,
    Service,
    bodies,
    gets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1024

_DEEP_17 = "[" * 17 + "]" * 17
_NO_JSON: tuple[str | bytes, ...] = (
    *("", " ", "{", "}", '{"zq7x":', '{"zq7x":1', "zq7x", '{"zq7x"}', "{zq7x:1}", "{'zq7x':1}"),
    *('{"zq7x":1,}', "[1,]", "{} zq7x", "{}{}", "{},", "{}\0", "// zq7x\n{}", '{"a":/**/1}'),
    *('"zq7x', '"\\x41"', '"\\u12"', '"zq7x\n"', '"zq7x\0"', '{"a":NaN}', "Infinity"),
    *('{"a":-Infinity}', '{"a":1,"a":1}', '{"b":{"zq7x":1,"zq7x":2}}', '{"a":1,"\\u0061":2}'),
    *('"\\ud800"', '{"zq7x":"\\udc00\\ud800"}', '{"\\udfff":1}', '["\\ud83dzq7x"]'),
    *(_DEEP_17, f'{{"zq7x":{_DEEP_17}}}', '{"a":' * 17 + "1" + "}" * 17),
    *("[" * 8000 + "]" * 8000, "[" * 16000, '{"a":' * 3000, '{"a":[' * 2000),
    *(b"\xff", b'{"zq7x":"\xff"}', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}"),
    *("{}".encode("utf-16"), "{}".encode("utf-32-le"), b"\x1f\x8b\x08\x00zq7x", b"\x00"),
)
_NO_OBJECT = ("[]", "[{}]", '"zq7x"', '""', "31337", "1.5", "-1", "true", "false", "null")
_UNKNOWN: tuple[tuple[Route, tuple[str, ...]], ...] = (
    (CREATE, ("status", "decided_at", "closed_at", "version", "created_at", "seq", "epoch", "by")),
    (PUT, ("status", "result", "closed_at", "version", "event_id", "updated_at", "bets", "zq7x")),
    (CHANGE, ("status", "result", "decided_at", "version", "event_id", "epoch", "Name", "zq7x")),
    (DECIDE, ("coefficient", "deadline", "decided_at", "version", "by", "Status", "zq7x")),
    (BET, ("status", "payout", "potential_payout", "user_id", "placed_at", "bet_id", "key")),
    (BET, ("event_version", "feed_seq", "fix_at", "zq7x", "__proto__", "Amount", "amount ", "")),
    (BET_ALIAS, ("status", "payout", "user_id", "placed_at", "constructor")),
    (BATCH, ("status", "user_id", "placed_at", "key", "zq7x")),
    (SETTLE, ("closed_at", "correction", "reason", "version", "coefficient", "zq7x")),
)
_MEDIA_TYPES = (
    *("", "json", "zq7x/zq7x", "text/plain", "text/json", "application/x-www-form-urlencoded"),
    *("multipart/form-data; boundary=zq7x", "application/problem+json", "application/jsonp"),
    *("application/x-ndjson", "application", "application/json/zq7x", "*/*"),
)
_ALLOW: dict[Service, dict[str, str]] = {
    "line": {
        "/events": "GET, POST",
        f"/events/{KNOWN}": "GET, PATCH, PUT",
        f"/events/{KNOWN}/result": "POST",
        f"/events/{KNOWN}/history": "GET",
        "/feed": "GET",
        "/feed/snapshot": "GET",
        "/healthz": "GET",
        "/readyz": "GET",
        "/metrics": "GET",
        "/docs": "GET",
        "/openapi.json": "GET",
        "/docs/assets/swagger-ui.css": "GET",
    },
    "bets": {
        "/events": "GET",
        f"/events/{KNOWN}": "GET, PUT",
        "/bets": "GET, POST",
        "/bet": "POST",
        f"/bets/{A_BET}": "GET",
        "/bets/batch": "POST",
        "/exposure": "GET",
        "/report": "GET",
        "/metrics": "GET",
    },
}
_NOWHERE: dict[Service, tuple[str, ...]] = {
    "line": (
        *("/", "/zq7x", "/v1/events", "/EVENTS", f"/events/{KNOWN}/zq7x"),
        *(f"/events/{KNOWN}/result/x", "/feed/zq7x", "/feed/snapshot/x", "/.env", "/%2e%2e/zq7x"),
        *("/docs/assets/zq7x.js", "/docs/assets/%2e%2e/%2e%2e/zq7x", "/bets", "/%00", "/%FFzq7x"),
        *("/events/zq7x%2Fx", "/docs/assets/%00", "/docs/assets", "/" + "zq7x" * 1000),
    ),
    "bets": ("/", "/zq7x", "/bets/a/zq7x", "/feed", "/bets//x", "/events/a/result", "/token/zq7x"),
}


def syntax() -> Iterator[Case]:
    """What is no JSON: all of it on the two creating calls, some on each other one."""
    for route in ROUTES:
        texts = _NO_JSON if route in (CREATE, BET) else _NO_JSON[ROUTES.index(route) :: 9]
        yield from bodies(route, texts, 400, "malformed_json")
    levels = 100_000
    deep = ("[" * levels + "]" * levels, "[" * levels, '{"bets":' + "[" * levels + "]" * levels)
    yield from bodies(BATCH, (*deep, f"{deep[2]}}}"), 400, "malformed_json")


def shapes() -> Iterator[Case]:
    """JSON, but not the object that is due."""
    for route in ROUTES:
        some = _NO_OBJECT if route in (PUT, CHANGE, BET) else _NO_OBJECT[::3]
        yield from bodies(route, some, 422, "invalid_request")
        if route not in (PUT, CHANGE):  # those take an empty object: nothing is to change
            yield from bodies(route, ["{}"], 422, "invalid_request")
    lists = ("null", "{}", '"zq7x"', "31337", "[]", f"[{','.join(['1'] * 1001)}]")
    yield from bodies(BATCH, [f'{{"bets":{value}}}' for value in lists], 422, "invalid_request")


def unknown_fields() -> Iterator[Case]:
    """Fields that are not the caller's to set, beside good ones."""
    for route, names in _UNKNOWN:
        texts = [route.body(**{name: '"zq7x"'}) for name in names]
        yield from bodies(route, texts, 422, "invalid_request")


def sizes() -> Iterator[Case]:
    """Good bodies, padded with blanks: one byte too long, or longer without saying so."""
    for route in ROUTES:
        most = 256 * KIB if route is BATCH else 16 * KIB
        body = route.body().encode()
        long, chunk = body.ljust(most + 1), b" " * 4 * KIB
        path, to, method = route.path, route.to, route.method
        yield Case(f"{path} one byte over", to, method, path, 413, "too_large", long)
        chunks = (body, *[chunk] * (most // len(chunk) + 8))
        yield Case(f"{path} chunked", to, method, path, 413, "too_large", chunks)
        bad = route.body(zq7x="1").encode().ljust(most)
        yield Case(f"{path} just fits", to, method, path, 422, "invalid_request", bad)


def media_types() -> Iterator[Case]:
    """Good bodies under another name."""
    for route in ROUTES:
        body = route.body().encode()
        some = _MEDIA_TYPES if route in (CREATE, BET) else _MEDIA_TYPES[:3]
        for headers in ((), *((("Content-Type", media_type),) for media_type in some)):
            name = f"{route.path} {headers[0][1] if headers else 'no media type'}"
            code = "unsupported_media_type"
            yield Case(name, route.to, route.method, route.path, 415, code, body, headers)


def methods() -> Iterator[Case]:
    """Methods that an address does not take."""
    for service, paths in _ALLOW.items():
        for path, allow in paths.items():
            for method in sorted({"DELETE", "PATCH", "POST", "PUT"} - set(allow.split(", "))):
                name = f"{path} takes {allow}"
                yield Case(name, service, method, path, 405, "method_not_allowed", b"{}", (JSON,))


def allowed(case: Case) -> str:
    """What `Allow` must say to a case of `methods`."""
    return _ALLOW[case.to][case.path]


def nowhere() -> Iterator[Case]:
    """Addresses where there is nothing, and ids that nobody has."""
    for service, paths in _NOWHERE.items():
        yield from gets(service, "*", paths, 404, "not_found")
    yield from gets("line", "/events/*", ("zq7x", "zq7x/history", "31337"), 404, "event_not_found")
    yield from gets("bets", "/events/*", ("zq7x", "31337", "zq7x:x"), 404, "event_not_found")
    yield from gets("bets", "/bets/*", (A_BET, A_BET.upper()), 404, "bet_not_found")
    for route in (CHANGE, DECIDE):
        other = Route("line", route.method, route.path.replace(KNOWN, "zq7x"), route.fields)
        yield from bodies(other, [other.body()], 404, "event_not_found")
    for route in (BET, BET_ALIAS):
        yield from bodies(route, [route.body(event_id='"zq7x"')], 404, "event_not_found")


def all_requests() -> Iterator[Case]:
    """All of this module's cases."""
    return chain(
        *(syntax(), shapes(), unknown_fields(), sizes(), media_types(), methods(), nowhere())
    )
