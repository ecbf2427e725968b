"""Fixtures of the unit tests: what a test changes of its own process is put back."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from tests.serving import Served, serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Logging as it was before the test."""
    root, known = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    levels = {
        name: logging.getLogger(name).level for name in ("aiosqlite", "httpx2", "uvicorn.access")
    }
    yield
    root.handlers = handlers
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
    structlog.configure(**known)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def spared_by_signals() -> Iterator[None]:
    """A stray SIGTERM or SIGINT does not end the tests."""
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(name, lambda *_: None) for name in names]
    yield
    for name, was in zip(names, before, strict=True):
        signal.signal(name, was)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sample() -> AsyncIterator[Served]:
    """The sample service, shared by the tests of a module."""
    async with serving(create_app()) as served:
        yield served
