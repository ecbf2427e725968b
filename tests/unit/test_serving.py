"""Serving: sockets that fail early, answers that are not held back, and an end that drains."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import httpx2
import pytest
import uvloop

from stakeline.web import serving
from stakeline.web.binding import bind
from stakeline.web.shares import Share
from tests.serving import line_provider
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

pytestmark = pytest.mark.usefixtures("spared_by_signals")


def address(sock: socket.socket) -> str:
    """The URL of what listens there."""
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


def client_of(sock: socket.socket) -> httpx2.AsyncClient:
    """A client of what listens there."""
    return httpx2.AsyncClient(base_url=address(sock), timeout=10, trust_env=False)


async def answering(client: httpx2.AsyncClient) -> None:
    """Return once the service answers."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.get("/healthz")
            except httpx2.TransportError:
                await asyncio.sleep(0.01)
            else:
                return


def test_a_taken_port_fails_at_once() -> None:
    """Whoever starts a service on a taken port hears of it before anything else starts."""
    with closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_ipv6_gets_a_socket_of_its_family() -> None:
    """`::1` is loopback as well."""
    try:
        sock = bind("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with closing(sock):
        assert sock.family == socket.AF_INET6


async def test_a_small_answer_is_not_held_back() -> None:
    """No part of an answer waits for the client's system to confirm another: that takes 40 ms."""
    sock = bind("127.0.0.1", 0)
    app = create_app()
    task = asyncio.create_task(serving.serve(app, sock))
    took_s = []
    async with client_of(sock) as client:
        await answering(client)
        for _ in range(9):
            began = time.perf_counter()
            await client.post("/orders", json={"amount": 1})
            took_s.append(time.perf_counter() - began)
    os.kill(os.getpid(), signal.SIGTERM)
    await task
    assert statistics.median(took_s) < 0.025


async def test_sigterm_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ready first, then what is under way is answered, then it ends without an error."""
    monkeypatch.setattr(serving, "DRAIN_S", 0.4)
    sock, app = bind("127.0.0.1", 0), create_app()
    task = asyncio.create_task(serving.serve(app, sock))
    async with client_of(sock) as client:
        await answering(client)
        late = asyncio.create_task(client.get("/slow"))
        await app.state.began.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.2)
        async with client_of(sock) as gateway:  # may still come, and is told to go elsewhere
            readiness = await gateway.get("/readyz")
        assert (readiness.status_code, readiness.json()["reason"]) == (503, "shutting down")
        await asyncio.sleep(serving.DRAIN_S)
        assert not task.done()
        app.state.go_on.set()
        assert (await late).json() == "at last"
        async with asyncio.timeout(5):
            await task
        with pytest.raises(httpx2.TransportError):
            await client.get("/healthz")


async def test_a_second_interrupt_stops_at_once() -> None:
    """Whoever presses Ctrl-C twice does not wait for what is under way."""
    sock, app = bind("127.0.0.1", 0), create_app()
    task = asyncio.create_task(serving.serve(app, sock))
    async with client_of(sock) as client:
        await answering(client)
        late = asyncio.create_task(client.get("/slow"))
        await app.state.began.wait()
        began = time.perf_counter()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            await task
        assert time.perf_counter() - began < serving.GRACE_S / 2
        app.state.go_on.set()
        await asyncio.gather(late, return_exceptions=True)


def stop_once_it_answers(app: FastAPI, sock: socket.socket) -> None:
    """SIGTERM to this process, as soon as the service answers."""
    with httpx2.Client(base_url=address(sock), timeout=10, trust_env=False) as client:
        while not client.get("/readyz").is_success:
            time.sleep(0.01)
    assert not app.state.draining
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_service_runs_until_a_signal_comes() -> None:
    """`run` serves on its own event loop and returns after SIGTERM."""
    sock, app = bind("127.0.0.1", 0), create_app()
    sock.listen()  # so that the first request waits instead of failing
    stopper = threading.Thread(target=stop_once_it_answers, args=(app, sock))
    stopper.start()
    serving.run(app, sock, lambda: None)
    stopper.join()
    assert app.state.draining


def test_a_forced_end_breaks_answers_off_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever presses Ctrl-C twice knows that what is being sent does not come to its end."""
    sock, app = bind("127.0.0.1", 0), create_app()
    sock.listen()

    def interrupt() -> None:
        with httpx2.stream("GET", f"{address(sock)}/long", trust_env=False) as answer:
            parts = answer.iter_bytes()
            assert next(parts) == b"the beginning"
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
            with pytest.raises(httpx2.TransportError):
                next(parts)

    with ThreadPoolExecutor() as pool:
        interrupted = pool.submit(interrupt)
        serving.run(app, sock, lambda: None)
        interrupted.result(timeout=10)
    assert [each.message for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_other_processes_know_how_many_connections_there_are() -> None:
    """While it serves, when they end, and that there will be none after its end."""
    sock = bind("127.0.0.1", 0)

    async def become(connections: Callable[[int], bool]) -> None:
        async with asyncio.timeout(5):
            while not connections(other.least()):
                await asyncio.sleep(0.01)

    with Share.made(2) as file:
        own, other = (Share.of(file.fileno(), number) for number in range(2))
        task = asyncio.create_task(serving.serve(create_app(), sock, own))
        async with client_of(sock) as client:
            await answering(client)
            await become(lambda least: least == 1)
        await become(lambda least: least == 0)
        signal.raise_signal(signal.SIGTERM)
        await task
        assert other.least() > 1_000_000


@pytest.mark.sqlite
def test_what_fails_at_the_start_reaches_the_caller(tmp_path: Path) -> None:
    """An application that cannot start does not serve."""
    (tmp_path / "line-provider.sqlite3").write_bytes(b"no database" * 1000)
    with closing(bind("127.0.0.1", 0)) as sock, pytest.raises(OSError, match="not a database"):
        serving.run(line_provider(tmp_path), sock, lambda: None)


def test_new_connections_need_not_wait_for_a_turn_each() -> None:
    """Turns of the loop that serves: under load each takes tens of milliseconds."""

    async def turns_for(count: int) -> int:
        sock = bind("127.0.0.1", 0)
        task = asyncio.create_task(serving.serve(create_app(), sock))
        async with client_of(sock) as client:
            await answering(client)
        new = [socket.create_connection(sock.getsockname()) for _ in range(count)]
        for each in new:
            each.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        turns, silent = 0, new
        while silent:
            await asyncio.sleep(0)
            turns += 1
            answered, _, _ = select.select(silent, [], [], 0)
            silent = [each for each in silent if each not in answered]
        for each in new:
            each.close()
        signal.raise_signal(signal.SIGTERM)
        await task
        return turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asyncio.wait_for(turns_for(64), 20)) < 48
