"""Secrets and tokens are exchanged at SIGHUP, while requests go on: none of them fails."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TextIO

import pytest
from pydantic import SecretStr

from stakeline.auth import Principal
from stakeline.auth.signing import Signing
from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.settings import Settings as LineProviderSettings
from stakeline.settings import WrongSetting
from tests.processes import Service, running
from tests.secrets.closed import OPERATOR, PASSWORD, by, secret
from tests.serving import bet_maker, line_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import httpx2

# On one engine: secrets are exchanged without any database.
pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.sqlite]
OLD, NEW = secret("old"), secret("new")


class House:
    """Both services as processes, their secrets in files."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        names = ("jwt", "previous", "operators", "feed", "line")
        files = {name: str(folder / name) for name in names}
        self.line = Service(
            "line-provider",
            folder,
            LINE_PROVIDER_WORKERS=str(workers),
            LINE_PROVIDER_JWT_SECRET_FILE=files["jwt"],
            LINE_PROVIDER_JWT_PREVIOUS_SECRET_FILE=files["previous"],
            LINE_PROVIDER_OPERATOR_TOKENS_FILE=files["operators"],
            LINE_PROVIDER_FEED_TOKENS_FILE=files["feed"],
        )
        self.bets = Service(
            "bet-maker",
            folder,
            BET_MAKER_WORKERS=str(workers),
            BET_MAKER_LINE_PROVIDER_URL=self.line.url,
            BET_MAKER_JWT_SECRET_FILE=files["jwt"],
            BET_MAKER_JWT_PREVIOUS_SECRET_FILE=files["previous"],
            BET_MAKER_LINE_PROVIDER_TOKEN_FILE=files["line"],
            BET_MAKER_FIRST_USER_USERNAME=OPERATOR,
            BET_MAKER_FIRST_USER_PASSWORD=PASSWORD,
        )
        self.workers = workers
        self.write(
            jwt=OLD,
            previous=secret("older"),
            operators=f"desk={secret('desk 1')}\n",
            feed=f"bet-maker={secret('feed 1')}\n",
            line=f"{secret('feed 1')}\n",
        )

    def write(self, **files: str) -> None:
        """Put other content into these files, each at once."""
        for name, content in files.items():
            new = self.folder / f"{name}.new"
            new.write_text(content)
            new.replace(self.folder / name)

    async def hang_up(self, service: Service, said: str = "were read anew") -> list[str]:
        """SIGHUP; the lines that each of the workers then logs."""
        before = lines_with(service, said)
        service.signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while len(now := lines_with(service, said)) < len(before) + self.workers:
                await asyncio.sleep(0.02)
        return now[len(before) :]

    async def token(self) -> str:
        """A new token of the operator."""
        body = {"username": OPERATOR, "password": PASSWORD}
        answer = await self.bets.client.post("/token", json=body)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token


def lines_with(service: Service, said: str) -> list[str]:
    """The lines of its log that have this."""
    return [line for line in service.log.read_text().splitlines() if said in line]


@asynccontextmanager
async def asking(*calls: Callable[[], Awaitable[httpx2.Response]]) -> AsyncIterator[list[int]]:
    """Each call again and again until the block ends; the statuses of their answers."""
    statuses: list[int] = []
    ended = False

    async def ask(call: Callable[[], Awaitable[httpx2.Response]]) -> None:
        while not ended:
            statuses.append((await call()).status_code)

    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(ask(call))
        yield statuses
        ended = True


@asynccontextmanager
async def read_by_now(pipe: Path) -> AsyncIterator[TextIO]:
    """The pipe to write to, once somebody has begun to read it."""
    async with asyncio.timeout(60):
        end = None
        while end is None:
            await asyncio.sleep(0.01)
            with suppress(OSError):
                end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with os.fdopen(end, "w") as file:
        yield file


@pytest.fixture(params=[1, 2])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """The services with one worker each, and with two."""
    house = House(tmp_path, request.param)
    async with running(house.line, house.bets):
        yield house


