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
    """A socket whose next connection cannot be taken, if there is a reason; others are counted."""

    fails: int | None = None
    taken = 0

    def accept(self) -> tuple[socket.socket, object]:
        """Take the next connection, or fail."""
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise OSError(error, os.strerror(error))
        accepted = super().accept()
        self.taken += 1
        return accepted


class Guest(asyncio.Protocol):
    """A connection, which is among those of its house once it is made."""

    def __init__(self, guests: dict[Guest, asyncio.Transport]) -> None:
        self.guests = guests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        assert isinstance(transport, asyncio.Transport)
        self.guests[self] = transport


class House:
    """A door, and the connections that it has taken."""

    def __init__(self, sock: Sock, share: Share) -> None:
        self.sock = sock
        self.guests: dict[Guest, asyncio.Transport] = {}
        self.door = Door(sock, lambda: Guest(self.guests), self.guests, share)

    def leave(self, connections: int) -> None:
        """End so many of them."""
        for guest in [*self.guests][:connections]:
            self.guests.pop(guest).abort()


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
            built.append(House(own, share or Share.whole()))
            return built[-1]

        yield house
        for each in built:
            await each.door.close()
            each.leave(len(each.guests))


@pytest.fixture
def shares() -> Iterator[list[Share]]:
    """Those of three processes, none of which takes connections yet."""
    with Share.made(3) as file:
        yield [Share.read(f"{file.fileno()}:{number}") for number in range(3)]


async def until(number: int, *houses: House) -> None:
    """Return once these have taken so many connections together, and are done with it."""
    async with asyncio.timeout(5):
        while sum(len(house.guests) for house in houses) < number or any(
            house.door._begun for house in houses
        ):
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("others", ["none", "absent", "many"])
async def test_no_more_than_some_are_taken_at_a_turn(
    build: Build, knock: Knock, shares: list[Share], others: str
) -> None:
    """Nor fewer, where no other process has fewer: all that come are taken by as many turns."""
    if others == "many":
        shares[1].note(1000)
    house = build(None if others == "none" else shares[0])
    knock(3 * doors.MOST)
    for turn in range(1, 4):
        async with asyncio.timeout(5):
            while house.sock.taken < turn * doors.MOST:
                await asyncio.sleep(0)
        assert house.sock.taken == turn * doors.MOST
    await until(3 * doors.MOST, house)
    assert all(each.get_extra_info("socket").gettimeout() == 0 for each in house.guests.values())


async def test_connections_are_shared(build: Build, knock: Knock, shares: list[Share]) -> None:
    """Both have as many, whether they come one by one or all at once; an absent one counts not."""
    one, other = build(shares[0]), build(shares[2])
    for number in range(1, 11):
        knock(1)
        await until(number, one, other)
    assert {len(one.guests), len(other.guests)} == {5}
    knock(90)
    await until(100, one, other)
    assert abs(len(one.guests) - len(other.guests)) <= 100 / 8


async def test_where_many_are_an_eighth_is_no_matter(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """So that many that come at once are not handed to and fro one by one."""
    shares[1].note(80)
    house = build(shares[0])
    knock(80 + 10 + 1)
    for _ in range(100):  # no time goes by in which it could leave some to others
        await asyncio.sleep(0)
    assert len(house.guests) == 91


async def test_others_know_at_once_how_many_there_are(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """Of one that is new; of one that is gone when the door is told to note it."""
    assert shares[1].least() > 1_000_000
    house = build(shares[0])
    assert shares[1].least() == 0
    knock(3)
    await until(3, house)
    assert shares[1].least() == 3
    house.leave(2)
    house.door.note()
    assert shares[1].least() == 1


async def test_who_has_lost_connections_takes_the_next_ones(
    build: Build, knock: Knock, shares: list[Share]
) -> None:
    """The others know of it as soon as it is noted."""
    one, other = build(shares[0]), build(shares[1])
    knock(40)
    await until(40, one, other)
    left = len(one.guests)
    other.leave(len(other.guests))
    other.door.note()
    for number in range(left + 1, left + 9):
        knock(1)
        await until(number, one, other)
    assert (len(one.guests), len(other.guests)) == (left, 8)


async def test_what_a_frozen_process_leaves_is_taken_soon(
    build: Build, knock: Knock, shares: list[Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has fewest and takes none: it is given the time to, but not for each connection anew."""
    monkeypatch.setattr(doors, "LEAVE_S", 0.02)
    shares[1].note(0)
    house = build(shares[0])
    began = asyncio.get_running_loop().time()
    knock(200)
    at_a_turn = [0]
    async with asyncio.timeout(5):
        while house.sock.taken < 200:
            before = house.sock.taken
            await asyncio.sleep(0)
            at_a_turn.append(house.sock.taken - before)
    took = asyncio.get_running_loop().time() - began
    assert doors.LEAVE_S < took < 100 * doors.LEAVE_S
    assert max(at_a_turn) == doors.MOST


async def test_what_a_busy_process_leaves_is_taken_one_by_one(
    build: Build, knock: Knock, shares: list[Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has fewer, and takes some, slowly: they are left to it, again and again."""
    monkeypatch.setattr(doors, "LEAVE_S", 0.02)
    house = build(shares[0])
    knock(100)
    await until(100, house)
    shares[1].note(0)
    knock(50)
    for busy in range(1, 11):
        shares[1].note(busy)
        await asyncio.sleep(doors.LEAVE_S)
    assert 100 < len(house.guests) <= 116


async def test_whoever_was_frozen_once_is_given_the_time_again(
    build: Build, knock: Knock, shares: list[Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once all that it left are taken, the next ones are left to it as the first ones were."""
    shares[1].note(0)
    house = build(shares[0])
    knock(100)
    await until(100, house)
    await asyncio.sleep(2 * doors.LEAVE_S)
    monkeypatch.setattr(doors, "LEAVE_S", 0.1)
    knock(8)
    await asyncio.sleep(0.15)
    assert house.sock.taken < 108


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_a_door_without_room_waits_for_some(
    build: Build, knock: Knock, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """It says so once, does not spin, and the connection is taken later."""
    monkeypatch.setattr(doors, "FULL_S", 0.1)
    house = build(fails=error)
    began = asyncio.get_running_loop().time()
    with structlog.testing.capture_logs() as said:
        knock(1)
        await until(1, house)
    assert asyncio.get_running_loop().time() - began >= 0.09
    assert [(line["event"], line["why"]) for line in said] == [
        ("no connection can be taken", os.strerror(error))
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
    assert not house.guests
    await house.door.close()
    assert len(house.guests) == 1
    knock(1)
    await asyncio.sleep(2 * doors.LEAVE_S)
    assert len(house.guests) == 1
    assert shares[1].least() > 1_000_000


async def test_a_door_that_leaves_connections_to_others_can_be_closed(
    build: Build, knock: Knock, shares: list[Share], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken when it would have looked again."""
    monkeypatch.setattr(doors, "LEAVE_S", 0.3)
    shares[1].note(0)
    house = build(shares[0])
    knock(2)
    await until(1, house)
    await asyncio.sleep(0.01)
    await house.door.close()
    await asyncio.sleep(2 * doors.LEAVE_S)
    assert len(house.guests) == 1
