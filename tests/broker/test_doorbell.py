"""The doorbell: it rings soon after anything is published, and comes back from everything."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stakeline import background, broker
from tests.ports import HOST, free_port
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.broker.exchange import Exchange
    from tests.broker.rabbit import Rabbit

pytestmark = pytest.mark.sqlite  # it needs no database: with one engine is enough


class Doorbell:
    """A doorbell that counts its rings."""

    def __init__(self, url: str) -> None:
        self.rings = 0
        self.registry = CollectorRegistry()
        self._broker = broker.Broker(url, "a test", self.registry)

    def ring(self) -> None:
        """It rings."""
        self.rings += 1

    @property
    def works(self) -> bool:
        """Whether its gauge says so."""
        return self.registry.get_sample_value("stakeline_broker_connected") == 1

    async def until(self, condition: Callable[[], object], within_s: float = 30) -> None:
        """Return once it holds."""
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_rung(self, within_s: float = 30) -> None:
        """Return once it has rung again."""
        before = self.rings
        await self.until(lambda: self.rings > before, within_s)

    @asynccontextmanager
    async def hung(self) -> AsyncIterator[Doorbell]:
        """The doorbell, heard until the block ends, which it does soon."""
        with capture_logs() as self.logged:
            async with background.running(self._broker.hear_for_ever(self.ring)):
                yield self
                began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5

    def told(self) -> list[Any]:
        """What was logged."""
        return [line["event"] for line in self.logged]


@pytest.fixture
async def bell(broker_url: str, exchange: Exchange) -> AsyncIterator[Doorbell]:
    """A doorbell that is heard."""
    await exchange.declare()
    async with Doorbell(broker_url).hung() as hung:
        await hung.until(lambda: hung.works)
        yield hung


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff" * 70_000], ids=["empty", "JSON", "64 KiB"])
async def test_it_rings_whatever_is_published(
    bell: Doorbell, exchange: Exchange, body: bytes
) -> None:
    """Nobody looks at the message."""
    waiting = asyncio.create_task(bell.until_rung(within_s=broker.CHECK_S - 1))
    await asyncio.sleep(0)
    await exchange.publish(body, "anything")
    await waiting
    assert bell.told() == []


async def test_a_storm_is_a_few_rings(bell: Doorbell, exchange: Exchange) -> None:
    """However much is published, at most fifty rings a second, and one after the last message."""
    loop = asyncio.get_running_loop()
    bell.rings, began = 0, loop.time()
    for _ in range(4):
        await exchange.storm([b"\xff" * 300] * 2500)
    heard, took_s = bell.rings, loop.time() - began
    assert 0 < heard <= took_s / broker.REST_S + 3
    await asyncio.sleep(10 * broker.REST_S)  # what was still on its way
    last = asyncio.create_task(bell.until_rung(within_s=2))
    await asyncio.sleep(0)
    await exchange.publish(b"the last")
    await last


async def test_it_is_hung_again_when_somebody_takes_it_off(
    bell: Doorbell, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange is deleted under it, and nobody tells: it looks after itself."""
    monkeypatch.setattr(broker, "CHECK_S", 0.2)
    await exchange.delete()
    await bell.until_rung()  # it looks every now and then, and rings
    monkeypatch.setattr(broker, "CHECK_S", 1000)
    await bell.until_rung()
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(bell.until_rung(within_s=2))
    await asyncio.sleep(0)
    await exchange.publish(b"")
    await waiting


async def test_a_queue_that_was_deleted_is_made_anew(
    rabbit: Rabbit, bell: Doorbell, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once when it is gone and once when it works again."""
    monkeypatch.setattr(broker, "CHECK_S", 0.2)
    await bell.until_rung()
    (queue,) = await asyncio.to_thread(rabbit.queues)
    await asyncio.to_thread(rabbit.command, "delete_queue", queue)
    await bell.until(lambda: len(bell.told()) == 2)
    assert bell.told() == ["the broker cannot be used", "the broker works again"]
    await exchange.publish(b"")


async def test_it_may_be_hung_before_there_is_a_broker(rabbit: Rabbit) -> None:
    """It waits for the broker, says once that there is none, and rings when it comes."""
    rabbit.stop()
    try:
        async with Doorbell(rabbit.url).hung() as bell:
            await bell.until(bell.told)
            await bell.until(lambda: not bell.works)
            await asyncio.to_thread(rabbit.start)
            await bell.until_rung()
            await bell.until(lambda: bell.works)
            assert bell.told() == ["the broker cannot be used", "the broker works again"]
            rabbit.stop()
            await bell.until(lambda: not bell.works)
            rabbit.wipe()
            await asyncio.to_thread(rabbit.start)
            await bell.until_rung()
            await bell.until(lambda: bell.works)
    finally:
        if rabbit.process.poll() is not None:
            rabbit.start()


async def test_a_broker_that_hangs_is_given_up(
    broker_url: str, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections stand, and not a byte comes: it notices, and works again when bytes come."""
    monkeypatch.setattr(broker, "CHECK_S", 0.2)
    await exchange.declare()
    wire = Wire(broker_url)
    async with wire.up(), Doorbell(wire.url).hung() as bell:
        for _ in range(2):
            await bell.until(lambda: bell.works)
            wire.hold()
            await bell.until(lambda: not bell.works)
            wire.flow()
        await bell.until_rung()
        wire.hold()  # and it ends in time all the same


async def test_it_ends_in_time_however_the_broker_hangs(broker_url: str) -> None:
    """Also while it connects, to a peer that takes the connection and says nothing."""
    wire = Wire(broker_url)
    async with wire.up():
        wire.hold()
        async with Doorbell(wire.url).hung() as bell:
            await bell.until(bell.told)


async def test_a_wrong_password_is_said_once_and_never_shown(broker_url: str) -> None:
    """Nothing that is logged has it."""
    url = broker_url.replace("//guest:guest@", "//guest:correct-horse@")
    async with Doorbell(url).hung() as bell:
        await bell.until(bell.told)
        await asyncio.sleep(0.5)
        (line,) = bell.logged
    assert "ACCESS_REFUSED" in line["why"]
    assert "correct-horse" not in str(bell.logged)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01" * 4096])
async def test_what_is_no_broker_is_no_harm(says: bytes) -> None:
    """Whatever answers there: it goes on trying, and says once that it cannot."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(answer, HOST, port)
    async with Doorbell(f"amqp://guest:guest@{HOST}:{port}/").hung() as bell:
        await bell.until(bell.told)
        await asyncio.sleep(0.5)
        assert bell.told() == ["the broker cannot be used"]
        assert not bell.works
    server.close()
