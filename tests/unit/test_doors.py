"""Doors: who takes which connection, and what happens to those that cannot be taken."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from stakeline.web import doors
from stakeline.web.binding import bind
from stakeline.web.doors import Door
from stakeline.web.shares import Share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Knock = Callable[[int], None]
    Build = Callable[..., "House"]


class Sock(socket.socket):
    """A socket whose next connection cannot be taken, if there is a reason."""

    fails: int | None = None

    def accept(self) -> tuple[socket.socket, object]:
        """Take the next connection, or fail."""
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise OSError(error, os.strerror(error))
        return super().accept()


class House:
    """A door, and the connections that it has taken."""

    def __init__(self, sock: socket.socket, share: Share | None = None) -> None:
        self.taken: list[asyncio.Transport] = []
        self.door = Door(sock, self._protocol, lambda: len(self.taken), share)

    def _protocol(self) -> asyncio.Protocol:
        house = self

        class Guest(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                house.taken.append(transport)

        return Guest()

    def leave(self, connections: int) -> None:
        """End so many of them."""
        for transport in self.taken[:connections]:
            transport.abort()
        del self.taken[:connections]


@pytest.fixture
def sock() -> Iterator[Sock]:
    """A bound socket, with which nothing is wrong yet."""
    with Sock(fileno=bind("127.0.0.1", 0).detach()) as sock:
        yield sock


@pytest.fixture
def knock(sock: Sock) -> Iterator[Knock]:
    """Connects so many times, and stays."""
    with ExitStack() as stack:

        def connect(times: int) -> None:
            for _ in range(times):
                stack.enter_context(socket.create_connection(sock.getsockname()))

        yield connect


@pytest_asyncio.fixture
async def build(sock: Sock) -> AsyncIterator[Build]:
    """Makes a house with a door on the socket, as if in a process of its own."""
    built = []
    with ExitStack() as stack:

        def house(share: Share | None = None, fails: int | None = None) -> House:
            own = stack.enter_context(sock.dup())
            own.fails = fails
            built.append(House(own, share))
            return built[-1]

        yield house
        for each in built:
            await each.door.close()
            each.leave(len(each.taken))


@pytest.fixture
def shares() -> Iterator[list[Share]]:
    """Those of three processes, none of which takes connections yet."""
    with Share.made(3) as file:
        yield [Share.read(f"{file.fileno()}:{number}") for number in range(3)]


async def until(number: int, *houses: House) -> None:
    """Return once these have taken so many connections together."""
    async with asyncio.timeout(5):
        while sum(len(house.taken) for house in houses) < number:
            await asyncio.sleep(0.001)


async def test_a_lone_door_takes_all_that_come(build: Build, knock: Knock) -> None:
    """More than it takes at a turn of the loop, too."""
    house = build()
    knock(3 * doors.MOST)
    await until(3 * doors.MOST, house)


async def test_connections_are_shared(build: Build, knock: Knock, shares: list[Share]) -> None:
    """Both have as many, whether they come one by one or all at once; an absent one counts not."""
    one, other = build(shares[0]), build(shares[2])
    for number in range(1, 11):
        knock(1)
        await until(number, one, other)
    assert {len(one.taken), len(other.taken)} == {5}
    knock(90)
    await until(100, one, other)
    assert abs(len(one.taken) - len(other.taken)) <= 100 / 8


async def test_who_has_lost_connections_takes_the_next_ones(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """The others know of it as soon as it is noted."""
    one, other = build(shares[0]), build(shares[1])
    knock(40)
    await until(40, one, other)
    left = len(one.taken)
    other.leave(len(other.taken))
    other.door.note()
    for number in range(left + 1, left + 9):
        knock(1)
        await until(number, one, other)
    assert (len(one.taken), len(other.taken)) == (left, 8)


async def test_what_a_frozen_process_leaves_is_taken(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """It has fewest and takes none, and nobody waits for it for long."""
    shares[1].room(0)
    house = build(shares[0])
    began = asyncio.get_running_loop().time()
    knock(100)
    await until(100, house)
    took = asyncio.get_running_loop().time() - began
    assert took > doors.LEAVE_S  # it was given the time to take some


async def test_a_door_without_room_waits_for_some(
    build: Build, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once, does not spin, and the connection is taken later."""
    monkeypatch.setattr(doors, "FULL_S", 0.1)
    house = build(fails=errno.EMFILE)
    began = asyncio.get_running_loop().time()
    with structlog.testing.capture_logs() as said:
        knock(1)
        await until(1, house)
    assert asyncio.get_running_loop().time() - began >= 0.09
    assert [(line["event"], line["why"]) for line in said] == [
        ("no connection can be taken", "Too many open files")
    ]


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN])
async def test_a_connection_that_is_gone_already_holds_nobody_up(
    build: Build, knock: Knock, error: int
) -> None:
    """What was wrong with it (accept(2), "Error handling") is no matter of the next one's."""
    house = build(fails=error)
    with structlog.testing.capture_logs() as said:
        knock(2)
        await until(2, house)
    assert not said


async def test_a_closed_door_has_begun_what_it_took_and_takes_no_more(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """Whoever ends connections then ends all of them; the others no longer reckon with it."""
    house = build(shares[0])
    knock(1)
    while not house.door._begun:  # taken, but not begun
        await asyncio.sleep(0)
    assert not house.taken
    await house.door.close()
    assert len(house.taken) == 1
    knock(1)
    await asyncio.sleep(2 * doors.LEAVE_S)
    assert len(house.taken) == 1
    assert shares[1].room(40) > 0


async def test_a_door_that_leaves_connections_to_others_can_be_closed(
    build: Build, knock: Knock, shares: list[Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken when it would have looked again."""
    monkeypatch.setattr(doors, "LEAVE_S", 0.1)
    shares[1].room(0)
    house = build(shares[0])
    knock(2)
    await until(1, house)
    await asyncio.sleep(0.01)
    await house.door.close()
    await asyncio.sleep(2 * doors.LEAVE_S)
    assert len(house.taken) == 1
