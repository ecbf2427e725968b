"""Logs on standard error: one JSON object a line; on a terminal, lines for people."""

from __future__ import annotations

import logging
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

import structlog

if TYPE_CHECKING:
    from types import TracebackType


request_id: ContextVar[str | None] = ContextVar("stakeline_request_id", default=None)
"""The id of the request that this is done for; it stands in its lines."""


class _Lines(logging.StreamHandler[TextIO]):
    """Lines on a stream; what cannot be made one is told in one."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say which line is missing, where logging would print all there is over many lines."""
        self.stream.write(
            f'{{"event": "a line could not be logged", "logger": "{record.module}"}}\n'
        )


def configure(level: str, service: str) -> None:
    """Send the logs of this process, those of libraries included, to standard error.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        service: said in every line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderers: list[structlog.typing.Processor] = (
        [
            _neutralise,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
        if sys.stderr.isatty()
        else [structlog.processors.JSONRenderer()]
    )
    handler = _Lines(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # These tell every request and every wake-up, at INFO and DEBUG.
    for chatty in ("aiosqlite", "httpx2", "httpcore2", "uvicorn.access"):
        logging.getLogger(chatty).setLevel("WARNING")
    # These tell every attempt to reach the broker, as errors; `stakeline.broker` tells once.
    for chatty in ("aio_pika", "aiormq"):
        logging.getLogger(chatty).setLevel("CRITICAL")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What is below the level is not even put together: every request has a line at DEBUG.
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    structlog.contextvars.bind_contextvars(service=service)
    # What nobody catches, and what Python warns of, would otherwise be printed over many lines.
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda thread: _log_uncaught(
        thread.exc_type, thread.exc_value, thread.exc_traceback
    )


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    logging.getLogger("stakeline").critical("uncaught", exc_info=(kind, error or kind(), trace))


def _add_request_id(
    _: object, __: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if (given := request_id.get()) is not None:
        line["request_id"] = given
    return line


def _neutralise(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Show what would move the cursor or begin a line of its own, as JSON does by itself."""
    shown = {name: _shown(value) for name, value in line.items() if name != "exception"}
    if "exception" in line:
        lines = str(line["exception"]).split("\n")
        shown["exception"] = "\n".join(f"    {_shown(part)}" for part in lines)
    return shown


def _shown(value: object) -> object:
    return repr(value)[1:-1] if isinstance(value, str) and not value.isprintable() else value
