"""Tokens that are none of ours: 401 on every kind of route of both services, and never a 5xx."""

from __future__ import annotations

import json
import time
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from stakeline.auth import Principal
from stakeline.auth.signing import Signing
from stakeline.errors import Unauthenticated
from tests.secrets.closed import (
    DAY_S,
    PREVIOUS,
    SIGNED_BY,
    Closed,
    base64url,
    by,
    claims,
    closed_house,
    forged,
    header,
    part,
    secret,
)

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.serving import Served

# On one engine: tokens are refused before any database is asked.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.sqlite]
BODIES = {
    "/events": {"event_id": "open", "coefficient": 2},
    "/bets": {"event_id": "open", "amount": 1},
    "/bets/batch": {"bets": [{"event_id": "open", "amount": 1}]},
}
PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def ask(served: Served, method: str, path: str, headers: Any) -> httpx2.Response:  # noqa: ANN401
    """The answer to a request that would be carried out, if its token were good."""
    body = BODIES.get(path) if method == "POST" else None
    return await served.client.request(method, path, json=body, headers=headers)


def refuses(answer: httpx2.Response) -> None:
    """It is a 401 that says how one is known, and nothing about why the token will not do."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    problem = answer.json()
    assert problem["code"] == "unauthenticated"
    assert problem["detail"] == Unauthenticated.__doc__


async def refused_by_all(closed: Closed, headers: Any) -> None:  # noqa: ANN401 - as httpx takes them
    """Every kind of route of both services answers 401."""
    for route in closed.routes():
        refuses(await ask(*route, headers))


async def test_a_good_token_is_taken_by_every_kind_of_route(closed: Closed) -> None:
    """Or the refusals below would prove nothing."""
    for route in closed.routes():
        assert (await ask(*route, by(closed.token))).is_success, route[2]


async def test_a_token_made_by_hand_is_as_good_as_ours(closed: Closed) -> None:
    """What is forged below differs from it in one thing."""
    assert (await ask(closed.line, "GET", "/events", by(forged()))).status_code == 200


def flips(token: str) -> list[str]:
    """The token with each bit of each of its characters flipped, where a client would send that."""
    turned = [
        token[:n] + chr(ord(character) ^ 1 << bit) + token[n + 1 :]
        for n, character in enumerate(token)
        for bit in range(7)
    ]
    return [one for one in turned if one.isprintable() and one == one.strip()]


def spellings(token: str) -> list[str]:
    """The token with other last characters of its parts, of which some say the same bytes."""
    parts = token.split(".")
    return [
        ".".join([*parts[:n], parts[n][:-1] + last, *parts[n + 1 :]])
        for n in range(3)
        for last in ALPHABET
        if last != parts[n][-1]
    ]


async def test_a_thousand_flipped_bits(closed: Closed) -> None:
    """Also those that change but the bits that base64 has to spare; at line-provider as here."""
    turned = spellings(closed.token) + flips(closed.token)
    turned = turned[: 3 * 63] + turned[3 * 63 :: 2]
    assert len(turned) > 1000
    for token, route in zip(turned, cycle(closed.routes()), strict=False):
        refuses(await ask(*route, by(token)))


def headers_of_others() -> dict[str, str]:
    """Tokens whose header asks for something else, most of them signed with the right key."""
    tokens = {f"alg {alg}": unsigned(alg) for alg in ("none", "None", "NONE", "nOnE", "")}
    for alg, hashed in (("HS384", "sha384"), ("HS512", "sha512"), ("hs256", "sha256")):
        tokens[f"alg {alg}"] = forged(header(alg=alg), hashed=hashed)
    other: Any
    for other in ("RS256", "PS256", "ES256", "EdDSA", 256, [], {}, ["HS256"], True):
        tokens[f"alg {other}"] = forged(header(alg=other))
    tokens["no alg"] = forged(header(alg=None))
    tokens["signed with a public key's text"] = forged(key=PEM)
    tokens["signed with a public key's text, by our id"] = forged(header(), key=PEM)
    ids_of_keys = ("", "../../dev/null", "/dev/null", "' OR 1=1 --", "x' UNION SELECT 'k", "\0")
    for other in (*ids_of_keys, 0, 1.5, [], {}, True, [header()["kid"]], header(PREVIOUS)["kid"]):
        tokens[f"kid {other}"] = forged(header(kid=other))
    tokens["kid null"] = forged('{"alg":"HS256","kid":null,"typ":"at+jwt"}')
    tokens["no kid"] = forged(header(kid=None))
    tokens["the previous key's, by the new one's id"] = forged(header(), key=PREVIOUS)
    key = {"kty": "oct", "k": base64url(b"k" * 32)}
    for name, value in {
        "jku": "http://127.0.0.1:9/keys",
        "jwk": key,
        "x5u": "http://127.0.0.1:9/certificate",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
    }.items():
        tokens[name] = forged(header() | {name: value})
        tokens[f"{name}, signed with its key"] = forged(header() | {name: value}, key="k" * 32)
    for kind in ("JWT", "jwt", "AT+JWT", "application/at+jwt", "", 1, ["at+jwt"]):
        tokens[f"typ {kind}"] = forged(header(typ=kind))
    tokens["no typ"] = forged(header(typ=None))
    tokens["header in another order"] = forged(dict(reversed(header().items())))
    tokens["alg twice"] = forged('{"alg":"none",' + json.dumps(header())[1:])
    tokens["header is a list"] = forged("[]")
    tokens["header nested deep"] = forged("[" * 700)
    tokens["header is no JSON"] = forged("{")
    return tokens


def unsigned(alg: str) -> str:
    """A token without a signature."""
    return f"{part(header(alg=alg))}.{part(claims())}."


def claims_of_others() -> dict[str, str]:
    """Tokens signed with the right key, with claims that we never write."""
    now = int(time.time())
    wrong: dict[str, dict[str, Any]] = {
        "expired, the leeway included": {"exp": now - 31},
        "issued in the future": {"iat": now + DAY_S},
        "good in the future": {"nbf": now + DAY_S},
        "a user of nobody": {"sub": "0"},
    }
    for name in claims():
        wrong[f"no {name}"] = {name: None}
        value: Any
        for value in ("", [], {}, True, 1.5, -1, "x" * 200, "\ud800", "\0", 2**63, 2**200):
            wrong[f"{name} {value!r:.20}"] = {name: value}
    for name, right in claims().items():
        if isinstance(right, int):
            wrong[f"{name} as a float"] = {name: float(right)}
            wrong[f"{name} as text"] = {name: str(right)}
        wrong[f"{name} as a list"] = {name: [right]}
    wrong["aud among others"] = {"aud": ["stakeline", "others"]}
    wrong["role service"] = {"role": "service"}
    wrong["role anybody"] = {"role": "anybody"}
    wrong["name in upper case"] = {"name": "OLGA"}
    wrong["iss with more"] = {"iss": "bet-maker "}
    tokens = {name: forged(body=claims(**other)) for name, other in wrong.items()}
    good = json.dumps(claims(), separators=(",", ":"))
    for text in ("1e400", "-1e400", "NaN", "Infinity", "9" * 400, "null", "1e9", "9999999999.0"):
        tokens[f"exp {text:.12}"] = forged(body=f'{good[:-1]},"exp":{text}}}')
        alone = json.dumps(claims(exp=None), separators=(",", ":"))
        tokens[f"exp only {text:.12}"] = forged(body=f'{alone[:-1]},"exp":{text}}}')
    for name, value in claims().items():
        tokens[f"{name} twice"] = forged(body=f'{good[:-1]},"{name}":{json.dumps(value)}}}')
    tokens["with white space"] = forged(body=good.replace(",", ", "))
    for text in ("[]", "1", "null", '"text"', "{", "", "[" * 700, "\ud800"):
        tokens[f"claims {text:.12}"] = forged(body=text or " ")
    return tokens


def whole_texts(good: str) -> dict[str, str]:
    """What is hardly a token at all."""
    head, body, signature = good.split(".")
    flat = {"protected": head, "payload": body, "signature": signature}
    two = {"payload": body, "signatures": [{"protected": head, "signature": signature}] * 2}
    return {
        "a part more": f"{good}.{signature}",
        "a dot more": f"{good}.",
        "a dot before": f".{good}",
        "two dots": f"{head}..{body}.{signature}",
        "a part less": f"{head}.{body}",
        "no claims": f"{head}..{signature}",
        "no signature": f"{head}.{body}.",
        "padded": f"{good}=",
        "padded inside": f"{head}=.{body}.{signature}",
        "in JSON": json.dumps(flat),
        "in JSON with two signatures": json.dumps(two),
        "two tokens": f"{good} {good}",
        "two tokens with a comma": f"{good},{good}",
        "white space inside": f"{head}. {body}.{signature}",
        "a tab after": f"{good}\t.",
        "quoted": f'"{good}"',
        "dots": "..",
        "one character": "x",
        "three of them": "a.b.c",
        "too long": "x" * 4000,
        "a text of the type": "Bearer",
        "lower case": good.lower(),
    }


TABLE = headers_of_others() | claims_of_others()


@pytest.mark.parametrize("name", list(TABLE))
async def test_a_token_that_we_never_wrote(closed: Closed, name: str) -> None:
    """Whatever it says, and even where it is signed with the right key."""
    for route in closed.routes()[:4]:
        refuses(await ask(*route, by(TABLE[name])))


async def test_a_text_that_is_no_token(closed: Closed) -> None:
    """Too many parts or too few, in JSON, in pieces."""
    for text in whole_texts(closed.token).values():
        await refused_by_all(closed, by(text))


async def test_other_ways_to_ask(closed: Closed) -> None:
    """No token, another scheme, two headers, what is not ASCII."""
    token = closed.token
    ways: list[list[tuple[str, str | bytes]]] = [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", token)],
        [("Authorization", f"Basic {token}")],
        [("Authorization", "Basic b2xnYTpvbGdh")],
        [("Authorization", f"Bearer{token}")],
        [("Authorization", f"Bearer\t{token}")],
        [("Authorization", f"Token {token}")],
        [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
        [("Authorization", "Basic b2xnYTpvbGdh"), ("Authorization", f"Bearer {token}")],
        [("Authorization", f"Bearer {token}".encode() + b"\xc3\xa9")],
        [("Authorization", b"Bearer \xff\xfe")],
        [("Cookie", f"token={token}")],
        [("X-Authorization", f"Bearer {token}")],
    ]
    for way in ways:
        await refused_by_all(closed, way)
    for route in closed.routes()[:4]:
        assert (await ask(*route[:2], f"{route[2]}?access_token={token}", {})).status_code == 401


async def test_the_scheme_is_taken_in_any_case(closed: Closed) -> None:
    """RFC 9110: schemes are."""
    for scheme in ("bearer", "BEARER", "Bearer ", "bEaReR"):
        answer = await ask(
            closed.bets, "GET", "/bets", {"Authorization": f"{scheme} {closed.token}"}
        )
        assert answer.status_code == 200


async def test_a_token_of_a_mebibyte_is_refused(closed: Closed) -> None:
    """As too large, or as none of ours."""
    for route in closed.routes():
        answer = await ask(*route, by("x" * 1024 * 1024))
        assert answer.status_code in {401, 413, 431}


async def test_clocks_may_differ_by_half_a_minute(closed: Closed) -> None:
    """A token is good for 30 s more than it says, and 30 s before; not for longer."""
    now = int(time.time())
    for other in ({"exp": now - 31}, {"iat": now + 45}, {"nbf": now + 45}):
        refuses(await ask(closed.line, "GET", "/events", by(forged(body=claims(**other)))))
    for other in ({"exp": now - 20}, {"iat": now + 20}, {"nbf": now + 20}):
        answer = await ask(closed.line, "GET", "/events", by(forged(body=claims(**other))))
        assert answer.status_code == 200


async def test_a_users_token_of_another_database_is_nobodys(closed: Closed, tmp_path: Path) -> None:
    """With the same secret and the same id; line-provider, which knows no users, takes it."""
    async with closed_house(tmp_path) as other:
        for served, method, path in closed.routes():
            if served is closed.bets:
                refuses(await ask(served, method, path, by(other.token)))


async def test_a_key_that_was_taken_away_is_no_more(closed: Closed) -> None:
    """A previous key's tokens are taken as long as it is there."""
    who = Principal("olga", "operator", 2, 7)
    both = Signing(SecretStr(SIGNED_BY), SecretStr(PREVIOUS))
    old = Signing(SecretStr(PREVIOUS)).issue(who)
    assert both.read(old) == who == both.read(both.issue(who))
    assert (await ask(closed.line, "GET", "/events", by(old))).status_code == 200
    assert Signing(SecretStr(SIGNED_BY)).read(both.issue(who)) == who
    for signing, token in (
        (Signing(SecretStr(SIGNED_BY)), old),
        (Signing(SecretStr(PREVIOUS)), both.issue(who)),
        (Signing(SecretStr(secret("others"))), old),
    ):
        with pytest.raises(Unauthenticated):
            signing.read(token)
