"""Secrets that are none: what documentation shows, and what everybody tries first."""

from __future__ import annotations

import re

_WORDS = frozenset(
    """
    admin administrator asdf asdfgh asdfghjkl baseball bet bets betmaker change changeit changeme
    correct horse battery staple default demo dragon football guest iloveyou letmein login lorem
    ipsum me mypassword p@ssw0rd pass passw0rd password please postgres qazwsx qwert qwerty qwertyui
    qwertyuiop qwertyytrewq rabbitmq root sample secret secretkey secure shadow stakeline sunshine
    superman super supersecret test tests token trustno1 user variable welcome zxcvb zxcvbn zxcvbnm
    1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 3edc4rfv abc abcd abcdef abcdefgh abcdefghijkl
    abcdefghijklmnopqrstuvwxyz example insecure my the key jwt your bit not for production here
    access api app at auth bytes characters chars dev development do hs256 in is least long monkey
    of only please prod purposes put random signing some string testing this to use very
    """.split()  # noqa: SIM905 - a list of so many would be hard to read
)
# Longest first: of two words that begin alike, the whole one is found.
_NOTHING_ELSE = re.compile(
    rf"(?:{'|'.join(map(re.escape, sorted(_WORDS, key=len, reverse=True)))}|[\W\d_])*+"
)
_SHOWN = {
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    "a-string-secret-at-least-256-bits-long",  # jwt.io
}
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def is_known(text: str) -> bool:
    """Whether this is a well-known sample, or easily guessed.

    That is: nothing but words like `password`, `changeme` or `qwerty`, digits and punctuation; the
    same again and again; letters as they follow one another.
    """
    text = text.lower()
    repeated = any(text.startswith(text[n:]) for n in range(1, len(text) // 2 + 1))
    in_a_row = any(text in row * 2 for row in _ROWS)
    return text in _SHOWN or repeated or in_a_row or _NOTHING_ELSE.fullmatch(text) is not None
