"""Secrets that are none: known samples are told from random ones, in no time."""

from __future__ import annotations

import base64
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakeline.samples import is_known

KNOWN = (
    "secret-variable",
    "qwertyytrewq",
    "guest",
    "changeme",
    "ChangeMe!",
    "change-me-change-me-change-me-change-me",
    "qwertyytrewqqwertyytrewqqwertyytrewq",
    "secret-variable-secret-variable-secret",
    "00000000000000000000000000000000",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0123456789abcdef0123456789abcdef",
    "deadbeefdeadbeefdeadbeefdeadbeefdead",
    "abcdefghijklmnopqrstuvwxyzabcdef",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "x7Kdx7Kdx7Kdx7Kdx7Kdx7Kdx7Kdx7Kdx",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "super-secret-key-change-in-production",
    "my-super-secret-jwt-key-for-development-only",
    "your_secret_key_here_change_this_in_production",
    "Password1234!",
    "correcthorsebatterystaple",
    "12345678901234567890123456789012",
)


@pytest.mark.parametrize("text", KNOWN)
def test_a_sample_is_known(text: str) -> None:
    """What documentation shows, what everybody tries first, and such again and again."""
    assert is_known(text)


@given(st.integers(min_value=0), st.sampled_from([16, 24, 32, 48, 64]))
def test_a_random_secret_is_never_refused(seed: int, size: int) -> None:
    """In hexadecimal from 24 bytes, in base64 from 16: with fewer digits chance would do it."""
    drawn = random.Random(seed).randbytes(size)  # noqa: S311 - repeatable, and no secret
    assert not is_known(base64.b64encode(drawn).decode())
    assert not is_known(base64.urlsafe_b64encode(drawn).decode())
    assert not is_known(drawn.hex()) or drawn.hex().isdecimal()


WORST = (
    "a" * 1023 + "!",
    "ab" * 512,
    "abc" * 341 + "ä",
    "1" * 1023 + "ж",
    "qwert" * 204 + "#x",
    "bet" * 341,
)
PIECES = st.sampled_from(["qwert", "qwerty", "bet", "bets", "a", "1", "-", "z", "ж", "abc", "abcd"])


@given(st.text(max_size=1024) | st.lists(PIECES, max_size=300).map("".join))
def test_no_text_takes_long(text: str) -> None:
    """A setting or a password of 1 KiB, however it is made."""
    began = time.process_time()
    is_known(text[:1024])
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("text", WORST)
def test_texts_made_to_take_long_do_not(text: str) -> None:
    """Nearly words, nearly the same again and again."""
    began = time.process_time()
    is_known(text)
    assert time.process_time() - began < 0.1
