"""Passwords: which will do, how they are hashed, and that hashing holds nobody else up."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.requests import Request

from stakeline.auth import passwords
from stakeline.auth.passwords import AT_ONCE, MOST_WAITING, Passwords, hash_now, normal, parse
from stakeline.bet_maker.api_token import address_of
from stakeline.errors import Overloaded

GOOD = "tall ships of Lübeck"


@pytest.mark.parametrize(
    "text",
    [
        "x7-" * 3 + "Kd!",
        "ü" * 5 + "sehr lang",
        GOOD,
        "kq0" * 42 + "zw",
        "鯨が好きな人は誰なのだろう",
    ],
)
def test_a_password_of_12_to_128_characters_will_do(text: str) -> None:
    """Of any script."""
    assert parse(text) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x7-Kd!qr0Zw",
        "e\u0301" * 6,
        "kq0zw" * 26,
        "password1234",
        "P@ssw0rd-2026",
        "changeme-changeme",
        "qwertyqwerty",
        "aaaaaaaaaaaa",
        "123456789012",
        "".join(chr(ord(letter) + 0xFEE0) for letter in "password1234"),
        "\udcff" * 12,
    ],
)
def test_a_password_that_will_not_do(text: str) -> None:
    """Too short or long as it is hashed, or one that everybody tries; it is not repeated."""
    with pytest.raises(ValueError, match=r"^must ") as refused:
        parse(text)
    assert not text or text not in str(refused.value)


def test_what_is_longer_than_a_kibibyte_is_not_even_looked_at() -> None:
    """However many characters that is."""
    assert normal("x" * 1024) == "x" * 1024
    for text in ("x" * 1025, "ü" * 513, "\N{WHALE}" * 257):
        with pytest.raises(ValueError, match="128 characters"):
            normal(text)
    with pytest.raises(ValueError, match="128 characters"):
        passwords.check(SecretStr("x" * 5000))


@given(st.text(max_size=300))
def test_any_text_is_a_password_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    with suppress(ValueError):
        assert 12 <= len(parse(text)) <= 128


async def test_composed_and_decomposed_letters_are_the_same() -> None:
    """Keyboards and systems differ in how they write an ü."""
    hashed = hash_now(parse(GOOD))
    hasher = Passwords()
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        given = normal(unicodedata.normalize(form, GOOD))
        assert await hasher.match(given, hashed) == (True, None)
    assert await hasher.match(normal(GOOD.upper()), hashed) == (False, None)
    assert await hasher.match("", None) == (False, None)


def test_hashes_are_argon2id_with_its_parameters() -> None:
    """And salted: two of one password differ."""
    one, other = hash_now(GOOD), hash_now(GOOD)
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other


async def test_no_more_than_two_are_hashed_at_once_and_a_hundred_wait() -> None:
    """The next one is told to come back."""
    hasher = Passwords()
    under_way = 0
    most = 0

    async def take() -> None:
        nonlocal under_way, most
        async with hasher.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    tasks = [asyncio.create_task(take()) for _ in range(AT_ONCE + MOST_WAITING + 7)]
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert most == AT_ONCE
    assert sum(isinstance(one, Overloaded) for one in ended) == 7
    await asyncio.gather(*(take() for _ in range(AT_ONCE + MOST_WAITING)))


async def test_who_stops_waiting_leaves_a_place() -> None:
    """A place that is given up is another's."""
    hasher = Passwords()
    for _ in range(5):
        tasks = [asyncio.create_task(hasher.hash(GOOD)) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert hasher._asked == 0
    async with hasher.turn(), hasher.turn():
        pass


async def test_hashing_does_not_stop_the_event_loop() -> None:
    """Twenty hashes go by, and whoever needs none is served meanwhile."""
    hasher = Passwords()
    tasks = [asyncio.create_task(hasher.hash(GOOD)) for _ in range(20)]
    turns = 0
    began = time.perf_counter()
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 20 * (time.perf_counter() - began)
    assert turns > 20


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_of_ipv6_counts_as_its_network(host: str, counted: str) -> None:
    """Whoever has one such address has 2^64 of them to try passwords from."""
    scope = {"type": "http", "client": (host, 1), "headers": []}
    assert address_of(Request(scope)) == counted
