"""Logs on standard error: one JSON object a line; on a terminal, lines for people."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str, service: str) -> None:
    """Send the logs of this process, those of libraries included, to standard error.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        service: said in every line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
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
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.contextvars.bind_contextvars(service=service)
