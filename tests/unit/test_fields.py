"""The fields of bodies and queries: what each takes, in which unit it ends."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stakeline import clock, fields, ids
from stakeline.strictjson import Number

EIGHTEEN = 1_785_607_200_000_000


def read(field: Any, value: object) -> Any:  # noqa: ANN401 - fields differ
    """What the field makes of a value that `strictjson` read."""
    return TypeAdapter[Any](field).validate_python(value)


@pytest.mark.parametrize(
    ("field", "value", "result"),
    [
        (fields.Amount, Number("10.5"), 1050),
        (fields.Amount, "10.50", 1050),
        (fields.Amount, Number("999999999.99"), 99_999_999_999),
        (fields.Coefficient, Number("1.95"), 195),
        (fields.Coefficient, "10000", 1_000_000),
        (fields.EventId, "a:b", "a:b"),
        (fields.EventId, Number("0"), "0"),
        (fields.EventId, Number("9223372036854775807"), "9223372036854775807"),
        (fields.EventId, "007", "007"),
        (fields.Instant, "2026-08-01T18:00:00Z", EIGHTEEN),
        (fields.Instant, Number("1785607200"), EIGHTEEN),
        (fields.InstantInQuery, "2026-08-01T18:00:00Z", EIGHTEEN),
        (fields.InstantInQuery, "1785607200", EIGHTEEN),
        (fields.LineOfText, "Arsenal v Chelsea", "Arsenal v Chelsea"),
        (fields.LineOfText, "e\u0301", "\u00e9"),
        (fields.LineOfText, "\N{TROPHY}" * 200, "\N{TROPHY}" * 200),
        (fields.LineOfText, "e\u0301" * 200, "\u00e9" * 200),
        (fields.Limit, "1", 1),
        (fields.Limit, "1000", 1000),
        (fields.Count, "0", 0),
        (fields.Count, Number("9223372036854775807"), 2**63 - 1),
    ],
)
def test_a_field_ends_in_its_unit(field: object, value: object, result: object) -> None:
    """Hundredths, microseconds, text: each field gives what the ground floor counts in."""
    assert read(field, value) == result


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (fields.Amount, [Number("0"), Number("1e2"), Number("1000000000"), "1 ", 10, 1.5, b"1"]),
        (fields.Coefficient, [Number("10000.01"), Number("-1"), "0", "", 2]),
        (fields.EventId, [Number("-1"), Number("1.0"), Number("9223372036854775808"), "a b", 1]),
        (fields.Instant, [Number("1785607200.5"), Number("1e9"), "1785607200", "2026-08-01", 1]),
        (fields.InstantInQuery, ["", "now", "17856072", "\u0661\u0661", "1785607200000"]),
        (
            fields.LineOfText,
            ["", "x" * 201, "a\nb", "a\x00", "\x7f", "\x85", "\u2028", "\u2029", Number("1")],
        ),
        (fields.Limit, ["0", "1001", "-1", "1.0", "ten", ""]),
        (fields.Count, ["-1", "9223372036854775808", "1e3", Number("1.0")]),
    ],
)
def test_a_field_refuses_what_it_does_not_mean(field: object, values: list[Any]) -> None:
    """Every refusal is a rule that begins with "must be"."""
    if field is not fields.InstantInQuery:  # a query is text
        values = [*values, None, True, [], {}]
    for value in values:
        with pytest.raises(ValidationError) as refusal:
            read(field, value)
        assert str(refusal.value.errors()[0]["ctx"]["error"]).startswith("must be "), value


def test_a_body_refuses_unknown_fields() -> None:
    """A field that a body does not have is an error, not passed over."""

    class Stake(fields.Body):
        amount: fields.Amount

    assert Stake.model_validate({"amount": "1"}).amount == 100
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Stake.model_validate({"amount": "1", "payout": "2"})


NUMBER = {"type": "number", "multipleOf": 0.01, "minimum": 0.01}


@pytest.mark.parametrize(
    ("field", "shown", "taken_too"),
    [
        (fields.Amount, NUMBER, "string"),
        (fields.Coefficient, NUMBER | {"maximum": 10_000}, "string"),
        (fields.EventId, {"type": "string", "pattern": f"^({fields.EVENT_ID})$"}, "integer"),
        (fields.Instant, {"type": "string", "format": "date-time"}, "integer"),
        (fields.Limit, {"type": "integer", "minimum": 1, "maximum": 1000}, None),
    ],
)
def test_a_field_says_in_the_docs_what_it_takes(
    field: Any,  # noqa: ANN401 - fields differ
    shown: dict[str, Any],
    taken_too: str | None,
) -> None:
    """Its schema carries its bounds; answers hold the first form, and requests may the others."""
    adapter = TypeAdapter[Any](field)
    assert shown.items() <= adapter.json_schema(mode="serialization").items()
    taken = adapter.json_schema()
    forms = taken.get("anyOf", [taken])
    assert shown.items() <= forms[0].items()
    assert [form["type"] for form in forms[1:]] == ([taken_too] if taken_too else [])


@given(st.from_regex(r"[.]{0,3}[A-Za-z0-9._:-]{0,64}", fullmatch=True))
@settings(deadline=None)
def test_the_pattern_of_ids_in_the_docs_is_the_rule(text: str) -> None:
    """What the documents admit as an event's id is what is taken, dots included."""
    try:
        taken = ids.parse_event_id(text) == text
    except ValueError:
        taken = False
    assert taken == bool(re.fullmatch(fields.EVENT_ID, text))


@given(
    st.datetimes(datetime(1999, 12, 30), datetime(2100, 1, 3)),  # noqa: DTZ001 - in many zones
    st.integers(-24 * 60 + 1, 24 * 60 - 1),
)
@example(datetime(2000, 1, 1, 2, 3), 3 * 60)  # noqa: DTZ001
@example(datetime(2099, 12, 31, 23, 30), -60)  # noqa: DTZ001
@settings(deadline=None)
def test_the_pattern_of_times_in_the_docs_admits_none_that_is_refused(
    at: datetime, offset_minutes: int
) -> None:
    """Whichever zone it is told in, near the ends of what is taken as well."""
    text = at.replace(tzinfo=timezone(timedelta(minutes=offset_minutes))).isoformat()
    if re.search(fields.YEARS, text):
        assert clock.parse_instant(text) // clock.US_PER_S
