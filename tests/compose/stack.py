"""The containers of compose.yaml under a project name, ports and passwords of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from stakeline import ids
from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ROOT = Path(__file__).parents[2]
REPLICAS = ("line-provider", "bet-maker")
SHORTEST_SECRET = 32
PATIENCE_S = 300
"""How long containers may take to be as they should, on a machine with much else to do."""


class Operator(httpx2.Auth):
    """The first user, who logs in where a token is wanted, and again when it is good no more.

    Args:
        bet_maker: the URL of who gives tokens.
        password: of the user.
    """

    def __init__(self, bet_maker: str, password: str) -> None:
        self._url, self._password = f"{bet_maker}/token", password
        self._bearer = "Bearer none-yet"

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """The request with a token."""
        request.headers["Authorization"] = self._bearer
        answer = yield request
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            self._bearer = f"Bearer {self.log_in()}"
            request.headers["Authorization"] = self._bearer
            yield request

    def log_in(self) -> str:
        """A new token."""
        body = {"username": "operator", "password": self._password}
        answer = insist(lambda: httpx2.post(self._url, json=body, timeout=30, trust_env=False))
        return str(answer.raise_for_status().json()["access_token"])


class Stack:
    """The whole of it, once `up` has returned.

    Args:
        folder: where its `.env` is kept.
        is_open: whether it has no users.
    """

    def __init__(self, folder: Path, *, is_open: bool = False) -> None:
        self.project = f"stakeline-test-{os.getpid()}{'-open' if is_open else ''}"
        self._env = folder / ".env"
        make = ("make", "-s", "-C", str(folder), "-f", str(ROOT / "Makefile"))
        subprocess.run([*make, "env", f"OPEN={int(is_open)}"], check=True)
        self.given = dict(line.split("=", 1) for line in self._env.read_text().splitlines())
        self._ports = {name: free_port() for name in ("HTTP", "LINE_PROVIDER", "BET_MAKER")}
        with self._env.open("a") as env:
            env.writelines(f"STAKELINE_{name}_PORT={port}\n" for name, port in self._ports.items())
        self.gateway = self._url("HTTP")
        self.line_provider = self._url("LINE_PROVIDER")
        self.bet_maker = self._url("BET_MAKER")
        self.client = httpx2.Client(timeout=30, trust_env=False)
        if not is_open:
            password = self.given["BET_MAKER_FIRST_USER_PASSWORD"]
            self.operator = Operator(self.bet_maker, password)
            self.client.auth = self.operator

    def _url(self, name: str) -> str:
        return f"http://{HOST}:{self._ports[name]}"

    def publish(self) -> str:
        """The id of a new event that can be bet on."""
        event_id = ids.new_event_id()
        event = {"event_id": event_id, "coefficient": "2.00"}
        made = self.client.post(f"{self.line_provider}/events", json=event)
        assert made.status_code == 201
        self.until_heard(event_id)
        return event_id

    def bet(self, event_id: str, key: str) -> httpx2.Response:
        """The answer to a bet with this key."""
        body, keyed = {"event_id": event_id, "amount": 1}, {"Idempotency-Key": key}
        return self.client.post(f"{self.gateway}/bet-maker/bets", json=body, headers=keyed)

    def compose(self, *words: str) -> str:
        """What a `docker compose` command prints; it must succeed."""
        return self.pipe(b"", *words).decode()

    def pipe(self, given: bytes, *words: str) -> bytes:
        """What a `docker compose` command makes of these bytes; it must succeed."""
        start = ("docker", "compose", "--project-name", self.project, "--env-file", str(self._env))
        done = subprocess.run(
            [*start, *words],
            cwd=ROOT,
            env=_clean_environment(),
            input=given,
            capture_output=True,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, f"{' '.join(words)}: {said}"
        return done.stdout

    def up(self, *words: str) -> None:
        """README's command."""
        self.compose("up", "--build", "--wait", *words)

    def down(self, *words: str) -> None:
        """Remove the containers; none of them has said anything that is secret."""
        told = self.compose("logs", "--no-color")
        self.compose("down", *words)
        assert [name for name, secret in self.secrets().items() if secret in told] == []
        assert "eyJ" not in told, "a token was logged"

    def secrets(self) -> dict[str, str]:
        """The passwords, the tokens and the secret of `.env`, by name."""
        return {
            name: value.rpartition("=")[2]
            for name, value in self.given.items()
            if len(value) >= SHORTEST_SECRET
        }

    def remove(self) -> None:
        """Leave nothing behind: containers, networks, volumes, images."""
        self.client.close()
        self.down("--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "20")

    def logs(self) -> str:
        """What all containers said last."""
        return self.compose("logs", "--no-color", "--tail", "150")

    def containers(self, *services: str) -> list[Container]:
        """Those that run, of these services or of all."""
        return [Container(name) for name in self.compose("ps", "--quiet", *services).split()]

    def image(self, service: str) -> str:
        """The id of the image that the service's containers are made of."""
        return str(self.containers(service)[0].inspect()["Image"])

    def exec(self, service: str, *words: str, user: str | None = None) -> tuple[int, str]:
        """The status and output of a command in one of the service's containers."""
        return self.containers(service)[0].exec(*words, user=user)

    def until_healthy(self) -> None:
        """Return once all containers are: `up --wait` fails at once where one is not any more."""
        for container in self.containers():
            container.until_healthy_again(-1)

    def until_heard(self, event_id: str) -> None:
        """Return once bet-maker knows the event."""
        url = f"{self.bet_maker}/events/{event_id}"
        until(lambda: self.client.get(url).is_success, "bet-maker does not hear of the event")


class Container:
    """One container."""

    def __init__(self, container_id: str) -> None:
        self.id = container_id
        self.service = str(self.inspect()["Config"]["Labels"]["com.docker.compose.service"])
        self.name = str(self.inspect()["Name"]).removeprefix("/")

    def inspect(self) -> dict[str, Any]:
        """All that Docker knows of it."""
        (known,) = json.loads(docker("inspect", self.id))
        return dict(known)

    def exec(self, *words: str, user: str | None = None) -> tuple[int, str]:
        """The status and output of a command in it."""
        given = [] if user is None else ["--user", user]
        done = subprocess.run(
            ["docker", "exec", *given, self.id, *words], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def kill(self) -> None:
        """End its first process by SIGKILL from outside, as a crash: `docker kill` is an order."""
        with suppress(ProcessLookupError):
            os.kill(self.inspect()["State"]["Pid"], signal.SIGKILL)

    def until_healthy_again(self, restarts: int) -> None:
        """Return once it was restarted more than so many times and is healthy."""
        until(lambda: self._is_healthy(restarts), f"{self.name} is not healthy again")

    def _is_healthy(self, restarts: int) -> bool:
        known = self.inspect()
        healthy: bool = known["State"]["Health"]["Status"] == "healthy"
        return healthy and known["RestartCount"] > restarts


def until(holds: Callable[[], bool], otherwise: str, within_s: float = PATIENCE_S) -> None:
    """Return once `holds()` is true; fail with a sentence if it never is."""
    give_up_at = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(0.1)


def insist(call: Callable[[], httpx2.Response]) -> httpx2.Response:
    """The first answer that decides, as any client of a stack whose containers are killed asks.

    A lost connection and a 503 do not; the last of these is the answer if there is no other.
    """
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        late = time.monotonic() > give_up_at
        try:
            answer = call()
        except httpx2.TransportError:
            if late:
                raise
        else:
            if late or answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                return answer
        time.sleep(1)


def docker(*words: str) -> str:
    """What a docker command prints; it must succeed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def docker_fails(*words: str) -> str:
    """What a docker command says on standard error; it must fail."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def _clean_environment() -> dict[str, str]:
    """The environment without what compose.yaml would take from it, or Docker Compose itself."""
    ours = ("STAKELINE_", "LINE_PROVIDER_", "BET_MAKER_", "COMPOSE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
