"""What each user lists is what each was acknowledged, whatever they place."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.house import House, User, closed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([None, "a", "b", "c"]),
        st.sampled_from(["x", "y"]),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=12,
)


@given(steps=STEPS)
@settings(deadline=None, max_examples=25)
def test_what_each_lists_is_what_each_was_acknowledged(
    crowd: tuple[asyncio.Runner, House, list[User]], steps: list[Any]
) -> None:
    """Random users place random bets with random keys, at once: nothing more, nothing less."""
    runner, house, users = crowd
    runner.run(_play(house, users, steps))


async def _play(house: House, users: list[User], steps: list[Any]) -> None:
    before = [await _ids(user.bets) for user in users]

    async def step(n: int, key: str | None, event_id: str, amount: int) -> tuple[int, str | None]:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"event_id": event_id, "amount": amount}
        answer = await users[n].bets.post("/bets", body, headers=headers)
        if answer.status_code == 422:
            assert answer.json()["code"] == "idempotency_key_reused"
            return n, None
        assert answer.status_code == 201, answer.text
        assert (answer.json()["event_id"], answer.json()["amount"]) == (event_id, amount)
        return n, answer.json()["bet_id"]

    told = await asyncio.gather(*(step(*one) for one in steps))
    after = [await _ids(user.bets) for user in users]
    for n in range(len(users)):
        assert after[n] == before[n] | {bet_id for who, bet_id in told if who == n and bet_id}
    everybodys = await _ids((await house.first()).bets)
    assert everybodys == set().union(*after)
    assert len(everybodys) == sum(map(len, after))


async def _ids(served: Served) -> set[str]:
    found = (await served.get("/bets", headers={"Accept": "application/x-ndjson"})).text
    return {json.loads(line)["bet_id"] for line in found.splitlines()}


@pytest.fixture(scope="module")
def crowd(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[asyncio.Runner, House, list[User]]]:
    """A standalone house with three users, and the event loop it lives on."""
    with asyncio.Runner() as runner:
        context = closed(tmp_path_factory.mktemp("crowd"), standalone=True)
        house = runner.run(context.__aenter__())
        users = [runner.run(house.user()) for _ in range(3)]
        yield runner, house, users
        runner.run(context.__aexit__(None, None, None))
