"""The `stakeline` command: what it takes, what it says, what it exits with."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx2
import pytest
from typer.testing import CliRunner

from stakeline.cli import commands
from stakeline.settings import WrongSetting
from stakeline.web.binding import bind
from tests import databases
from tests.serving import bet_maker, line_provider, serving, until_known, until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import Result

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def signals_unblocked() -> Iterator[None]:
    """SIGHUP as it was before the test: a service that does not come to serve leaves it blocked."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrated databases in the test's own folder, and no other setting."""
    for name in list(os.environ):
        if name.startswith(("LINE_PROVIDER_", "BET_MAKER_")):
            monkeypatch.delenv(name)
    for service in ("line-provider", "bet-maker"):
        name = f"{service.replace('-', '_').upper()}_DATABASE_URL"
        monkeypatch.setenv(name, databases.url_of(tmp_path, service))


def run(*arguments: str, **environment: str) -> Result:
    """What comes of the command with these arguments."""
    return CliRunner().invoke(commands.stakeline, arguments, env=environment)


def wrong(*arguments: str, **environment: str) -> str:
    """The one line by which the command refuses a setting."""
    error = run(*arguments, **environment).exception
    assert isinstance(error, WrongSetting)
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_command_lists_what_it_can_do(arguments: tuple[str, ...]) -> None:
    """Without arguments, or asked for help, it names every command."""
    told = run(*arguments).output
    for command in ("up", "line-provider", "bet-maker", "migrate", "import", "replay"):
        assert command in told