async def test_a_signing_secret_is_exchanged_in_three_steps(house: House) -> None:
    """The new one is taken, then signs, then the old one is dropped; on both services."""
    line, bets = house.line.client, house.bets.client
    tokens = [await house.token()]
    made = await line.post(
        "/events", json={"event_id": "open", "coefficient": 2}, headers=by(tokens[0])
    )
    assert made.status_code == 201
    for service in (house.line, house.bets):  # both know it before a bet is placed
        async with asyncio.timeout(10):
            while not (await service.client.get("/events/open", headers=by(tokens[0]))).is_success:
                await asyncio.sleep(0.02)

    async def log_in() -> httpx2.Response:
        await asyncio.sleep(0.1)
        body = {"username": OPERATOR, "password": PASSWORD}
        answer = await bets.post("/token", json=body)
        tokens.append(answer.json()["access_token"])
        return answer

    bet = {"event_id": "open", "amount": 1}
    async with asking(
        log_in,
        lambda: line.get("/events", headers=by(tokens[-1])),
        lambda: bets.get("/bets?limit=1", headers=by(tokens[-1])),
        lambda: bets.post("/bets", json=bet, headers=by(tokens[-1])),
        lambda: bets.post("/bets/batch", json={"bets": [bet]}, headers=by(tokens[-1])),
    ) as statuses:
        for files in ({"previous": NEW}, {"jwt": NEW, "previous": OLD}):
            house.write(**files)
            for service in (house.line, house.bets):
                await house.hang_up(service)
            await asyncio.sleep(0.5)  # tokens signed with the old one are exchanged
        await house.token()
        house.write(previous=secret("older"))
        for service in (house.line, house.bets):
            await house.hang_up(service)
    assert len(statuses) > 50
    assert set(statuses) <= {200, 201}
    for service, path in ((house.line, "/events"), (house.bets, "/bets")):
        assert (await service.client.get(path, headers=by(tokens[0]))).status_code == 401
        assert (await service.client.get(path, headers=by(tokens[-1]))).status_code == 200


async def test_static_tokens_are_exchanged_in_three_steps(house: House) -> None:
    """line-provider takes two, bet-maker and the desk change, line-provider drops the old ones."""
    line = house.line.client
    desk, new_desk = secret("desk 1"), secret("desk 2")
    event = {"event_id": "open", "coefficient": 2}
    assert (await line.post("/events", json=event, headers=by(desk))).status_code == 201
    user = await house.token()
    used = [desk]
    bet = {"event_id": "open", "amount": 1}
    async with asyncio.timeout(10):
        while not (await house.bets.client.get("/events/open", headers=by(user))).is_success:
            await asyncio.sleep(0.02)
    async with asking(
        lambda: line.post("/events", json=event, headers=by(used[-1])),
        lambda: house.bets.client.post("/bets", json=bet, headers=by(user)),
        lambda: house.bets.client.get("/readyz"),
    ) as statuses:
        feed, new_feed = f"bet-maker={secret('feed 1')}", f"bet-maker={secret('feed 2')}"
        house.write(operators=f"desk={desk}\ndesk={new_desk}\n", feed=f"{feed}\n{new_feed}\n")
        await house.hang_up(house.line)
        used.append(new_desk)
        house.write(line=secret("feed 2"))
        await house.hang_up(house.bets)
        house.write(operators=f"desk={new_desk}", feed=new_feed)
        await asyncio.sleep(1.5)  # the feed's requests under way have ended
        await house.hang_up(house.line)
        await asyncio.sleep(1.5)
    assert set(statuses) <= {200, 201}
    assert len(statuses) > 50
    assert (await line.get("/events", headers=by(desk))).status_code == 401
    old = await line.get("/feed/snapshot", headers=by(secret("feed 1")))
    assert old.status_code == 401
    # bet-maker follows on: its feed is no older than the exchange.
    await house.bets.until_ready(within_s=5)
    assert (await house.bets.client.post("/bets", json=bet, headers=by(user))).status_code == 201


