"""A wrong setting stops the start: exit status 2 and one line on standard error that names it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stakeline.bet_maker.app import prepare
from stakeline.cli import commands
from stakeline.cli.services import HOST
from stakeline.db import Database
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE, BETS = "line-provider", "bet-maker"
PATIENCE_S = 15
STANDALONE = {"BET_MAKER_STANDALONE": "1"}
LINE_URL = "BET_MAKER_LINE_PROVIDER_URL"
URLS = (
    *(
        " ",
        "127.0.0.1:8000",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://:8000",
        "http://[::1",
    ),
    *("http://127.0.0.1:99999", "http://127.0.0.1:port", "http://127.0.0.1?a=1", "http://here/#a"),
    *("//127.0.0.1", "http:///feed", "http://line provider", "http://[nowhere]:8000"),
)
DATABASES = (
    *(" ", "nonsense", "sqlite://", "sqlite:///", "sqlite:///:memory:", "stakeline.sqlite3"),
    *("postgresql://here/stakeline", "mysql://root@here/stakeline", "oracle://here", "://"),
    *("sqlite:///a-file/stakeline.sqlite3", "sqlite:///a-folder", "sqlite:///no-database"),
    *("sqlite:///half-made.sqlite3",),
)
"""The last ones are of files that `folder` makes."""


def environment(**settings: str) -> dict[str, str]:
    """The environment of this process with these settings and no others."""
    ours = ("LINE_PROVIDER_", "BET_MAKER_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to start in, with things that are no databases."""
    (tmp_path / "a-file").write_text("no folder")
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "no-database").write_text("no database at all, and long enough to be read" * 100)
    with closing(sqlite3.connect(tmp_path / "half-made.sqlite3")) as conn:
        conn.execute("CREATE VIEW head AS SELECT 1")
        conn.execute("CREATE VIEW cursor AS SELECT 1")
    return tmp_path


def start_in(folder: Path, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
    """Become `stakeline` with these arguments and settings, its standard error in a file."""
    os.chdir(folder)
    os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    os.environ.clear()
    ports = dict.fromkeys(("LINE_PROVIDER_PORT", "BET_MAKER_PORT"), "0")  # others may have theirs
    os.environ.update(environment(**ports | settings))
    sys.argv = ["stakeline", *arguments]
    commands.main()


def complaint(folder: Path, arguments: tuple[str, ...], settings: dict[str, str]) -> str:
    """The line with which the start fails.

    The process is real but forked from one that has imported everything: dozens of whole starts
    would take most of a minute.
    """
    anywhere = {"LINE_PROVIDER_PORT": "0", "BET_MAKER_PORT": "0"}  # others may have the usual ones
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["stakeline.cli.serve", "stakeline.cli.up", __name__])
    process = processes.Process(target=start_in, args=(folder, arguments, anywhere | settings))
    process.start()
    process.join(PATIENCE_S)
    if process.is_alive():  # it has started, though it should not
        process.kill()
        process.join()
    said = (folder / "stderr").read_text()
    assert process.exitcode == 2, said
    return one_line(said)


def one_line(said: str) -> str:
    """The only line of what was said."""
    assert said.count("\n") == 1, said
    return said.rstrip("\n")


def table() -> Iterator[tuple[str, str, str]]:
    """Service, setting, and a value that it cannot have; some for both, all for bet-maker."""
    values = {
        "PORT": ("http", " ", "-1", "65536", "80.5", "1e3"),
        "HOST": ("0.0.0.0", "::", "example.com", "192.168.1.1", " ", "127.0.0.1:80"),  # noqa: S104
        "LOG_LEVEL": ("LOUD", " ", "debug"),
        "ROOT_PATH": ("/bets/", "bets", "/"),
        "DATABASE_URL": DATABASES,
        "ALLOWED_HOSTS": ("a:80", "http://a", "a,,b", "a b", "::1", "*.example.org"),
        "CORS_ORIGINS": ("*", "null", "https://a/", "a.example", "https://a, *", "ftp://a"),
        "TRUSTED_PROXIES": ("*", "10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.1,", "1"),
        "DOCS": ("on", "PUBLIC", "users"),
        "METRICS": ("on", "1", "service"),
        **dict.fromkeys(("X", "PROT", "STANDALON", "BROKERURL"), ("1",)),
    }
    for name, wrong in values.items():
        yield from ((BETS, f"BET_MAKER_{name}", value) for value in wrong)
        yield from ((LINE, f"LINE_PROVIDER_{name}", value) for value in wrong[::3])
    for seconds in ("0", "-1", "soon", "1e12"):
        yield LINE, "LINE_PROVIDER_DEFAULT_DEADLINE_S", seconds
    for flag in (" ", "perhaps", "2"):
        yield BETS, "BET_MAKER_STANDALONE", flag
    for url in URLS:
        yield BETS, LINE_URL, url


