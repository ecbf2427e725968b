"""Bets that are read the short way: never other than what the long way reads."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from stakeline.bet_maker.bodies import NewBet, Wanted
from stakeline.errors import MalformedJson
from stakeline.web.reading import value_of

PLAIN = b'{"event_id": "arsenal-chelsea", "amount": 10.50, "coefficient": 1.95}'

GOOD = ["10", "10.5", "10.50", "0.01", "999999999.99", "10000"]
BAD = ["1e1", "1E+1", "-1", "0", "-0", "00", "01", "10.505", "1.", ".5", "1000000000", "10000.01"]
numbers = st.sampled_from([*GOOD, *BAD, "NaN", "Infinity", "1e400"])
texts = st.one_of(
    numbers,
    st.sampled_from(
        ["e-1", "a:b", "a b", "\\u0061", "\\ud800", "\\u0000", "é", "", ".", "..", "a" * 65]
    ),
    st.sampled_from(["any", "exact", "better", "least", " 10 ", "1_0", "٣", "+1", '\\"', "\\\\"]),
).map(lambda text: f'"{text}"')
values = st.one_of(
    numbers, texts, st.sampled_from(["null", "true", "[]", "{}", '["10"]', '{"a":1}'])
)
names = st.sampled_from(["event_id", "amount", "coefficient", "accept", "key", "amo\\u0075nt", ""])
gaps = st.sampled_from(["", " ", "\n", "\t ", "\x0b", "\xa0"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Something like the JSON of a bet."""
    usual = {
        "event_id": draw(st.one_of(st.just('"e-1"'), values)),
        "amount": draw(st.one_of(numbers, values)),
        "coefficient": draw(st.one_of(numbers, values)),
        "accept": draw(st.one_of(st.sampled_from(['"any"', '"exact"', '"better"']), values)),
    }
    kept = draw(st.lists(st.sampled_from(sorted(usual)), min_size=1, unique=True))
    members = [(name, usual[name]) for name in kept]
    members += draw(st.lists(st.tuples(names, values), max_size=1))
    gap = draw(gaps)
    inner = ",".join(f'{gap}"{name}"{gap}:{value}' for name, value in members)
    end = draw(st.sampled_from(["}", "}", "}", "} ", "}}", "", ",}", "}\x00"]))
    return (draw(st.sampled_from(["{", "{", "{", " {", "\ufeff{", "[{"])) + inner + end).encode()


def said(wanted: Wanted) -> tuple[object, ...]:
    """What a bet's body says."""
    asked = (wanted.event_id, wanted.amount, wanted.coefficient, wanted.accept, wanted.accepts())
    return (*asked, *map(type, asked))


@given(bodies())
@example(PLAIN)
@example(PLAIN.replace(b"10.50", b'10.50, "amount": 1'))
@example(PLAIN.replace(b"10.50", b'"10.50"'))
@example(b'{"event_id":"a:b","amount":1,"amount":2}')
@example(b'{"event_id":"e","amount":1,"accept":null,"accept":"any"}')
@example(b'{"event_id":"e","amount":1,"coefficient":null,"coefficient":2}')
@example(b'{"event_id":"e","amount":1,"accept":"better"}')
@example(b'{"event_id":"\xff","amount":1}')
@example(b'{"event_id":"e","amount":' + b"[" * 5000)
def test_what_is_read_at_once_is_what_the_long_way_reads(body: bytes) -> None:
    """Whatever the body; and what the long way refuses is never read at once."""
    plain = NewBet.read_plain(body)
    if plain is None:
        return
    try:
        long = NewBet.model_validate(value_of(body))
    except (MalformedJson, ValidationError) as error:
        pytest.fail(f"it is no bet: {error}")
    assert said(plain) == said(long)


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        b'{"event_id":"e","amount":1}',
        b'{"amount":"1.5","event_id":"e","accept":"any"}',
        b' {"coefficient" : 2 ,\n"amount":3,"event_id":"e","accept":"better"}\n',
    ],
)
def test_usual_bets_are_read_at_once(body: bytes) -> None:
    """Or it would be for nothing."""
    plain = NewBet.read_plain(body)
    assert plain is not None
    assert said(plain) == said(NewBet.model_validate(value_of(body)))


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_id":7,"amount":1}',
        b'{"event_id":"e","amount":1,"coefficient":null}',
        b'{"event_id":"a:b","amount":1}',
        b'{"event_id":"e","amount":1,"accept":"better"}',
        b'{"event_id":"e","amount":1,"amount":1}',
        b'{"event_id":"e","amount":1,"key":"k"}',
        b"nothing",
    ],
)
def test_what_takes_a_closer_look_is_left_to_the_long_way(body: bytes) -> None:
    """It tells what is wrong, if anything is."""
    assert NewBet.read_plain(body) is None
