"""What a check may complain of all the same: each case as narrow as it can be told, and its reason.

Everything else that schemathesis finds is a fault of the service or of its document.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemathesis import Case, Response
    from schemathesis.core.failures import Failure

_IF_MATCH = "no schema says which version an event has: If-Match with another one is 412"
_PAST = "no schema says what time it is: a deadline that has passed is 422"
_EACH_BET = "a batch is answered with 200, and each bet in it with its own problem"
_KEY_REUSED = "no schema says which keys were used: one used for another bet is 422"

_WHOLE = (
    "numbers are read as they are written: JSON Schema has 5.0 for a whole number, the contract not"
)

_NOT_SENT = (
    "a value such as [] leaves nothing of its parameter in the URL, so nothing wrong was sent"
)
_SPARED = "hooks.py put another user in the place of the one who asks"
NOBODY = "900000000000000000"
"""Whom hooks.py puts there: a user whom there is not."""
_NOT_YOURS = "no schema says what one's password is"
_GUESSED = "no schema lists the passwords that are easily guessed"


def _refused(code: str) -> Callable[[Case[Any], Response], bool]:
    return lambda _, response: _body(response).get("code") == code


def _only_field(field: str, reason: str) -> Callable[[Case[Any], Response], bool]:
    wrong = [{"field": field, "reason": reason}]
    return lambda _, response: _body(response).get("errors") == wrong


def _whole_with_a_point(case: Case[Any], response: Response) -> bool:
    reasons = {error["reason"] for error in _body(response).get("errors", [])}
    return all(reason.startswith("must be") and "whole" in reason for reason in reasons) and (
        re.search(r"\d\.0\b", json.dumps(case.body)) is not None
    )


def _not_sent(case: Case[Any], response: Response) -> bool:
    sent = parse_qs(urlsplit(str(response.request.url)).query, keep_blank_values=True)
    return bool((case.query or {}).keys() - sent.keys())


def _spared(case: Case[Any], _: Response) -> bool:
    return (case.path_parameters or {}).get("user_id") == NOBODY


def _bet_refused(_: Case[Any], response: Response) -> bool:
    return any(answer["status"] == 422 for answer in _body(response).get("results", []))


EXCEPTIONS: list[tuple[str, type[Failure], str, Callable[[Case[Any], Response], bool]]] = [
    (_IF_MATCH, RejectedPositiveData, "P* /events/*", _refused("stale_version")),
    (
        _PAST,
        RejectedPositiveData,
        "POST /events",
        _only_field("body.deadline", "must be ahead of now"),
    ),
    (_EACH_BET, AcceptedNegativeData, "POST /bets/batch", _bet_refused),
    (_NOT_SENT, AcceptedNegativeData, "GET *", _not_sent),
    (_SPARED, EnsureResourceAvailability, "* /users/*", _spared),
    (_WHOLE, RejectedPositiveData, "P*", _whole_with_a_point),
    (
        _GUESSED,
        RejectedPositiveData,
        "P* /users*",
        _only_field("body.password", "must not be one that is easily guessed"),
    ),
    (
        _NOT_YOURS,
        RejectedPositiveData,
        "PATCH /users/me",
        _only_field("body.current_password", "is not yours"),
    ),
    (_KEY_REUSED, RejectedPositiveData, "POST /bet*", _refused("idempotency_key_reused")),
]
"""The reason, what the check found, the operations' pattern, and how the answer is told."""


def reason_for(failure: Failure, case: Case[Any], response: Response) -> str | None:
    """Why this finding is no fault; None if it is one."""
    for reason, kind, operation, told in EXCEPTIONS:
        if (
            isinstance(failure, kind)
            and fnmatchcase(case.operation.label, operation)
            and told(case, response)
        ):
            return reason
    return None


def _body(response: Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