@pytest.mark.parametrize(("service", "name", "value"), list(table()))
def test_a_wrong_setting_is_named_in_one_line(
    folder: Path, service: str, name: str, value: str
) -> None:
    """Whatever is wrong with it; and nothing is left behind."""
    settings = {} if name == LINE_URL or service == LINE else STANDALONE
    before = sorted(folder.iterdir())
    assert complaint(folder, (service,), settings | {name: value}).startswith(f"{name}: ")
    assert {*folder.iterdir()} - {*before} <= {folder / "stderr"}


@pytest.mark.parametrize("settings", [{}, STANDALONE | {LINE_URL: "http://127.0.0.1:8000"}])
def test_bet_maker_wants_one_of_a_line_and_none(folder: Path, settings: dict[str, str]) -> None:
    """With both, and with neither, both settings are named."""
    said = complaint(folder, (BETS,), settings)
    assert LINE_URL in said
    assert "BET_MAKER_STANDALONE" in said


@pytest.mark.parametrize(
    ("option", "name"),
    [(("--host", "0.0.0.0"), "HOST"), (("--port", "65536"), "PORT")],  # noqa: S104
)
@pytest.mark.parametrize("service", [LINE, BETS])
def test_an_option_is_judged_like_its_setting(
    folder: Path, service: str, option: tuple[str, ...], name: str
) -> None:
    """`--host` and `--port` are those settings."""
    said = complaint(folder, (service, *option), STANDALONE if service == BETS else {})
    assert said.startswith(f"{service.replace('-', '_').upper()}_{name}: ")


@pytest.mark.parametrize("service", [LINE, BETS])
def test_a_port_that_is_taken_is_named(folder: Path, service: str) -> None:
    """The line says which port of which address."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = complaint(folder, (service, "--port", port), STANDALONE if service == BETS else {})
    assert f"{service.replace('-', '_').upper()}_PORT" in said
    assert port in said


@pytest.mark.parametrize("standalone", [True, False])
def test_a_database_of_the_other_mode_is_refused(folder: Path, *, standalone: bool) -> None:
    """What was begun standalone never follows a line, nor the other way round."""
    (folder / "made.sqlite3").write_bytes(databases.migrated_file(BETS))
    asyncio.run(_found(folder, standalone=standalone))
    settings = {LINE_URL: "http://127.0.0.1:8000"} if standalone else STANDALONE
    said = complaint(
        folder, (BETS,), settings | {"BET_MAKER_DATABASE_URL": "sqlite:///made.sqlite3"}
    )
    assert said.startswith("BET_MAKER_DATABASE_URL: ")
    assert ("standalone" if standalone else "following") in said


async def _found(folder: Path, *, standalone: bool) -> None:
    database = Database(f"sqlite:///{folder}/made.sqlite3")
    await prepare(database, standalone=standalone)
    await database.close()


@pytest.mark.parametrize("service", [LINE, BETS])
def test_a_database_that_another_holds_is_named(folder: Path, service: str) -> None:
    """The start does not wait for ever."""
    prefix = service.replace("-", "_").upper()
    (folder / "held.sqlite3").write_bytes(databases.migrated_file(service))
    with closing(sqlite3.connect(folder / "held.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        settings = {f"{prefix}_DATABASE_URL": "sqlite:///held.sqlite3"}
        said = complaint(folder, (service,), settings | (STANDALONE if service == BETS else {}))
    assert said.startswith(f"{prefix}_DATABASE_URL: ")


@pytest.mark.parametrize(
    ("arguments", "settings", "name"),
    [
        ((LINE,), {"LINE_PROVIDER_PORT": "http"}, "LINE_PROVIDER_PORT: "),
        ((BETS,), {LINE_URL: "nowhere"}, f"{LINE_URL}: "),
        (("up",), {"LINE_PROVIDER_LOG_LEVEL": "LOUD"}, "LINE_PROVIDER_LOG_LEVEL: "),
        (("up",), {"BET_MAKER_X": "1"}, "BET_MAKER_X: "),
        (("up",), STANDALONE, "BET_MAKER: "),
        (("up", "--line-provider-port", "TAKEN"), {}, ""),
        (("up", "--data-dir", "a-file"), {}, "--data-dir|_DATABASE_URL: "),
    ],
)
def test_the_command_itself_says_it_in_one_line(
    folder: Path, arguments: tuple[str, ...], settings: dict[str, str], name: str
) -> None:
    """`python -m stakeline`, whole; `up` says what its services would, once."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [port if word == "TAKEN" else word for word in arguments]
        if words[0] == "up" and "TAKEN" not in arguments:
            words += ["--line-provider-port", "0"]
        if words[0] == "up":
            words += ["--bet-maker-port", "0"]
        done = subprocess.run(
            [sys.executable, "-m", "stakeline", *words],
            cwd=folder,
            env=environment(**settings),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.stdout == ""
    assert done.returncode == 2, done.stderr
    assert re.search(name or port, one_line(done.stderr))
