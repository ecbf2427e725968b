"""The headers by which every answer tells browsers to be careful with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import Scope

Headers = tuple[tuple[bytes, bytes], ...]
BY_NAME = "stakeline.headers"
"""In the scope: the request's headers by their names, of equal ones the last."""

_POLICY = b"content-security-policy"
_ALL: Headers = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_PAGE: Headers = (*_ALL, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))
_TLS: Headers = ((b"strict-transport-security", b"max-age=31536000"),)


def given(scope: Scope, name: bytes) -> Sequence[str]:
    """The values of a request's headers of this name, which is in lower case."""
    last: dict[bytes, bytes] | None = scope.get(BY_NAME)
    if last is None:  # made once, since five things are asked of them
        last = scope[BY_NAME] = dict(scope["headers"])
    if name not in last:
        return ()
    if len(last) == len(scope["headers"]):  # each is there once
        return (last[name].decode("latin-1"),)
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent."""
    return b"".join(b"%b: %b\r\n" % each for each in headers)


def security(own: Iterable[tuple[bytes, bytes]] = (), *, over_tls: bool = False) -> Headers:
    """What is added to an answer, so that no browser makes a page of it, or shows it in another's.

    Args:
        own: the answer's headers: a page has a Content-Security-Policy of its own.
        over_tls: whether the client came by https, and had better do so for the next year, too.
    """
    added = _NO_PAGE
    for name, _ in own:
        if name == _POLICY:
            added = _ALL
    return added + _TLS if over_tls else added
