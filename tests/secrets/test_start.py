"""What a service starts with, and with what it does not: one line then says what to do."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from stakeline.bet_maker.tables import users
from stakeline.cli import services
from tests import databases
from tests.faults.test_settings import BETS, LINE, STANDALONE, complaint, environment
from tests.ports import HOST, free_port
from tests.processes import Service, running
from tests.secrets.closed import BETS as CLOSED
from tests.secrets.closed import OPERATOR, PASSWORD, by, secret
from tests.serving import bet_maker
from tests.system.test_up import up

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("processes")
OTHER = "another password"
JWT, DESK = secret("jwt"), secret("desk")
FIRST = {"BET_MAKER_FIRST_USER_USERNAME": OPERATOR, "BET_MAKER_FIRST_USER_PASSWORD": PASSWORD}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the point
NO_SECRETS = (
    "secret-variable",
    "qwertyytrewq",
    "guest",
    "changeme",
    "x",
    "changeme" * 5,
    "secret-variable" * 3,
    "qwertyytrewq" * 3,
    "guest" * 7,
    "0" * 64,
    "x7Kd" * 9,
    "x7Kd" * 9 + "x",
    "0123456789abcdef" * 2,
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "super-secret-key-change-in-production",
    JWT[:31],
    f"{JWT}é",
)


def wrong_settings() -> Iterator[tuple[str, dict[str, str], str]]:
    """Service, its settings, and with what the line begins that refuses them."""
    for text in NO_SECRETS:
        yield BETS, {"BET_MAKER_JWT_SECRET": text}, "BET_MAKER_JWT_SECRET: must be 32"
    for text in NO_SECRETS[::4]:
        yield LINE, {"LINE_PROVIDER_JWT_SECRET": text}, "LINE_PROVIDER_JWT_SECRET: must be 32"
        both = {"BET_MAKER_JWT_SECRET": JWT, "BET_MAKER_JWT_PREVIOUS_SECRET": text}
        yield BETS, both, "BET_MAKER_JWT_PREVIOUS_SECRET: must be 32"
        yield LINE, {"LINE_PROVIDER_FEED_TOKENS": f"bets={text}"}, "LINE_PROVIDER_FEED_TOKENS: "
    alone = "BET_MAKER: BET_MAKER_JWT_SECRET must be set"
    yield BETS, FIRST, alone
    yield BETS, {"BET_MAKER_METRICS_TOKENS": f"prometheus={DESK}"}, alone
    yield BETS, {"BET_MAKER_JWT_PREVIOUS_SECRET": JWT}, alone
    yield LINE, {"LINE_PROVIDER_JWT_PREVIOUS_SECRET": JWT}, "LINE_PROVIDER: LINE_PROVIDER_JWT_S"
    closed = {"BET_MAKER_JWT_SECRET": JWT}
    for name, value in FIRST.items():
        yield BETS, closed | {name: value}, "BET_MAKER: set both of BET_MAKER_FIRST_USER_USERNAME"
    for name in ("not a name", "x" * 65, "ol/ga", "~3", "Ольга"):
        other = FIRST | {"BET_MAKER_FIRST_USER_USERNAME": name}
        yield BETS, closed | other, "BET_MAKER_FIRST_USER_USERNAME: must be"
    for password in ("short", "password1234", "x7-" * 43, "changemechangeme", "ü" * 600):
        other = FIRST | {"BET_MAKER_FIRST_USER_PASSWORD": password}
        yield BETS, closed | other, "BET_MAKER_FIRST_USER_PASSWORD: must"
    for service, prefix in ((LINE, "LINE_PROVIDER"), (BETS, "BET_MAKER")):
        for host in (EVERYWHERE, "::", "192.0.2.1", "example.com"):
            yield service, {f"{prefix}_HOST": host}, f"{prefix}_HOST: must be a loopback address"
        for name in ("JWT_SECRET", "HOST"):
            no_file = {f"{prefix}_{name}_FILE": "nowhere"}
            yield service, no_file, f"{prefix}_{name}_FILE: No such file"
        yield service, {f"{prefix}_JWT_SECRET_FILE": "a-folder"}, f"{prefix}_JWT_SECRET_FILE: Is a"
        for file in ("empty", "line-break"):
            yield (
                service,
                {f"{prefix}_JWT_SECRET_FILE": file},
                f"{prefix}_JWT_SECRET_FILE: the file is",
            )
        yield service, {f"{prefix}_JWT_SECRET_FILE": "bytes"}, f"{prefix}_JWT_SECRET_FILE: the file"
        twice = {f"{prefix}_JWT_SECRET": JWT, f"{prefix}_JWT_SECRET_FILE": "good"}
        yield service, twice, f"{prefix}_JWT_SECRET_FILE: {prefix}_JWT_SECRET is set, too"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to start in, with files of secrets."""
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "empty").write_text("")
    (tmp_path / "line-break").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" * 20)
    (tmp_path / "good").write_text(JWT)
    return tmp_path


