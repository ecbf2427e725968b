"""Logs: one JSON object a line for machines, lines for people on a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from stakeline import log

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("logging_restored")


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[dict[str, Any]]:
    """What was logged."""
    return (json.loads(line) for line in capsys.readouterr().err.splitlines())


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Service, level, logger and time stand in every line, whatever was logged."""
    log.configure("INFO", "bet-maker")
    structlog.get_logger("stakeline.somewhere").info("placed", bets=3)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "placed",
        "bets": 3,
        "level": "info",
        "logger": "stakeline.somewhere",
        "service": "bet-maker",
    }


def test_libraries_log_in_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the standard library's logging looks like one of ours."""
    log.configure("INFO", "bet-maker")
    logging.getLogger("uvicorn.error").warning("%s went wrong", "it")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"]) == ("it went wrong", "uvicorn.error")
    assert (line["level"], line["service"]) == ("warning", "bet-maker")


def test_a_line_break_stays_inside_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can write log lines of their own by putting a line break into a name."""
    log.configure("INFO", "bet-maker")
    structlog.get_logger().info("named", name='x\r\n{"event":"forged"}\u2028')
    (line,) = lines(capsys)
    assert line["name"] == 'x\r\n{"event":"forged"}\u2028'


def test_what_is_below_the_level_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The level counts for our lines and those of libraries; chatty ones warn only."""
    log.configure("DEBUG", "bet-maker")
    logging.getLogger("aiosqlite").info("chatter")
    logging.getLogger("uvicorn.access").info("chatter")
    structlog.get_logger().debug("kept")
    log.configure("WARNING", "bet-maker")
    structlog.get_logger().info("left out")
    structlog.get_logger().warning("kept")
    assert [line["event"] for line in lines(capsys)] == ["kept", "kept"]


def test_an_exception_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """The log has the details that the caller does not get, still in one line."""
    log.configure("INFO", "bet-maker")
    try:
        raise KeyError("lost")  # noqa: TRY301 - to have one
    except KeyError:
        structlog.get_logger().exception("broken")
    (line,) = lines(capsys)
    assert line["event"] == "broken"
    assert "KeyError: 'lost'" in line["exception"]


def test_a_terminal_gets_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a line is not JSON, and a traceback is plain."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    log.configure("INFO", "bet-maker")
    structlog.get_logger().info("placed", bets=3)
    assert "placed" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_nobody_writes_lines_of_their_own_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would begin a line, or move the cursor, is shown as it would be written in Python."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    log.configure("INFO", "bet-maker")
    evil = "x\r\n2026 forged\x1b[2J\x9b\u2028é"
    structlog.get_logger().info(f"named {evil}", name=evil, names=[evil])
    (line,) = terminal.getvalue().splitlines()
    assert "\\r\\n2026 forged\\x1b[2J" in line
    assert "é" in line
    try:
        raise KeyError(evil) from ValueError(evil)  # noqa: TRY301 - to have one
    except KeyError:
        structlog.get_logger().exception("broken")
    lines_after = terminal.getvalue().split("\n")[2:-1]
    assert any("KeyError" in each for each in lines_after)
    assert all(each.startswith("    ") for each in lines_after), lines_after
    assert "\x1b[2J" not in terminal.getvalue()


def test_what_cannot_be_logged_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Logging's own complaint would be many lines, with all that was to be said."""
    log.configure("INFO", "bet-maker")
    logging.getLogger("careless").warning("%s %s", "secret")  # noqa: PLE1206 - the point
    (line,) = lines(capsys)
    assert line["event"] == "a line could not be logged"


def test_what_nobody_catches_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """So are the errors of threads, and Python's warnings."""

    def fail() -> None:
        raise KeyError("lost")

    log.configure("INFO", "bet-maker")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nways", DeprecationWarning, stacklevel=1)
    error, warning = lines(capsys)
    assert (error["event"], error["level"]) == ("uncaught", "critical")
    assert "KeyError: 'lost'" in error["exception"]
    assert "old\nways" in warning["event"]
