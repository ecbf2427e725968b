"""`stakeline up` and its two processes: started, watched and stopped."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from stakeline.cli import databases, services, up
from stakeline.settings import WrongSetting
from stakeline.web.binding import bind
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("spared_by_signals")


def free_ports() -> tuple[int, int]:
    """Two ports on which nobody listens."""
    return free_port(), free_port()


def wait_for_both(*ports: int) -> None:
    """Return as soon as both services are ready."""
    with httpx2.Client(timeout=5, trust_env=False) as client:
        for port in ports:
            for _ in range(400):
                try:
                    if client.get(f"http://127.0.0.1:{port}/readyz").is_success:
                        break
                except httpx2.TransportError:
                    pass
                time.sleep(0.05)
    time.sleep(0.1)


def stop_once_both_answer(*ports: int) -> None:
    """SIGTERM to this process, as soon as both services are ready."""
    wait_for_both(*ports)
    os.kill(os.getpid(), signal.SIGTERM)


def test_both_run_until_a_signal_comes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It says where both are, keeps their data in the folder, and ends with 0."""
    ports = free_ports()
    stopper = threading.Thread(target=stop_once_both_answer, args=ports)
    stopper.start()
    assert up.run(tmp_path / "data", *ports) == 0
    stopper.join()
    told = capfd.readouterr().out
    for port in ports:
        assert f"http://127.0.0.1:{port}/docs" in told
    assert {file.name for file in (tmp_path / "data").glob("*.sqlite3")} == {
        "line-provider.sqlite3",
        "bet-maker.sqlite3",
    }


def test_a_taken_port_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing starts when a port is taken."""
    with closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        assert up.run(tmp_path, 0, port) == services.WRONG_SETTING
    assert capfd.readouterr().err.startswith(f"stakeline up: port 0 or {port}: ")


def test_a_wrong_setting_stops_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of either service is named before anything is started."""
    for name in ("LINE_PROVIDER_LOG_LEVEL", "BET_MAKER_LOG_LEVEL"):
        with monkeypatch.context() as environment:
            environment.setenv(name, "LOUD")
            with pytest.raises(WrongSetting, match=name):
                up.run(tmp_path / "data", 0, 0)
    (tmp_path / "file").touch()
    with pytest.raises(WrongSetting, match="--data-dir"):
        up.run(tmp_path / "file", 0, 0)
    assert not (tmp_path / "data").exists()


def test_a_database_that_cannot_be_opened_is_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its setting is named before anything is started."""
    (tmp_path / "bet-maker.sqlite3").mkdir()
    with pytest.raises(WrongSetting, match="BET_MAKER_DATABASE_URL: "):
        up.run(tmp_path, 0, 0)
    assert capfd.readouterr().err == ""


async def test_a_service_that_does_not_become_ready_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waits for a service that never answers waits so long and no longer."""
    monkeypatch.setattr(services, "READY_S", 0.2)
    process = await asyncio.create_subprocess_exec("sleep", "60")
    with pytest.raises(
        services.ServiceFailed, match="line-provider did not become ready"
    ) as failed:
        await services.wait_until_ready("line-provider", "http://127.0.0.1:9", process)
    assert not failed.value.told
    process.kill()
    await process.wait()


def child(service: str) -> int | None:
    """The process of a service that this process has started, as Linux tells it."""
    me = os.getpid()
    for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split():
        if f"\0{service}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    return None


def kill_once_both_answer(*ports: int) -> None:
    """SIGKILL to bet-maker, as soon as both services are ready."""
    wait_for_both(*ports)
    pid = child("bet-maker")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the process in /proc")
def test_a_service_that_ends_by_itself_ends_both(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half a house is none."""
    ports = free_ports()
    killer = threading.Thread(target=kill_once_both_answer, args=ports)
    killer.start()
    assert up.run(tmp_path, *ports) == 1
    killer.join()
    assert "bet-maker ended by itself" in capfd.readouterr().err
    assert child("line-provider") is None


def test_a_service_that_takes_too_long_ends_both(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` does not wait for ever, and says for which service it did."""
    monkeypatch.setattr(services, "READY_S", 0.01)
    assert up.run(tmp_path, 0, 0) == 1
    assert re.search("stakeline up: .+ did not become ready", capfd.readouterr().err)


def test_without_a_folder_the_settings_say_where_the_data_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The services get the environment as it is, with the address of the line."""
    monkeypatch.setenv("BET_MAKER_DATABASE_URL", "sqlite:///elsewhere.sqlite3")
    environment = services._environment(None, "http://127.0.0.1:8000", private=False)
    assert environment["BET_MAKER_DATABASE_URL"] == "sqlite:///elsewhere.sqlite3"
    assert environment["BET_MAKER_LINE_PROVIDER_URL"] == "http://127.0.0.1:8000"


def test_a_setting_is_as_good_in_lower_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A secret closes both services; the folder goes before where the data were to be."""
    monkeypatch.setenv("bet_maker_jwt_secret", "x" * 32)
    monkeypatch.setenv("line_provider_database_url", "sqlite:///elsewhere.sqlite3")
    environment = services._environment(None, "http://127.0.0.1:8000", private=False)
    assert environment["LINE_PROVIDER_JWT_SECRET"] == "x" * 32
    assert databases.url_of("line-provider", environment=environment).endswith("elsewhere.sqlite3")
    assert databases.url_of("line-provider").endswith("elsewhere.sqlite3")
    environment = services._environment(tmp_path, "http://127.0.0.1:8000", private=False)
    ours = [value for name, value in environment.items() if name.upper().endswith("DATABASE_URL")]
    assert ours == [databases.url_in(tmp_path, name) for name in ("line-provider", "bet-maker")]


def test_private_services_have_no_settings_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only their own databases, the address of the line, and to log what is wrong."""
    monkeypatch.setenv("BET_MAKER_STANDALONE", "1")
    monkeypatch.setenv("LINE_PROVIDER_AUTO_RESULT", "random")
    environment = services._environment(tmp_path, "http://127.0.0.1:8000", private=True)
    ours = {name: value for name, value in environment.items() if "_PROVIDER_" in name}
    ours |= {name: value for name, value in environment.items() if name.startswith("BET_MAKER_")}
    assert ours == {
        "LINE_PROVIDER_DATABASE_URL": f"sqlite:///{tmp_path}/line-provider.sqlite3",
        "LINE_PROVIDER_LOG_LEVEL": "ERROR",
        "BET_MAKER_DATABASE_URL": f"sqlite:///{tmp_path}/bet-maker.sqlite3",
        "BET_MAKER_LINE_PROVIDER_URL": "http://127.0.0.1:8000",
        "BET_MAKER_LOG_LEVEL": "ERROR",
    }


async def test_a_process_that_does_not_heed_sigterm_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A service is given its time, and then no more; one that has ended is left alone."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{deaf}; signal.pause()"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    monkeypatch.setattr(services, "STOP_S", 0.1)
    await services.stop(process)
    assert process.returncode == -signal.SIGKILL
    await services.stop(process)


def test_a_folder_that_no_url_can_name_is_refused(tmp_path: Path) -> None:
    """What follows a question mark would be options, and both services would share a file."""
    with pytest.raises(WrongSetting, match="question mark"):
        up.run(tmp_path / "what?", 0, 0)
    assert list(tmp_path.iterdir()) == []