@pytest.mark.parametrize("name", ["LINE_PROVIDER_PORT", "line_provider_port"])
def test_a_wrong_setting_is_one_line_and_status_2(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing but the line that names the setting, on standard error."""
    monkeypatch.setenv(name, "eight")
    monkeypatch.setattr("sys.argv", ["stakeline", "line-provider"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith("LINE_PROVIDER_PORT: ")
    assert told.err.count("\n") == 1


@pytest.mark.usefixtures("logging_restored")
def test_a_taken_port_is_named() -> None:
    """Who else listens there, nobody can know; the setting is told."""
    with closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        told = wrong("line-provider", "--port", str(port))
    assert told == f"LINE_PROVIDER_HOST, LINE_PROVIDER_PORT: 127.0.0.1 {port}: " + os.strerror(98)


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
def test_a_database_that_cannot_be_is_named(service: str, tmp_path: Path) -> None:
    """A folder that cannot be made, and a file that is no database."""
    setting = f"{service.replace('-', '_').upper()}_DATABASE_URL"
    (tmp_path / "file").write_bytes(b"no database" * 1000)
    for place in ("file", "file/line.sqlite3"):
        environment = {setting: f"sqlite:///{tmp_path}/{place}"}
        if service == "bet-maker":
            environment["BET_MAKER_STANDALONE"] = "1"
        assert wrong(service, "--port", "0", **environment).startswith(f"{setting}: ")


@pytest.mark.usefixtures("logging_restored")
def test_a_database_keeps_its_mode(tmp_path: Path) -> None:
    """What a standalone bet-maker wrote is never followed with, nor resynced."""

    async def start_once() -> None:
        async with serving(bet_maker(tmp_path, None)):
            pass

    asyncio.run(start_once())
    following = {"BET_MAKER_LINE_PROVIDER_URL": NOBODY}
    for arguments in (("bet-maker", "--port", "0"), ("bet-maker", "resync")):
        told = wrong(*arguments, **following)
        assert told == "BET_MAKER_DATABASE_URL: this database was made in standalone mode"


def once_it_answers(url: str, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as a service answers there."""

    def wait() -> None:
        with httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
            for _ in range(1000):
                try:
                    if client.get("/readyz").is_success:
                        break
                except httpx2.TransportError:
                    pass
                time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def address(sock: socket.socket) -> str:
    """The URL of what listens there."""
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.usefixtures("logging_restored", "spared_by_signals")
@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
def test_a_service_serves_until_sigterm(service: str) -> None:
    """SIGTERM ends it with status 0."""
    with closing(bind("127.0.0.1", 0)) as sock:
        url = address(sock)
    stopper = once_it_answers(url, lambda: os.kill(os.getpid(), signal.SIGTERM))
    ended = run(service, "--port", url.rpartition(":")[2], **alone(service))
    stopper.join()
    assert ended.exit_code == 0


@pytest.mark.usefixtures("logging_restored", "spared_by_signals")
@pytest.mark.parametrize("service", ["line-provider", "bet-maker"])
def test_a_service_on_a_given_socket_ends_with_its_starter(service: str) -> None:
    """`--fd` takes a bound socket over; when `--lifeline` ends, nobody is left to stop it."""
    with closing(bind("127.0.0.1", 0)) as sock:
        sock.listen()
        url, given = address(sock), socket.dup(sock.fileno())
    lifeline, own_end = os.pipe()
    starter = once_it_answers(url, lambda: os.close(own_end))
    ended = run(service, "--fd", f"{given}", "--lifeline", f"{lifeline}", **alone(service))
    starter.join()
    os.close(lifeline)
    assert ended.exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [("import", "none.csv"), ("replay", "none.csv"), ("up", "--data-dir", "none.csv/data")],
)
def test_a_file_that_cannot_be_used_is_told(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says which file it is; nothing is started for it."""
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "up":
        (tmp_path / "none.csv").touch()
    ended = run(*arguments)
    assert ended.exit_code != 0
    assert ended.exception is None or isinstance(ended.exception, (SystemExit, WrongSetting))


def alone(service: str) -> dict[str, str]:
    """The settings that a service needs to start alone."""
    return {"BET_MAKER_STANDALONE": "1"} if service == "bet-maker" else {}


def test_a_resync_needs_a_line() -> None:
    """Without a line-provider's URL, and with a wrong one, nothing is tried."""
    assert "BET_MAKER_LINE_PROVIDER_URL" in wrong("bet-maker", "resync")
    standalone = {"BET_MAKER_STANDALONE": "1"}
    assert "BET_MAKER_LINE_PROVIDER_URL" in wrong("bet-maker", "resync", **standalone)


def test_a_resync_without_an_answer_changes_nothing() -> None:
    """It says so, and exits with 1."""
    ended = run("bet-maker", "resync", BET_MAKER_LINE_PROVIDER_URL=NOBODY)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("resync: line-provider cannot be reached")
    assert ended.stderr.rstrip().endswith("Nothing was changed.")


def test_a_resync_runs_where_bet_maker_listens_to_everybody() -> None:
    """It listens to nobody itself, so the settings of such a container do."""
    settings = {"BET_MAKER_HOST": "0.0.0.0", "BET_MAKER_LINE_PROVIDER_URL": NOBODY}  # noqa: S104 - the point
    assert run("bet-maker", "resync", **settings).stderr.startswith("resync: line-provider cannot")


async def test_a_resync_takes_the_line_as_it_is(tmp_path: Path) -> None:
    """After it bet-maker follows another line, from its head."""
    other = tmp_path / "other"
    async with serving(line_provider(tmp_path)) as line, serving(line_provider(other)) as another:
        await line.post("/events", {"event_id": "old", "coefficient": 2})
        await another.post("/events", {"event_id": "new", "coefficient": 2})
        async with serving(bet_maker(tmp_path, line.url)) as bets:
            await until_known(bets, "old")
        ended = await asyncio.to_thread(
            run, "bet-maker", "resync", BET_MAKER_LINE_PROVIDER_URL=another.url
        )
        epoch = (await another.get("/feed?wait=0")).json()["epoch"]
        assert ended.exit_code == 0
        assert ended.output.splitlines()[-1] == f"following epoch {epoch} from seq 1"
        async with serving(bet_maker(tmp_path, another.url)) as bets:
            await until_ready(bets)
            assert [event["event_id"] for event in (await bets.get("/events")).json()] == ["new"]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("import", "file.csv", "--line-provider", "here"), "--line-provider"),
        (("replay", "file.csv", "--bet-maker", "ftp://here"), "--bet-maker"),
    ],
)
def test_a_wrong_address_is_named_by_its_option(arguments: tuple[str, ...], option: str) -> None:
    """What is wrong on the command line is told like a wrong setting."""
    assert wrong(*arguments).startswith(f"{option}: must be a URL")
