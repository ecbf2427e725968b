"""What a case of bad input is, and how its request is written, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Body = bytes | tuple[bytes, ...] | None
"""A body; several chunks are sent without a length."""
Headers = tuple[tuple[str, str | bytes], ...]
Service = Literal["line", "bets", "standalone"]
MARKS = ("zq7x", "31337")
"""Put into bad values wherever they fit; no answer may hold one of them."""
JSON = ("Content-Type", "application/json")
KNOWN, FRESH = "open", "fresh"
"""The event that every service knows, and one that none knows."""
A_BET = "01890000-0000-7000-8000-00000000abcd"
"""A bet that nobody placed."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A call that writes, with the body that it would take."""

    to: Service
    method: str
    path: str
    fields: dict[str, str]

    def body(self, **instead: str) -> str:
        """The body with these fields' tokens instead of, or besides, the good ones."""
        members = self.fields | instead
        return "{" + ",".join(f'"{name}":{token}' for name, token in members.items()) + "}"


CREATE = Route("line", "POST", "/events", {"event_id": f'"{FRESH}"', "coefficient": "1.5"})
PUT = Route("line", "PUT", f"/events/{KNOWN}", {"coefficient": "2.5"})
CHANGE = Route("line", "PATCH", f"/events/{KNOWN}", {"coefficient": "2.5"})
DECIDE = Route("line", "POST", f"/events/{KNOWN}/result", {"status": '"WIN"'})
BET = Route("bets", "POST", "/bets", {"event_id": f'"{KNOWN}"', "amount": "10.5"})
BET_ALIAS = Route("bets", "POST", "/bet", BET.fields)
BATCH = Route("bets", "POST", "/bets/batch", {"bets": f"[{BET.body()}]"})
NAMELESS_BET = Route("standalone", "POST", "/bets", BET.fields)
SETTLE = Route("standalone", "PUT", f"/events/{KNOWN}", {"status": '"WIN"'})
ROUTES = (CREATE, PUT, CHANGE, DECIDE, BET, BET_ALIAS, BATCH, NAMELESS_BET, SETTLE)


@dataclass(frozen=True, slots=True)
class Case:
    """One request that must be refused, and how."""

    name: str
    to: Service
    method: str
    path: str
    status: int
    code: str
    body: Body = None
    headers: Headers = (JSON,)

    def __str__(self) -> str:
        """Its name among the tests."""
        return f"{self.method} {self.to} {self.name}"[:90]


def bodies(route: Route, texts: Iterable[str | bytes], status: int, code: str) -> Iterator[Case]:
    """These bodies, sent as they are."""
    for text in texts:
        body = text.encode() if isinstance(text, str) else text
        name = f"{route.path} {body[:50]!r}"
        yield Case(name, route.to, route.method, route.path, status, code, body)


def tokens(route: Route, name: str, values: Iterable[str]) -> Iterator[Case]:
    """These JSON tokens as the value of one field: 422."""
    texts = (route.body(**{name: value}) for value in values)
    for value, case in zip(values, bodies(route, texts, 422, "invalid_request"), strict=True):
        yield _named(case, f"{route.path} {name} {value[:40]}")


def gets(to: Service, path: str, values: Iterable[str], status: int, code: str) -> Iterator[Case]:
    """GETs of `path` with each value, percent-encoded already, in the place of `*`."""
    for value in values:
        name = path.replace("*", value[:40])
        yield Case(name, to, "GET", path.replace("*", value), status, code, headers=())


def _named(case: Case, name: str) -> Case:
    return Case(
        name, case.to, case.method, case.path, case.status, case.code, case.body, case.headers
    )
