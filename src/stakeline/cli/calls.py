"""Calling the two services as a patient client does, for `import` and `replay`."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stakeline import clock, errors, settings, strictjson
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable

T = TypeVar("T")

PATIENCE_S = 30
"""How long a call is repeated while the service is away or says that it cannot just now."""
FIRST_PATIENCE_S = 5
"""The same for the first call, which mostly finds a wrong address or nothing started."""

LATER = frozenset({429, 502, 503, 504})
"""The statuses that say "not just now"; 502 and 504 are a gateway's, in front of the service."""

_TOKEN = "STAKELINE_TOKEN"  # noqa: S105 - a variable's name

_REQUEST_S = 10
_LONGEST_PAUSE_S = 0.25


class Unusable(Exception):
    """A service cannot be worked with; the message is one line that says which and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes:
        status: the HTTP status.
        body: the JSON value, its numbers as `strictjson.Number`.
        next: the URL of the next page, or None.
    """

    status: int
    body: Any
    next: str | None = None

    @property
    def code(self) -> str:
        """The problem's stable word; `status_500` and the like where there is none."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return code if isinstance(code, str) else f"status_{self.status}"

    @property
    def reason(self) -> str:
        """The problem in one line: its detail and the fields it names."""
        if not isinstance(self.body, dict):
            return self.code
        named = ", ".join(
            f"{error.get('field')} {error.get('reason')}" for error in self.body.get("errors") or []
        )
        detail = str(self.body.get("detail", self.code))
        return f"{detail.rstrip('.')}: {named}" if named else detail


class Service:
    """One of the services at its URL; every call may be repeated, so none may count twice."""

    def __init__(self, name: str, client: httpx2.AsyncClient, at_once: int) -> None:
        self.name = name
        self._client = client
        self._room = asyncio.Semaphore(at_once)

    async def greet(self) -> None:
        """Nothing, if a service with events answers here.

        Raises:
            Unusable: nothing answers within `FIRST_PATIENCE_S`, something else does, or it says
                for `PATIENCE_S` more that it cannot just now.
        """
        answer = await self.call("GET", "events?limit=1", patience_s=FIRST_PATIENCE_S)
        if answer.status in LATER:
            answer = await self.call("GET", "events?limit=1")
        if answer.status in LATER:
            raise Unusable(f"{self._where()} cannot be used: {answer.reason}")
        if answer.status != httpx2.codes.OK or not isinstance(answer.body, list):
            raise Unusable(f"{self._where()} answers, but not as a {self.name} does")

    async def call(  # noqa: D417 - the first three are HTTP's
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        again_on: Collection[str] = (),
        patience_s: float | None = None,
    ) -> Answer:
        """The service's answer, once it has one.

        Args:
            key: the Idempotency-Key.
            again_on: repeat while one of these codes is the answer: the line reaches bet-maker
                a moment after line-provider, and may move on.
            patience_s: how long to repeat, `PATIENCE_S` unless said; after that a refusal is the
                answer.

        Raises:
            Unusable: no answer, one that is not JSON, or one that wants a caller it knows.
        """
        pause_s = 0.01
        wait_s = PATIENCE_S if patience_s is None else patience_s
        give_up_at = clock.steady() + wait_s * clock.US_PER_S
        while True:
            answer, after_s = await self._ask(method, path, body, key)
            late = clock.steady() + max(pause_s, after_s) * clock.US_PER_S > give_up_at
            if answer is None:
                if late:
                    raise Unusable(f"{self._where()} does not answer")
            elif answer.status in {401, 403}:
                said = f"{self._where()} refuses: {answer.reason.rstrip('.')}"
                raise Unusable(f"{said}; set {_TOKEN} to the token of an operator")
            elif late or not (answer.status in LATER or answer.code in again_on):
                return answer
            await asyncio.sleep(max(pause_s, after_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, key: str | None
    ) -> tuple[Answer | None, float]:
        """One request: the answer, None where the connection was lost, and Retry-After."""
        headers = {"Idempotency-Key": key} if key else {}
        content = None
        if body is not None:
            content = strictjson.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            async with self._room:
                response = await self._client.request(
                    method, path, content=content, headers=headers
                )
        except httpx2.TransportError:
            return None, 0
        after = re.fullmatch(r"\d{1,5}", response.headers.get("Retry-After", ""), re.ASCII)
        after_s = min(int(after[0]), _REQUEST_S) if after else 0
        try:
            value = strictjson.loads(response.content)
        except errors.MalformedJson:
            if response.status_code in LATER:
                return None, after_s
            raise Unusable(f"{self._where()} answers, but not as a {self.name} does") from None
        link = response.links.get("next", {}).get("url")
        return Answer(
            response.status_code, value, str(response.url.join(link)) if link else None
        ), after_s

    def _where(self) -> str:
        return f"{self.name} at {self._client.base_url}".rstrip("/")


@asynccontextmanager
async def service(
    name: str,
    url: str,
    at_once: int,
    wire: Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport] = lambda inner: inner,
    token: str | None = None,
) -> AsyncIterator[Service]:
    """The service at `url`, with at most so many requests under way at once.

    Args:
        name: `line-provider` or `bet-maker`.
        url: where it is.
        at_once: the most requests under way.
        wire: what is put around that which sends them.
        token: what it knows the caller by; None where it runs open.

    Raises:
        Unusable: that is no URL.
    """
    try:
        if urlsplit(url).port == 0:  # which raises where it is more than a port can be
            raise ValueError  # noqa: TRY301 - as the other reasons
        # Kept shorter than the servers keep them, or requests go into closed connections.
        limits = httpx2.Limits(
            max_connections=at_once, max_keepalive_connections=at_once, keepalive_expiry=3
        )
        client = httpx2.AsyncClient(
            base_url=settings.http_url(url),
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(_REQUEST_S, pool=None),
            transport=wire(httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)),
            trust_env=False,  # a proxy that the environment names cannot reach this machine
        )
    except (ValueError, httpx2.InvalidURL):
        raise Unusable(f"{name}: not a URL such as http://127.0.0.1:8000") from None
    async with client:
        yield Service(name, client, at_once)


def given_token() -> str | None:
    """The token that the environment has, from `STAKELINE_TOKEN` or `STAKELINE_TOKEN_FILE`.

    Raises:
        WrongSetting: both are set, the file cannot be read, or that is no token.
    """
    token = settings.given_by(_TOKEN, os.environ)
    if token and not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token, re.ASCII):
        raise WrongSetting(f"{_TOKEN}: must be a token, without Bearer or anything else")
    return token or None


async def each(items: Iterable[T], work: Callable[[T], Awaitable[object]], at_once: int) -> None:
    """Do `work` on every item, so many at once, begun in their order.

    Raises:
        Unusable: from the first `work` that did; the others were stopped.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except BaseExceptionGroup as failed:
        first: BaseException = failed
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, Unusable):
            raise first from None
        raise


def progress() -> Progress:
    """A progress bar on stderr that is gone when it is done; none where nobody looks."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