async def test_a_hangup_while_a_service_starts_is_not_lost(tmp_path: Path) -> None:
    """What it had read by then is read anew."""
    pipe = tmp_path / "jwt"
    os.mkfifo(pipe)
    line = Service("line-provider", tmp_path, LINE_PROVIDER_JWT_SECRET_FILE=str(pipe))
    await line.start()
    try:
        async with read_by_now(pipe) as settings:
            line.signal(signal.SIGHUP)
            pipe.unlink()
            os.mkfifo(pipe)  # another one, which only a second reading opens
            settings.write(OLD)
        async with read_by_now(pipe) as settings:
            settings.write(NEW)
        await line.until_ready()
        for signed_by, status in ((OLD, 401), (NEW, 200)):
            token = Signing(SecretStr(signed_by)).issue(Principal("desk", "operator", 1))
            assert (await line.client.get("/events", headers=by(token))).status_code == status
    finally:
        await line.kill()
        await line.client.aclose()


WRONG = (
    ("line", "jwt", "short", "LINE_PROVIDER_JWT_SECRET"),
    ("line", "jwt", "", "LINE_PROVIDER_JWT_SECRET_FILE"),
    ("bets", "jwt", "changeme" * 8, "BET_MAKER_JWT_SECRET"),
    ("bets", "jwt", None, "BET_MAKER_JWT_SECRET_FILE"),
    ("line", "operators", f"desk={'k3Y' * 3}", "LINE_PROVIDER_OPERATOR_TOKENS"),
    ("line", "operators", secret("desk 1"), "LINE_PROVIDER_OPERATOR_TOKENS"),
    ("line", "feed", f"{secret('feed 1')}=bet-maker", "LINE_PROVIDER_FEED_TOKENS"),
    ("bets", "line", f"bet-maker={secret('feed 1')}", "BET_MAKER_LINE_PROVIDER_TOKEN"),
)


async def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    """One line names the setting and shows no secret; what was taken is still taken."""
    house = House(tmp_path, 1)
    desk = by(secret("desk 1"))
    async with running(house.line, house.bets):
        token = await house.token()
        for service, name, content, setting in WRONG:
            before = (tmp_path / name).read_text()
            house.write(operators=f"desk={secret('desk 2')}", previous=NEW)  # not taken either
            (tmp_path / name).unlink()
            if content is not None:
                house.write(**{name: content})
            (line,) = await house.hang_up(getattr(house, service), "kept as they are")
            assert json.loads(line)["why"].startswith(f"{setting}: ")
            assert len(line) < 400
            for shown in (content, secret("desk 1"), secret("feed 1"), OLD, NEW):
                assert not shown or shown not in line
            for one, path in ((house.line, "/events"), (house.bets, "/bets")):
                assert (await one.client.get(path, headers=by(token))).status_code == 200
            assert (await house.line.client.get("/events", headers=desk)).status_code == 200
            house.write(**{name: before})
        house.write(operators=f"desk={secret('desk 2')}")
        await house.hang_up(house.line)
        assert (await house.line.client.get("/events", headers=desk)).status_code == 401


def test_open_mode_neither_begins_nor_ends_while_a_service_runs(tmp_path: Path) -> None:
    """Who tries is told that this wants a restart."""
    closed_line = LineProviderSettings(jwt_secret=SecretStr(NEW))
    closed_bets = BetMakerSettings(jwt_secret=SecretStr(NEW), standalone=True)
    for app, anew in (
        (line_provider(tmp_path), closed_line),
        (bet_maker(tmp_path, None), closed_bets),
        (line_provider(tmp_path, jwt_secret=SecretStr(NEW)), LineProviderSettings()),
        (bet_maker(tmp_path, None, jwt_secret=SecretStr(NEW)), BetMakerSettings(standalone=True)),
    ):
        with pytest.raises(WrongSetting, match="restart"):
            app.state.take_secrets(anew)