@pytest.mark.sqlite  # it does not come to open a database
@pytest.mark.parametrize(("service", "settings", "said"), list(wrong_settings()))
def test_a_service_does_not_start(
    folder: Path, service: str, settings: dict[str, str], said: str
) -> None:
    """Exit status 2; the line names the setting, and shows no secret and no password."""
    if service == BETS:
        settings = STANDALONE | settings
    line = complaint(folder, (service,), settings)
    assert line.startswith(said)
    for name, value in settings.items():
        if len(value) > 5 and name.endswith(("SECRET", "TOKENS", "PASSWORD")):
            assert value.rpartition("=")[2] not in line


@pytest.mark.sqlite  # the same
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BET_MAKER_JWT_SECRET": "secret-variable"}, "BET_MAKER_JWT_SECRET: "),
        ({"LINE_PROVIDER_JWT_SECRET": "changeme" * 4}, "LINE_PROVIDER_JWT_SECRET: "),
        (FIRST, "BET_MAKER: BET_MAKER_JWT_SECRET must be set"),
        ({"BET_MAKER_HOST": EVERYWHERE}, "BET_MAKER_HOST: "),
        ({"BET_MAKER_JWT_SECRET_FILE": "empty"}, "BET_MAKER_JWT_SECRET_FILE: "),
    ],
)
def test_up_does_not_start(folder: Path, settings: dict[str, str], said: str) -> None:
    """As its services would not, and it says so once."""
    ports = ("--line-provider-port", str(free_port()), "--bet-maker-port", str(free_port()))
    assert complaint(folder, ("up", *ports), settings).startswith(said)


def test_a_database_with_users_does_not_open(folder: Path) -> None:
    """Without a secret anybody could do anything with their bets, also once they are removed."""
    url = f"sqlite:///{folder}/bets.sqlite3"
    (folder / "bets.sqlite3").write_bytes(databases.migrated_file(BETS))
    databases.execute(url, "INSERT INTO users (user_id, username) VALUES (7, '~7')")
    said = complaint(folder, (BETS,), STANDALONE | {"BET_MAKER_DATABASE_URL": url})
    assert said.startswith("BET_MAKER_JWT_SECRET: must be set, since this database has users")


