"""The fields of bodies and queries: what each takes, in which unit it ends."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from stakeline import fields
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


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        (fields.Amount, {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0}),
        (fields.Coefficient, {"type": "number", "maximum": 10_000}),
        (fields.EventId, {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"}),
        (fields.Instant, {"type": "string", "format": "date-time"}),
        (fields.Limit, {"type": "integer", "minimum": 1, "maximum": 1000}),
    ],
)
def test_a_field_says_in_the_docs_what_it_takes(field: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401 - fields differ
    """The schema of a field carries its bounds."""
    assert schema.items() <= TypeAdapter[Any](field).json_schema().items()
