"""A line that is not heard, whether frozen, cut, held up or dripping, takes no bets."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from tests.processes import Service, bet_maker, line_provider, running
from tests.system.checker import same_line
from tests.system.suspension import bet_on, check_suspended, until_refused, until_taken
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVENT = "match"


async def lose_and_find(
    bets: Service, lose: Callable[[], None], find: Callable[[], None], says: str
) -> None:
    """Bets are refused within 6 s of the loss, and taken within 2 s of its end."""
    made = await bet_on(bets, EVENT)
    lose()
    try:
        await until_refused(bets, EVENT, within_s=6)
        assert says in await check_suspended(bets, made)
        await asyncio.sleep(0.5)
        assert says in await check_suspended(bets, made)
    finally:
        find()
    await until_taken(bets, EVENT)


async def test_no_bets_are_taken_on_a_line_that_is_not_heard(tmp_path: Path) -> None:
    """Frozen, cut, black hole or drip: suspended while it lasts, with the reason, and no longer."""
    line, frozen = (
        line_provider(tmp_path, "line"),
        line_provider(tmp_path, "frozen"),
    )
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(line.url).up()) for _ in range(3)]
        cut, held, dripping = wires
        urls = [*(wire.url for wire in wires), frozen.url]
        makers = [bet_maker(tmp_path, url, f"bets-{n}") for n, url in enumerate(urls)]
        await stack.enter_async_context(running(line, frozen, *makers))
        for provider in (line, frozen):
            event = {"event_id": EVENT, "coefficient": "1.95"}
            assert (await provider.client.post("/events", json=event)).status_code == 201
        for bets in makers:
            await same_line(frozen if bets is makers[-1] else line, bets, [EVENT])

        def drip(*, on: bool) -> None:
            dripping.drips = on

        away, late = "cannot be reached", "does not answer in time"
        await asyncio.gather(
            lose_and_find(makers[0], cut.cut, cut.flow, away),
            lose_and_find(makers[1], held.hold, held.flow, late),
            lose_and_find(makers[2], lambda: drip(on=True), lambda: drip(on=False), late),
            lose_and_find(
                makers[3],
                lambda: frozen.signal(signal.SIGSTOP),
                lambda: frozen.signal(signal.SIGCONT),
                late,
            ),
        )
