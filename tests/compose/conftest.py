"""One stack for all of these tests, from a clean state, gone at the end however they end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.compose.stack import Stack, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LOGS = pytest.StashKey[str]()


def pytest_configure() -> None:
    """Let an end by SIGTERM tidy up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The stack, built and started."""
    stack = Stack(tmp_path_factory.mktemp("compose"))
    try:
        stack.up()
        yield stack
    finally:
        try:
            request.config.stash[LOGS] = stack.logs()
        finally:
            stack.remove()


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack, ready: whatever a test before did to it."""
    doors = (running.line_provider, running.bet_maker)
    until(lambda: all(_ready(running, door) for door in doors), "the services are not ready")
    return running


def _ready(running: Stack, door: str) -> bool:
    return running.client.get(f"{door}/readyz").is_success


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Show what the containers said, where anything failed."""
    if exitstatus and LOGS in config.stash:
        terminalreporter.section("the containers' logs")
        terminalreporter.write_line(config.stash[LOGS])
