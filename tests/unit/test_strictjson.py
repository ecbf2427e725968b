"""Reading JSON that others wrote, and writing our own."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakeline import strictjson
from stakeline.errors import MalformedJson
from stakeline.strictjson import Number

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def nested(levels: int) -> bytes:
    """A list in a list in a list, so many levels deep."""
    return b"[" * levels + b"]" * levels


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with whole numbers in place of their text."""
    if isinstance(value, Number):
        return int(value.text)
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else value


@given(values)
@settings(deadline=None)
def test_any_json_value_is_read(value: object) -> None:
    """What a JSON writer writes is read as it was, in or out of ASCII."""
    for ascii_only in (True, False):
        written = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert plain(strictjson.loads(written)) == value


@pytest.mark.parametrize(
    "text", ["0", "-0", "1.50", "1e1000000", "-1E-9", "0.1000000000000000055", "9" * 5000]
)
def test_a_number_keeps_its_text(text: str) -> None:
    """No digit is lost, and none costs anything, before a rule has seen it."""
    number = strictjson.loads(text.encode())
    assert isinstance(number, Number)
    assert number.text == text


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"[1,]", b"{'a':1}", b"{a:1}", b'{"a":1,}', b"nul", b"True", b"1 2"),
        *(b"01", b"1.", b".5", b"+1", b"0x1", b"1_0", b'"a', b'"\n"', b'"\x00"', b"{}x", b"/**/1"),
        *(b"NaN", b"Infinity", b"-Infinity", b'{"a": NaN}', b"[1e5, -Infinity]"),
        *(b'{"a":1,"a":1}', b'{"a":1,"b":{"c":1,"c":2}}', b'{"a":1,"\\u0061":2}'),
        *(b"\xef\xbb\xbf{}", b"\xff", b'"\xc3"', b'"\xed\xa0\x80"', "{}".encode("utf-16")),
        *(b'"\\ud800"', b'["\\udc00\\ud800"]', b'{"\\ud800": 1}', b'{"a":{"b":["\\udfff"]}}'),
        *(nested(17), nested(1000), nested(100_000), b'{"a":' * 17 + b"1" + b"}" * 17),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    """Broken syntax, doubled keys, NaN, bad Unicode and depth are all `malformed_json`."""
    with pytest.raises(MalformedJson) as refusal:
        strictjson.loads(body)
    assert refusal.value.status == 400


def test_sixteen_levels_are_not_too_deep() -> None:
    """Sixteen levels are read."""
    assert strictjson.loads(nested(16)) is not None


def test_a_surrogate_pair_is_one_character() -> None:
    """Both halves of a pair together are well formed."""
    assert strictjson.loads(b'"\\ud83c\\udfc6"') == "\N{TROPHY}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("20.48"), b"20.48"),
        (Decimal("2.00"), b"2.00"),
        ({"a": [1, None, True, "é"]}, '{"a":[1,null,true,"é"]}'.encode()),
        (strictjson.Raw(b'{"as":"is"}'), b'{"as":"is"}'),
    ],
)
def test_values_are_written_digit_for_digit(value: object, written: bytes) -> None:
    """A Decimal becomes a number with all its digits, raw JSON stays as it is."""
    assert strictjson.dumps(value) == written
