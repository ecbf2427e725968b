"""The errors: stable codes, with the status and the words that go with them."""

from __future__ import annotations

import pytest

from stakeline import errors
from stakeline.errors import Problem, TooManyRequests

CODES = {
    400: {"malformed_json", "bad_request"},
    401: {"unauthenticated"},
    403: {"forbidden"},
    404: {"not_found", "event_not_found", "bet_not_found", "user_not_found"},
    405: {"method_not_allowed"},
    409: {
        *("event_exists", "already_decided", "betting_closed", "price_changed"),
        *("not_standalone", "feed_changed", "limit_exceeded", "user_exists"),
    },
    408: {"request_timeout"},
    412: {"stale_version"},
    413: {"too_large"},
    414: {"uri_too_long"},
    415: {"unsupported_media_type"},
    422: {"invalid_request", "idempotency_key_reused"},
    429: {"too_many_requests"},
    431: {"headers_too_large"},
    500: {"internal"},
    503: {"feed_stale", "overloaded", "unavailable"},
}
RAISED = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and not kind.__subclasses__()
]


def test_the_codes_are_those_of_the_contract() -> None:
    """Every code has the status that the contract gives it."""
    found: dict[int, set[str]] = {}
    for kind in RAISED:
        found.setdefault(int(kind.status), set()).add(kind.code)
    assert found == CODES


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.code)
def test_an_error_is_a_problem_in_a_sentence(kind: type[Problem]) -> None:
    """The body is RFC 9457's, its detail the docstring; 503 and 429 say when to come back."""
    problem = TooManyRequests(7) if issubclass(kind, TooManyRequests) else kind()
    assert problem.body() == {
        "type": "about:blank",
        "title": kind.status.phrase,
        "status": int(kind.status),
        "code": kind.code,
        "detail": kind.__doc__,
    }
    assert str(problem) == kind.__doc__
    assert (problem.retry_after_s is not None) == (kind.status in {429, 503})


def test_a_problem_may_say_more() -> None:
    """A sentence of its own, and members of its own."""
    body = errors.PriceChanged("It went up.", coefficient=2).body()
    assert (body["detail"], body["coefficient"]) == ("It went up.", 2)


def test_the_problem_of_one_field_names_it() -> None:
    """`of` makes the list that `invalid_request` carries."""
    body = errors.InvalidRequest.of("query.limit", "must be less").body()
    assert body["errors"] == [{"field": "query.limit", "reason": "must be less"}]