@pytest.mark.parametrize(
    "settings",
    [
        {"LINE_PROVIDER_INSECURE": "1"},
        {"LINE_PROVIDER_OPERATOR_TOKENS": f"desk={DESK}"},
        {"LINE_PROVIDER_FEED_TOKENS": f"bet-maker={DESK}"},
        {"LINE_PROVIDER_JWT_SECRET": JWT},
        {"line_provider_jwt_secret": JWT},
    ],
)
async def test_a_service_that_asks_for_tokens_may_be_reached(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """From other machines; and so may an open one, if somebody takes the risk."""
    line = Service("line-provider", tmp_path)
    line.environment |= {"LINE_PROVIDER_HOST": EVERYWHERE} | settings
    async with running(line):
        is_open = "LINE_PROVIDER_INSECURE" in settings
        assert (await line.client.get("/events")).status_code == (200 if is_open else 401)


async def test_the_first_user_is_made_once(tmp_path: Path) -> None:
    """By four services that start at the same time on one database."""
    closed = {name: value for name, value in CLOSED.items() if name != "line_provider_token"}
    apps = [bet_maker(tmp_path, None, **closed) for _ in range(4)]
    async with AsyncExitStack() as stack:
        starts = (app.router.lifespan_context(app) for app in apps)
        await asyncio.gather(*(stack.enter_async_context(start) for start in starts))
        assert names_in(tmp_path) == [(OPERATOR, "operator")]


async def test_the_first_user_is_not_made_again(tmp_path: Path) -> None:
    """When it was removed; and no log has its password, its token or the secret."""
    bets = Service("bet-maker", tmp_path, BET_MAKER_STANDALONE="1")
    bets.environment |= {"BET_MAKER_JWT_SECRET": JWT, "BET_MAKER_LOG_LEVEL": "DEBUG"} | FIRST
    login = {"username": OPERATOR, "password": PASSWORD}
    async with running(bets):
        token = (await bets.client.post("/token", json=login)).json()["access_token"]
        gone = await bets.client.delete("/users/2", headers=by(token))
        assert gone.status_code == 204
        assert await bets.stop() == 0
        await bets.restart()
        assert names_in(tmp_path) == []
        assert (await bets.client.post("/token", json=login)).status_code == 401
    log = bets.log.read_text()
    for shown in (PASSWORD, JWT, token):
        assert shown not in log


async def test_up_with_a_secret_closes_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With bet-maker's secret alone line-provider knows its users, and bet-maker follows it."""
    settings = {"BET_MAKER_JWT_SECRET": JWT} | FIRST
    monkeypatch.setattr("tests.system.test_up.clean_environment", lambda: environment(**settings))
    async with up(tmp_path) as both:
        await both.until_greeting()
        line, bets = (f"http://{HOST}:{port}" for port in both.ports)
        async with httpx2.AsyncClient(trust_env=False) as client:
            login = {"username": OPERATOR, "password": PASSWORD}
            token = by((await client.post(f"{bets}/token", json=login)).json()["access_token"])
            event = {"event_id": "open", "coefficient": 2}
            for headers, status in (({}, 401), (by(secret("other")), 401), (token, 201)):
                made = await client.post(f"{line}/events", json=event, headers=headers)
                assert made.status_code == status
            assert (await client.get(f"{line}/feed/snapshot")).status_code == 401
            assert (await client.get(f"{bets}/bets")).status_code == 401
            async with asyncio.timeout(10):
                while not (await client.get(f"{bets}/events/open", headers=token)).is_success:
                    await asyncio.sleep(0.02)
        assert JWT not in both.err.read_text() + both.out.read_text()
        os.killpg(both.process.pid, signal.SIGINT)
        assert await both.exit_status() == 0


def test_up_closes_line_provider_whatever_token_bet_maker_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless something is said of line-provider's own; secrets in files are handed on as files."""
    files = {
        "BET_MAKER_JWT_SECRET_FILE": "jwt",
        "BET_MAKER_JWT_PREVIOUS_SECRET_FILE": "previous",
        "BET_MAKER_LINE_PROVIDER_TOKEN_FILE": "token",
    }
    for name, file in files.items():
        monkeypatch.setenv(name, file)
    told = services._environment(tmp_path, "http://127.0.0.1:1", private=False)
    for name in ("JWT_SECRET_FILE", "JWT_PREVIOUS_SECRET_FILE"):
        assert told[f"LINE_PROVIDER_{name}"] == files[f"BET_MAKER_{name}"]
    token = told["BET_MAKER_LINE_PROVIDER_TOKEN"]
    assert told["LINE_PROVIDER_FEED_TOKENS"] == f"bet-maker={token}"
    assert "BET_MAKER_LINE_PROVIDER_TOKEN_FILE" not in told
    own = {
        "LINE_PROVIDER_FEED_TOKENS_FILE": "feed",
        "LINE_PROVIDER_OPERATOR_TOKENS": "of the line's own",
        "LINE_PROVIDER_JWT_SECRET": "of the line's own",
    }
    for name, value in own.items():  # what is said of one thing leaves the others to be made up
        monkeypatch.setenv(name, value)
        told = services._environment(tmp_path, "http://127.0.0.1:1", private=False)
        assert told[name] == value
        assert "LINE_PROVIDER_FEED_TOKENS" not in told
        handed_on = "LINE_PROVIDER_JWT_SECRET_FILE" in told
        assert handed_on == (name != "LINE_PROVIDER_JWT_SECRET")
        assert files.items() <= told.items()


def add(
    folder: Path, name: str, given: bytes, *options: str, url: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """What comes of `stakeline user add` with this on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "stakeline", "user", "add", name, *options],
        cwd=folder,
        env=environment(BET_MAKER_DATABASE_URL=url or databases.url_of(folder, BETS)),
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )


def names_in(folder: Path) -> list[tuple[Any, ...]]:
    """Names and roles of the users that can log in."""
    query = f"SELECT username, role FROM {users.name} WHERE password_hash IS NOT NULL ORDER BY 1"  # noqa: S608
    return databases.execute(databases.url_of(folder, BETS), query)


def test_a_user_is_added_by_a_password_on_standard_input(tmp_path: Path) -> None:
    """One line, its end and all after it left away; a name is taken once, in any case."""
    for name, line in (("alice", PASSWORD), ("bob", f"{PASSWORD}\n"), ("carl", f"{PASSWORD}\r\nx")):
        done = add(tmp_path, name, line.encode())
        assert (done.returncode, done.stderr) == (0, b"")
        assert PASSWORD.encode() not in done.stdout
    assert add(tmp_path, "Olga", PASSWORD.encode(), "--role", "operator").returncode == 0
    again = add(tmp_path, "ALICE", PASSWORD.encode())
    assert (again.returncode, again.stdout) == (1, b"")
    assert again.stderr == b"user add: there is a user alice already\n"
    user = "user"
    assert names_in(tmp_path) == [
        ("alice", user),
        ("bob", user),
        ("carl", user),
        ("olga", "operator"),
    ]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("not a name", PASSWORD.encode(), b"user add: the name must be"),
        ("~2", PASSWORD.encode(), b"user add: the name must be"),
        ("", PASSWORD.encode(), b"user add: the name must be"),
        ("anonymous", PASSWORD.encode(), b"user add: there is a user anonymous already"),
        ("alice", b"", b"user add: the password must be 12 to 128"),
        ("alice", b"\n", b"user add: the password must be 12 to 128"),
        ("alice", b"short", b"user add: the password must be 12 to 128"),
        ("alice", b"password1234", b"user add: the password must not be one"),
        ("alice", b"x7-" * 2000, b"user add: the password must be at most 128"),
        ("alice", b"\xff\xfe" * 10, b"user add: the password must be text in UTF-8"),
    ],
)
def test_a_user_that_is_not_added(tmp_path: Path, name: str, given: bytes, said: bytes) -> None:
    """One line says why, and repeats no password; nobody is there."""
    done = add(tmp_path, name, given)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(said)
    assert done.stderr.count(b"\n") == 1
    assert names_in(tmp_path) == []


def test_a_user_is_added_to_bet_makers_database_alone(tmp_path: Path) -> None:
    """Another's, an empty one and none at all are named in one line."""
    (tmp_path / "folder").mkdir()
    urls = [
        databases.url_of(tmp_path, LINE),
        databases.url_of(tmp_path, "empty"),
        f"sqlite:///{tmp_path}/folder",
        f"postgresql://nobody@127.0.0.1:{free_port()}/bets",
        "nonsense",
    ]
    for url in urls:
        done = add(tmp_path, "alice", PASSWORD.encode(), url=url)
        assert (done.returncode, done.stdout) == (2, b""), url
        assert done.stderr.startswith(b"BET_MAKER_DATABASE_URL: "), done.stderr
        assert done.stderr.count(b"\n") == 1, done.stderr
        assert PASSWORD.encode() not in done.stderr


def test_a_password_is_no_argument(tmp_path: Path) -> None:
    """Everybody on the machine could read it in the list of processes."""
    done = add(tmp_path, "alice", b"", PASSWORD)
    assert done.returncode == 2
    done = add(tmp_path, "alice", b"", "--password", PASSWORD)
    assert done.returncode == 2
    assert names_in(tmp_path) == []


def typed(folder: Path, *lines: str) -> tuple[int, str]:
    """The exit status of `stakeline user add alice` on a terminal, and what that shows."""
    command = [sys.executable, "-m", "stakeline", "user", "add", "alice"]
    known = environment(BET_MAKER_DATABASE_URL=databases.url_of(folder, BETS))
    pid, terminal = pty.fork()
    if pid == 0:  # other threads may have held locks at the fork: nothing but this
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it
        os.execve(sys.executable, command, known)  # noqa: S606 - no shell is wanted
    shown = since = b""
    left = list(lines)
    try:
        while piece := os.read(terminal, 1024):
            shown += piece
            since += piece
            if left and since.strip().endswith(b":"):  # a prompt
                # What came before the echo is turned off would be thrown away.
                while termios.tcgetattr(terminal)[3] & termios.ECHO:
                    time.sleep(0.01)
                arguments = Path(f"/proc/{pid}/cmdline").read_text()
                assert not any(line in arguments for line in lines)
                os.write(terminal, left.pop(0).encode())
                since = b""
    except OSError:  # as Linux says that the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_on_a_terminal_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    """Until both are the same; an interrupt adds nobody."""
    databases.url_of(tmp_path, BETS)
    status, shown = typed(
        tmp_path, *(f"{line}\n" for line in (PASSWORD, OTHER, PASSWORD, PASSWORD))
    )
    assert status == 0, shown
    assert names_in(tmp_path) == [("alice", "user")]
    assert PASSWORD not in shown
    assert OTHER not in shown
    assert "do not match" in shown
    assert "user alice has id" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_interrupt_at_the_prompt_adds_nobody(tmp_path: Path) -> None:
    """Ctrl-C and Ctrl-D."""
    databases.url_of(tmp_path, BETS)
    for key in ("\x03", "\x04"):
        status, shown = typed(tmp_path, key)
        assert status != 0
        assert "Traceback" not in shown
    assert names_in(tmp_path) == []
