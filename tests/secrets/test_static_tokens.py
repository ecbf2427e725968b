"""Static tokens: how settings name them, and what is kept of them."""

from __future__ import annotations

import gc
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from stakeline import settings
from stakeline.auth import Principal, static_tokens
from stakeline.auth.static_tokens import StaticTokens, parse
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.settings import Settings as LineProviderSettings
from stakeline.settings import WrongSetting
from tests.secrets.closed import secret

A, B, C = secret("a"), secret("b"), secret("c")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", []),
        (f"desk={A}", [("desk", A)]),
        (f"desk={A},other={B}", [("desk", A), ("other", B)]),
        (f" desk={A} , other={B} ,", [("desk", A), ("other", B)]),
        (f"desk={A}\nother={B}\n", [("desk", A), ("other", B)]),
        (f"desk={A}\r\ndesk={B}\r\n", [("desk", A), ("desk", B)]),
        (f"a.b_c-d={A[:31]}~==", [("a.b_c-d", f"{A[:31]}~==")]),
    ],
)
def test_names_and_tokens(text: str, named: list[tuple[str, str]]) -> None:
    """In one line or a line each; two for a name, so that one can follow the other."""
    assert parse(text) == named


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"={A}",
        f"desk:{A}",
        f"desk {A}",
        f"de sk={A}",
        f"désk={A}",
        f"desk={A};other={B}",
        f"desk={A}é",
        f"desk={A}\0",
        f"desk={A[:31]}",
        "desk=",
        "desk=" + "changeme" * 4,
        "desk=" + "0" * 32,
        "desk=secret-variable-secret-variable",
        f"desk={A},desk={B},desk={C}",
        f"desk={A},other={B},third",
        f"{A}=desk",
        f"desk={'a1' * 300}",
    ],
)
def test_what_names_no_tokens(text: str) -> None:
    """Too short, too many, a sample, malformed: refused, and the message shows none of them."""
    with pytest.raises(ValueError, match=r"must be|more than 2") as refused:
        parse(text)
    for token in (A, B, C):
        assert token[:31] not in str(refused.value)


def test_a_setting_that_names_nobody_is_refused() -> None:
    """Left empty by mistake it would not close the service."""
    for text in (" ", ",", "\n"):
        with pytest.raises(ValueError, match="name=token"):
            static_tokens.check(SecretStr(text))


@pytest.mark.parametrize(
    "text", ["", "short", f"bet-maker={A}", f"{A}\n", f"{A}é", "0" * 40, f"{A} {B}"]
)
def test_bet_makers_own_token_is_one_token(text: str) -> None:
    """What line-provider could not have, or HTTP not carry, stops the start."""
    with pytest.raises(ValueError, match="without a name"):
        static_tokens.check_one(SecretStr(text))
    assert static_tokens.check_one(SecretStr(A)).get_secret_value() == A


def test_each_token_is_found_by_its_name_and_role() -> None:
    """And what is nearly one is not."""
    tokens = StaticTokens(
        {"operator": SecretStr(f"desk={A},desk={B}"), "service": SecretStr(f"bets={C}")}
    )
    assert tokens.find(A) == tokens.find(B) == Principal("desk", "operator")
    assert tokens.find(C) == Principal("bets", "service")
    for other in ("", A[:-1], f"{A} ", A.upper(), f"desk={A}", "é", "ключ"):
        assert tokens.find(other) is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_may_be_asked_for(text: str) -> None:
    """Also what is not ASCII, which comparing texts would fail on."""
    assert StaticTokens({"operator": SecretStr(f"desk={A}")}).find(text) is None


def test_tokens_are_compared_by_hash_in_constant_time() -> None:
    """As bytes, and all of them, so that the time tells nothing."""
    code = inspect.getsource(StaticTokens.find)
    assert "hmac.compare_digest" in code
    assert "break" not in code
    assert isinstance(static_tokens._digest("é"), bytes)


def reachable(thing: object) -> list[object]:
    """All that a thing leads to, but for modules and classes, which lead everywhere."""
    seen: dict[int, object] = {}
    left = [thing]
    while left:
        one = left.pop()
        if id(one) not in seen and not inspect.ismodule(one) and not inspect.isclass(one):
            seen[id(one)] = one
            left += [] if inspect.isroutine(one) else gc.get_referents(one)
    return list(seen.values())


def test_only_hashes_are_kept() -> None:
    """Whatever looks into a running service's memory by way of them finds no token."""
    tokens = StaticTokens({"operator": SecretStr(f"desk={A}"), "service": SecretStr(f"bets={B}")})
    held = reachable(tokens)
    assert "desk" in held
    assert not [
        one for one in held if isinstance(one, str | bytes) and (A in str(one) or B in str(one))
    ]
    assert A not in repr(vars(tokens))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            LineProviderSettings,
            ["OPERATOR_TOKENS", "FEED_TOKENS", "JWT_SECRET", "JWT_PREVIOUS_SECRET"],
        ),
        (
            BetMakerSettings,
            ["METRICS_TOKENS", "JWT_SECRET", "JWT_PREVIOUS_SECRET", "LINE_PROVIDER_TOKEN"],
        ),
    ],
)
def test_settings_show_no_secret(
    kind: type[Any], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as they are shown, nor where one of them is wrong."""
    prefix = kind.prefix
    monkeypatch.setenv("BET_MAKER_STANDALONE", "1")
    for name in names:
        monkeypatch.setenv(f"{prefix}{name}", f"desk={A}" if name.endswith("TOKENS") else A)
    chosen = settings.read(kind)
    for shown in (repr(chosen), str(chosen), repr(chosen.model_dump()), chosen.model_dump_json()):
        assert A not in shown
    for name in names:
        with monkeypatch.context() as wrong:
            wrong.setenv(f"{prefix}{name}", f"{A[:31]}")
            with pytest.raises(WrongSetting, match=f"^{prefix}{name}: ") as refused:
                settings.read(kind)
            assert A[:31] not in str(refused.value)
            assert "\n" not in str(refused.value)
