"""Both services with users and events, each as a process, as an operator would run them."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from benchmarks import load
from benchmarks.processes import Process, run
from tests import cluster
from tests.ports import HOST, free_port
from tests.processes import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster import Cluster

EVENTS = 100
PASSWORD = "as long as twelve characters"  # noqa: S105 - of users that live as long as a run


@dataclass(frozen=True, slots=True)
class Ground:
    """What a measurement stands on.

    Attributes:
        folder: on the disk that is measured.
        server: the private PostgreSQL; None: SQLite.
        rounds: how often everything is measured.
        seconds: how long each time.
        connections: how many place bets.
        users: how many those belong to.
    """

    folder: Path
    server: Cluster | None
    rounds: int
    seconds: float
    connections: int = load.CONNECTIONS
    users: int = 10

    @property
    def engine(self) -> str:
        """Its name."""
        return "SQLite" if self.server is None else "PostgreSQL"

    def database(self, name: str) -> str:
        """The URL of an empty database."""
        if self.server is None:
            return f"sqlite:///{self.folder / name}.sqlite3"
        return cluster.database(self.server.url, self.folder, name)


@dataclass(slots=True)
class House:
    """Both services.

    Attributes:
        line: line-provider's URL.
        bets: bet-maker's URL.
        database: the URL of bet-maker's database.
        environment: of both services.
        operator: an operator's token.
        users: the tokens of those who bet, by their ids.
        events: the ids of the events that may be bet on.
        processes: both services' processes, by their names.
        log: the folder of their logs.
        connections: how many place bets.
        client: keeps connections to both.
    """

    line: str
    bets: str
    database: str
    environment: dict[str, str]
    log: Path
    connections: int
    operator: str = ""
    users: dict[int, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    client: httpx2.Client = field(
        default_factory=lambda: httpx2.Client(timeout=60, trust_env=False)
    )

    def start(self, service: str, *options: str) -> None:
        """Start a service; it need not answer yet."""
        url = self.line if service == "line-provider" else self.bets
        words = ["-m", "stakeline", service, "--port", url.rpartition(":")[2], *options]
        log = self.log / f"{service}.log"
        self.processes[service] = Process(words, log, self.environment)

    def stop(self, service: str) -> None:
        """Stop it, if it runs."""
        if service in self.processes:
            self.processes.pop(service).stop()

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> httpx2.Response:  # noqa: ANN401 - JSON
        """The operator's call, which succeeds."""
        if self.operator:
            headers.setdefault("Authorization", f"Bearer {self.operator}")
        answer = self.client.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer

    def log_in(self, username: str) -> str:
        """A user's token."""
        login = {"username": username, "password": PASSWORD}
        return str(self.call("POST", f"{self.bets}/token", login).json()["access_token"])

    def placing(self, events: int = EVENTS) -> list[str]:
        """Requests for bets: every user on each of so many events, with another key each time."""
        return [
            load.request(
                "POST",
                f"{self.bets}/bets",
                token,
                f'{{"event_id":"{event_id}","amount":10.50,"coefficient":1.95}}',
                f"Idempotency-Key: {load.KEY}-{load.KEY}",
            )
            for event_id in self.events[:events]
            for token in self.users.values()
        ]

    def add_users(self, count: int) -> None:
        """Users who bet."""
        for n in range(count):
            new = {"username": f"user-{n}", "password": PASSWORD}
            user_id = self.call("POST", f"{self.bets}/users", new).json()["user_id"]
            self.users[int(user_id)] = self.log_in(new["username"])

    def add_events(self, count: int) -> None:
        """Events that may be bet on, known to both services."""
        self.events = [f"event-{n}" for n in range(count)]
        for event_id in self.events:
            new = {"event_id": event_id, "coefficient": 1.95, "deadline": "2099-01-01T00:00:00Z"}
            new["name"] = f"Home of {event_id} v Guests of {event_id}"
            self.call("POST", f"{self.line}/events", new)
        known = f"{self.bets}/events/{self.events[-1]}"
        self.processes["bet-maker"].until(known, token=self.operator)


@contextmanager
def house(ground: Ground, name: str, *options: str, users: int | None = None) -> Iterator[House]:
    """Both services, ready; limits off, tokens on.

    Args:
        ground: what it stands on.
        name: of its databases, new for each house.
        options: of bet-maker's command.
        users: how many bet, where it is not as many as usual.
    """
    secret, feed = secrets.token_hex(32), secrets.token_hex(32)
    line, bets = (f"http://{HOST}:{free_port()}" for _ in range(2))
    database = ground.database(f"{name}-bet-maker")
    settings = {
        "LINE_PROVIDER_DATABASE_URL": ground.database(f"{name}-line-provider"),
        "LINE_PROVIDER_JWT_SECRET": secret,
        "LINE_PROVIDER_FEED_TOKENS": f"bet-maker={feed}",
        "BET_MAKER_DATABASE_URL": database,
        "BET_MAKER_LINE_PROVIDER_URL": line,
        "BET_MAKER_LINE_PROVIDER_TOKEN": feed,
        "BET_MAKER_JWT_SECRET": secret,
        "BET_MAKER_TOKEN_LIFETIME_S": "86400",
        "BET_MAKER_FIRST_USER_USERNAME": "operator",
        "BET_MAKER_FIRST_USER_PASSWORD": PASSWORD,
    }
    environment = clean_environment() | settings
    built = House(line, bets, database, environment, ground.folder, ground.connections)
    run(["migrate"], built.environment)
    with ExitStack() as stack:
        stack.callback(built.client.close)
        for service in ("line-provider", "bet-maker"):
            stack.callback(built.stop, service)
            built.start(service, *(options if service == "bet-maker" else ()))
        built.processes["line-provider"].until(f"{line}/readyz")
        built.processes["bet-maker"].until(f"{bets}/readyz")
        built.operator = built.log_in("operator")
        built.add_users(ground.users if users is None else users)
        built.add_events(EVENTS)
        yield built
