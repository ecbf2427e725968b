"""Whatever is signed with the right key: a principal or 401, and no route that fails on it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from stakeline.auth.signing import Signing
from stakeline.errors import Unauthenticated
from tests.processes import insist
from tests.secrets.closed import SIGNED_BY, by, claims, forged
from tests.secrets.test_tokens import ask

if TYPE_CHECKING:
    from tests.secrets.closed import Closed

shared = pytest.mark.asyncio(loop_scope="module")
NUMBERS = st.integers() | st.integers(0, 2**33) | st.floats()
TEXTS = st.text() | st.sampled_from(["bet-maker", "stakeline", "operator", "user", "service", "2"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.dictionaries(st.sampled_from(list(claims())) | st.text(), VALUES, max_size=4)


@given(CHANGES)
def test_any_claims_are_read_or_refused(changes: dict[str, Any]) -> None:
    """Nothing else comes of them; and what is read is what stands in the token."""
    changed = claims() | changes
    token = forged(body=json.dumps(changed, separators=(",", ":")))
    try:
        who = Signing(SecretStr(SIGNED_BY)).read(token)
    except Unauthenticated:
        return
    assert (who.name, who.role) == (changed["name"], changed["role"])
    assert (str(who.user_id), who.token_version) == (changed["sub"], changed["version"])


@given(st.text(st.characters(codec="ascii"), max_size=60), st.text(max_size=60))
def test_any_text_is_refused(header: str, body: str) -> None:
    """Signed as it is, with a right header and without."""
    signing = Signing(SecretStr(SIGNED_BY))
    for token in (
        header,
        f"{header}.{header}.{header}",
        forged(header or "{", body),
        forged(body=body or " "),
    ):
        with pytest.raises(Unauthenticated):
            signing.read(token)


@shared
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
async def test_no_route_fails_on_any_claims(closed: Closed, changes: dict[str, Any]) -> None:
    """Whoever holds the key gets an answer that is one."""
    token = forged(body=json.dumps(claims() | changes, separators=(",", ":")))
    for route in closed.routes()[:4]:
        assert (await insist(partial(ask, *route, by(token)))).status_code < 500


@shared
@pytest.mark.parametrize("role", ["user", "operator"])
@pytest.mark.parametrize("sub", ["1", "2", "3", str(2**63 - 1)])
@pytest.mark.parametrize("version", [0, 1, 2**31, 2**63 - 1])
async def test_no_route_fails_on_claims_of_the_right_form(
    closed: Closed, role: str, sub: str, version: int
) -> None:
    """The largest numbers, which the database has to take, and users that are not there."""
    token = forged(body=claims(role=role, sub=sub, version=version, name="n" * 64))
    for route in closed.routes():
        assert (await insist(partial(ask, *route, by(token)))).status_code < 500
