"""The errors a caller of either service can get: one class a code, its docstring the message.

Every class is an RFC 9457 problem: `status` is the HTTP status, `code` the stable word for
programs. Raise one with keyword arguments to add members to the problem, for example
`PriceChanged(coefficient=...)`, and with a sentence to be more exact than the docstring.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class Problem(Exception):
    """The request could not be carried out."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    retry_after_s: int | None = None

    def __init__(self, detail: str | None = None, **members: object) -> None:
        self.detail = detail or type(self).__doc__ or self.code
        self.members = members
        super().__init__(self.detail)

    @property
    def cause(self) -> str:
        """What it came of, in one line for the log; the text alone may be empty, or many lines."""
        name, text = type(self.__cause__).__name__, str(self.__cause__).partition("\n")[0]
        return f"{name}: {text}" if text else name

    def body(self) -> dict[str, Any]:
        """The problem as RFC 9457 lays it out: type, title, status, code, detail, own members."""
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }


class BadRequest(Problem):
    """The request is not one that HTTP allows."""

    status, code = HTTPStatus.BAD_REQUEST, "bad_request"


class MalformedJson(Problem):
    """The body is not one well-formed JSON value in UTF-8."""

    status, code = HTTPStatus.BAD_REQUEST, "malformed_json"


class Unauthenticated(Problem):
    """This wants a caller that is known: Authorization: Bearer, with a token that is in force."""

    status, code = HTTPStatus.UNAUTHORIZED, "unauthenticated"


class Forbidden(Problem):
    """The caller is known, but may not do this."""

    status, code = HTTPStatus.FORBIDDEN, "forbidden"


class NotFound(Problem):
    """There is nothing at this address."""

    status, code = HTTPStatus.NOT_FOUND, "not_found"


class EventNotFound(Problem):
    """No event with this id is known here."""

    status, code = HTTPStatus.NOT_FOUND, "event_not_found"


class BetNotFound(Problem):
    """No bet with this id is known here."""

    status, code = HTTPStatus.NOT_FOUND, "bet_not_found"


class UserNotFound(Problem):
    """There is no user with this id."""

    status, code = HTTPStatus.NOT_FOUND, "user_not_found"


class MethodNotAllowed(Problem):
    """This address does not take this method; Allow lists those it takes."""

    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"


class Conflict(Problem):
    """The request does not fit the state of things."""

    status, code = HTTPStatus.CONFLICT, "conflict"


class EventExists(Conflict):
    """Another event already has this id."""

    code = "event_exists"


class AlreadyDecided(Conflict):
    """The event has a result: another one needs "correction": true, its terms are fixed."""

    code = "already_decided"


class BettingClosed(Conflict):
    """Bets on this event are no longer taken."""

    code = "betting_closed"


class PriceChanged(Conflict):
    """The coefficient is no longer the one asked for."""

    code = "price_changed"


class UserExists(Conflict):
    """Another user already has this name."""

    code = "user_exists"


class LimitExceeded(Conflict):
    """The bet goes beyond the limit that is named; `largest_amount` would have been taken."""

    code = "limit_exceeded"


class NotStandalone(Conflict):
    """Results come from line-provider here; only a standalone bet-maker takes them."""

    code = "not_standalone"


class FeedChanged(Conflict):
    """This log has no such item: it is another log, or was restored from an older state."""

    code = "feed_changed"


class StaleVersion(Problem):
    """The event has changed since the version in If-Match."""

    status, code = HTTPStatus.PRECONDITION_FAILED, "stale_version"


class RequestTimeout(Problem):
    """The request did not arrive within 10 s; nothing was done."""

    status, code = HTTPStatus.REQUEST_TIMEOUT, "request_timeout"


class UriTooLong(Problem):
    """The address is longer than 8 KiB."""

    status, code = HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long"


class HeadersTooLarge(Problem):
    """The headers are larger than 16 KiB altogether."""

    status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"


class TooLarge(Problem):
    """The body is larger than this address takes."""

    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"


class UnsupportedMediaType(Problem):
    """The body must be JSON, sent with Content-Type: application/json."""

    status, code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"


class InvalidRequest(Problem):
    """Some fields do not hold what they must; `errors` lists each with the reason."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request"

    @classmethod
    def of(cls, field: str, reason: str) -> InvalidRequest:
        """The problem of one field."""
        return cls(errors=[{"field": field, "reason": reason}])


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was already used for a different bet."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"


class TooManyRequests(Problem):
    """Too many of these came in too short a time; Retry-After says when the next may."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


class Internal(Problem):
    """Something went wrong here; the log has the details under this request's id."""


class Unavailable(Problem):
    """The database cannot be reached or written just now; repeat the request with its key."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"
    retry_after_s = 1


class FeedStale(Problem):
    """The line has not been heard recently enough to take bets on it."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "feed_stale"
    retry_after_s = 1


class Overloaded(Problem):
    """Too much waits already; nothing of this request was taken."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"
    retry_after_s = 1
