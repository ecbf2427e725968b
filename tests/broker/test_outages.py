"""Whatever becomes of the broker and its messages: no bet is refused, and the end is the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.broker.exchange import connected
from tests.broker.services import bet_maker, line_provider, metric
from tests.processes import running
from tests.system.checker import (
    all_bets,
    check_acknowledged,
    check_feed,
    check_keys,
    check_outcomes,
    check_prices,
    same_line,
)
from tests.system.crowd import Crowd, Operator
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.broker.rabbit import Rabbit
    from tests.processes import Service

    Fault = Callable[["Scene"], Awaitable[None]]

USERS = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """Both services under load, each with a wire of its own to the broker."""

    rabbit: Rabbit
    line: Service
    bets: Service
    line_wire: Wire
    bets_wire: Wire

    async def until_connected(self) -> None:
        """Return once both use the broker."""
        async with asyncio.timeout(30):
            for service in (self.line, self.bets):
                while await metric(service, "stakeline_broker_connected") != 1:
                    await asyncio.sleep(0.05)


async def be_stopped(scene: Scene) -> None:
    """It is killed for ten seconds."""
    scene.rabbit.stop()
    await asyncio.sleep(10)
    await asyncio.to_thread(scene.rabbit.start)


async def be_wiped(scene: Scene) -> None:
    """It is killed, and starts with nothing of what it had."""
    scene.rabbit.stop()
    scene.rabbit.wipe()
    await asyncio.to_thread(scene.rabbit.start)


async def be_parted_from_the_line(scene: Scene) -> None:
    """Not a byte passes between it and line-provider, though connections stand."""
    scene.line_wire.hold()
    await asyncio.sleep(5)
    scene.line_wire.flow()


async def be_parted_from_the_bets(scene: Scene) -> None:
    """Not a byte passes between it and bet-maker, though connections stand."""
    scene.bets_wire.hold()
    await asyncio.sleep(8)
    scene.bets_wire.flow()


async def break_connections(scene: Scene) -> None:
    """Every connection breaks, again and again."""
    for _ in range(8):
        for wire in (scene.line_wire, scene.bets_wire):
            wire.cut()
            wire.flow()
        await asyncio.sleep(0.3)


async def forge(scene: Scene) -> None:
    """Items come doubled, in any order, with other contents, and with none at all."""
    async with connected(scene.rabbit.url) as exchange:
        queue = await exchange.bind()
        for _ in range(5):
            real = [got.body for got in await queue.take()]
            lies = [body.replace(b"WIN", b"LOSE").replace(b'"seq":', b'"seq":9') for body in real]
            bodies = [*real, *lies, *[b"\xff" * 70_000] * 20]
            random.shuffle(bodies)
            await exchange.storm(bodies[:300])
            queue.got.clear()
            await asyncio.sleep(0.2)


async def block_publishers(scene: Scene) -> None:
    """It has no disk or memory left, and takes nothing from who publishes."""
    command = scene.rabbit.command
    limit = "set_vm_memory_high_watermark"
    await asyncio.to_thread(command, limit, "0.00001")
    try:
        await asyncio.sleep(5)
    finally:
        await asyncio.to_thread(command, limit, "0.4")


@pytest.mark.timeout(
    300
)  # some 30 s, but RabbitMQ's own commands take ten times as long under load
@pytest.mark.parametrize(
    "faults",
    [
        [be_stopped, be_wiped],
        [be_parted_from_the_line, be_parted_from_the_bets, break_connections],
        [forge, block_publishers],
    ],
    ids=["stopped", "parted", "lied to"],
)
async def test_the_end_is_the_same(tmp_path: Path, rabbit: Rabbit, faults: list[Fault]) -> None:
    """Users bet on, every result arrives, and afterwards every item is published."""
    line_wire, bets_wire = Wire(rabbit.url), Wire(rabbit.url)
    async with line_wire.up(), bets_wire.up():
        line = line_provider(tmp_path, line_wire.url)
        bets = bet_maker(tmp_path, line.url, bets_wire.url)
        async with running(line, bets):
            scene = Scene(rabbit, line, bets, line_wire, bets_wire)
            await scene.until_connected()
            operator = Operator(line, "match")
            crowd = Crowd(operator, [bets])
            async with crowd.at_work(USERS):
                for fault in faults:
                    await fault(scene)
                    await scene.until_connected()
            await check(scene, operator, crowd)
            troubled = line if block_publishers in faults else bets
            assert "the broker cannot be used" in troubled.log.read_text()


async def check(scene: Scene, operator: Operator, crowd: Crowd) -> None:
    """Nothing was refused, lost or doubled; the relay has passed every item; both end in time."""
    events = await same_line(scene.line, scene.bets, operator.results)
    bets = await all_bets(scene.bets.client, operator.results)
    assert {event_id: event["status"] for event_id, event in events.items()} == operator.results
    assert crowd.retries == 0
    assert len(bets) > 20
    check_acknowledged(bets, crowd.asked)
    check_outcomes(bets, events)
    await check_prices(scene.line.client, bets)
    check_keys(scene.bets.database)
    check_feed(scene.line.database)
    async with asyncio.timeout(30):
        while await metric(scene.line, "stakeline_relay_lag_items") != 0:
            await asyncio.sleep(0.05)
    assert [await scene.bets.stop(), await scene.line.stop()] == [0, 0]
    for service in (scene.line, scene.bets):
        log = service.log.read_text()
        assert "Traceback" not in log
        assert "guest" not in log


async def test_either_side_starts_without_a_broker_and_ends_without_it(
    tmp_path: Path, rabbit: Rabbit
) -> None:
    """They serve; all that happened is published when it comes; and one that hangs holds no end."""
    line_wire, bets_wire = Wire(rabbit.url), Wire(rabbit.url)
    async with line_wire.up(), bets_wire.up():
        line_wire.hold()
        bets_wire.cut()
        line = line_provider(tmp_path, line_wire.url)
        bets = bet_maker(tmp_path, line.url, bets_wire.url)
        async with running(line, bets), connected(rabbit.url) as exchange:
            queue = await exchange.bind()
            await line.client.post("/events", json={"event_id": "derby", "coefficient": "1.95"})
            await same_line(line, bets, ["derby"])
            assert await queue.take() == []
            for wire in (line_wire, bets_wire):
                wire.flow()
            await queue.until_seqs(1)
            await Scene(rabbit, line, bets, line_wire, bets_wire).until_connected()
            for wire in (line_wire, bets_wire):
                wire.hold()
            await line.client.post("/events", json={"event_id": "final", "coefficient": "1.95"})
            await same_line(line, bets, ["final"])
            assert [await bets.stop(), await line.stop()] == [0, 0]


async def test_messages_that_are_all_lost_cost_latency_only(tmp_path: Path, rabbit: Rabbit) -> None:
    """bet-maker hears a broker on which nothing of line-provider's ever arrives."""
    await asyncio.to_thread(rabbit.command, "add_vhost", "lost")
    await asyncio.to_thread(rabbit.command, "set_permissions", "-p", "lost", "guest", *[".*"] * 3)
    line = line_provider(tmp_path, rabbit.url)
    bets = bet_maker(tmp_path, line.url, f"{rabbit.url}lost")
    async with running(line, bets):
        operator = Operator(line, "match")
        crowd = Crowd(operator, [bets])
        async with crowd.at_work(1):
            await asyncio.sleep(3)
        events = await same_line(line, bets, operator.results)
        history = await all_bets(bets.client, operator.results)
        check_acknowledged(history, crowd.asked)
        check_outcomes(history, events)
