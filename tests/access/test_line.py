"""line-provider's callers: who changes the line is in its history, who follows it cannot."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.access.house import FEED, OWNER, SECRET
from tests.bet_maker.calls import new_id
from tests.line_provider.calls import refused
from tests.processes import START_S, Service, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.access.house import House

DEADLINE = "2090-01-01T00:00:00Z"
NEW_FEED = "0f1e2d3c4b5a69788796a5b4c3d2e1f0aa"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_history_says_who_changed_what(house: House) -> None:
    """A static token by its name, a user by theirs; a user may only look."""
    operator, user = await house.user("operator"), await house.user()
    assert house.line is not None
    assert operator.line is not None
    assert user.line is not None
    owner = house.by(house.line, OWNER)
    path = f"/events/{new_id()}"
    assert (await owner.put(path, {"coefficient": 2, "deadline": DEADLINE})).status_code == 201
    assert (await operator.line.patch(path, {"coefficient": 3})).status_code == 200
    refused(await user.line.patch(path, {"coefficient": 4}), 403, "forbidden")
    assert (await operator.line.post(f"{path}/result", {"status": "WIN"})).status_code == 200
    versions = (await owner.get(f"{path}/history")).json()
    names = ["owner", operator.username, operator.username]
    assert [version["by"] for version in versions] == names
    assert (await user.line.get(path)).json()["version"] == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_who_follows_the_line_cannot_change_it(house: House) -> None:
    """The token that bet-maker has on its disk moves no price and decides no event."""
    assert house.line is not None
    owner, feed = house.by(house.line, OWNER), house.by(house.line, FEED)
    path = f"/events/{new_id()}"
    await owner.put(path, {"coefficient": 2, "deadline": DEADLINE})
    terms = {"coefficient": 9, "deadline": DEADLINE}
    for answer in (
        await feed.put(path, terms),
        await feed.patch(path, terms),
        await feed.post("/events", terms),
        await feed.post(f"{path}/result", {"status": "WIN"}),
    ):
        refused(answer, 403, "forbidden")
    assert (await feed.get(path)).json()["version"] == 1
    assert (await feed.get("/feed?wait=0")).json()["items"]


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("token", [None, NEW_FEED], ids=["none", "a wrong one"])
async def test_bet_maker_says_which_token_it_wants_and_goes_on_by_itself(
    tmp_path: Path, token: str | None
) -> None:
    """Not ready, with the setting in its answer and its log; until line-provider takes it."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"bets={FEED}\n")
    line = Service("line-provider", tmp_path, LINE_PROVIDER_FEED_TOKENS_FILE=str(tokens))
    own: dict[str, Any] = {} if token is None else {"BET_MAKER_LINE_PROVIDER_TOKEN": token}
    bets = Service(
        "bet-maker",
        tmp_path,
        BET_MAKER_LINE_PROVIDER_URL=line.url,
        BET_MAKER_JWT_SECRET=SECRET,
        **own,
    )
    async with running(line):
        await bets.start()
        try:
            reason = await why_not_ready(bets, "BET_MAKER_LINE_PROVIDER_TOKEN")
            assert "LINE_PROVIDER_FEED_TOKENS" in reason
            assert "BET_MAKER_LINE_PROVIDER_TOKEN" in bets.log.read_text()
            for secret in (FEED, NEW_FEED):
                assert secret not in reason + bets.log.read_text() + line.log.read_text()
            if token is not None:
                tokens.write_text(f"bets={FEED},bets={NEW_FEED}\n")
                line.signal(signal.SIGHUP)
                await bets.until_ready()
        finally:
            await bets.kill()
            await bets.client.aclose()


async def why_not_ready(service: Service, word: str) -> str:
    """The reason that `/readyz` gives, once it has this word."""
    async with asyncio.timeout(START_S):
        await service.until_ready("/healthz")
        while True:
            answer = await service.client.get("/readyz")
            assert answer.status_code == 503
            if word in answer.json()["reason"]:
                return str(answer.json()["reason"])
            await asyncio.sleep(0.05)
