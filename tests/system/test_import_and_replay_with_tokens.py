"""`stakeline import` and `stakeline replay` at services that want to know who asks."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from stakeline.cli import calls, importing, replay
from stakeline.fixtures.files import Wanted
from stakeline.settings import WrongSetting
from tests.serving import Served, bet_maker, line_provider, serving, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

MATCHDAY = Path(__file__).parents[2] / "examples" / "openligadb-bundesliga-2022-md1.json"
SECRET = SecretStr("b3f1c0a99d3e4c7f8a5d6e2b1c0f9e8d7a6b5c4d3e2f1a0b")
STATIC, FEED = "op-5f2c8e1b9a7d4036c1e8f2a9b4d7e6f0", "fd-9b1e4c7a2d5f8036e9c1a4b7d2f5e8a1"
PASSWORD = "a long enough one for tests"  # noqa: S105 - of the tests' own operator
UNKNOWN = "x" * 20 + "never-given-to-anybody"


@dataclass(frozen=True, slots=True)
class Closed:
    """Both services, closed; an operator's token of each kind."""

    line: Served
    bets: Served
    static: str
    issued: str


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """The services of this process log where no test looks, and not to the command's output."""
    with capture_logs():
        yield


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Closed]:
    """A line-provider and a bet-maker that know an operator."""
    tokens = {"operator_tokens": f"ops={STATIC}", "feed_tokens": f"bet-maker={FEED}"}
    first = {"first_user_username": "operator", "first_user_password": PASSWORD}
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(
            serving(line_provider(tmp_path, jwt_secret=SECRET, **tokens))
        )
        bets = await stack.enter_async_context(
            serving(
                bet_maker(tmp_path, line.url, jwt_secret=SECRET, line_provider_token=FEED, **first)
            )
        )
        await until_ready(bets)
        answer = await bets.post("/token", {"username": "operator", "password": PASSWORD})
        yield Closed(line, bets, STATIC, answer.json()["access_token"])


async def bring(closed: Closed) -> int:
    """What `stakeline import` exits with."""
    return await asyncio.to_thread(importing.run, MATCHDAY, closed.line.url, Wanted())


async def play(closed: Closed) -> int:
    """What `stakeline replay` exits with."""
    options = replay.Options(MATCHDAY, line_provider=closed.line.url, bet_maker=closed.bets.url)
    return await asyncio.to_thread(replay.run, options)


@pytest.mark.parametrize("kind", ["static", "issued"])
async def test_import_takes_either_token(
    closed: Closed, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of line-provider's settings, or one that bet-maker has issued to an operator."""
    monkeypatch.setenv("STAKELINE_TOKEN", getattr(closed, kind))
    assert await bring(closed) == 0
    assert capsys.readouterr().out.startswith("9 rows taken (9 created")
    written = await closed.line.get(
        "/events?limit=1", headers={"Authorization": f"Bearer {STATIC}"}
    )
    history = await closed.line.get(
        f"/events/{written.json()[0]['event_id']}/history",
        headers={"Authorization": f"Bearer {STATIC}"},
    )
    assert {each["by"] for each in history.json()} == {"ops" if kind == "static" else "operator"}


async def test_replay_sends_both_services_the_token(
    closed: Closed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that bet-maker has issued, here from a file, is good for the whole season."""
    file = tmp_path / "token"
    file.write_text(f"{closed.issued}\n")
    monkeypatch.setenv("STAKELINE_TOKEN_FILE", str(file))
    assert await play(closed) == 0
    assert "80.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "token"), [(bring, ""), (bring, UNKNOWN), (bring, FEED), (play, None)]
)
async def test_who_is_not_let_in_is_told_what_to_set(
    closed: Closed,
    command: Callable[[Closed], Awaitable[int]],
    token: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No token, a stranger's, and the feed's, which may change nothing: 2, and one line."""
    if token is not None:
        monkeypatch.setenv("STAKELINE_TOKEN", token)
    assert await command(closed) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "; set STAKELINE_TOKEN to the token of an operator\n" in told
    assert not token or token not in told


@pytest.mark.parametrize("text", ["Bearer abc", "abc\ndef", "töken", "a b"])
def test_what_is_no_token_is_not_sent(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a wrong setting, whose message does not repeat it."""
    monkeypatch.setenv("STAKELINE_TOKEN", text)
    with pytest.raises(WrongSetting, match="STAKELINE_TOKEN: must be a token") as wrong:
        calls.given_token()
    assert text not in str(wrong.value)
