"""Asking line-provider: one feed page, one snapshot. Every request has a deadline of its own."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING

import httpx2

from stakeline import clock, contract
from stakeline.errors import FeedChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from pydantic import SecretStr

    from stakeline.contract import Cursor, Event, FeedPage

PAGE = 500
PORTION = 500
MOST_BYTES = 1024 * 1024
ANSWER_S = 1.0
"""How long an answer may take beyond the time it was asked to wait."""
SNAPSHOT_S = 300.0
_IN_MEMORY = 16 * MOST_BYTES


class FeedUnreachable(Exception):
    """Line-provider does not answer, or not as it should."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole line, on disk: the cursor to go on from, line-provider's time, and every event."""

    top: Cursor
    received_at: int
    lines: IO[bytes]

    def portions(self) -> Iterator[list[tuple[str, Event | None]]]:
        """The events with their ids, some at a time.

        Raises:
            UnreadableItem: not even an id could be read.
        """
        while portion := list(islice(self.lines, PORTION)):
            yield [contract.read_snapshot_event(line) for line in portion]


class Line:
    """Line-provider, as seen from here.

    Args:
        url: its address, without a slash at the end.
        token: by which it knows us; None where it runs open.
    """

    def __init__(self, url: str, token: SecretStr | None = None) -> None:
        self.token = token
        # No redirects are followed, and no proxy or netrc of the environment is asked. To load the
        # certificates that only https needs would be felt at each start.
        verify = not url.lower().startswith("http:")
        self._client = httpx2.AsyncClient(
            base_url=url, timeout=None, trust_env=False, verify=verify
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _get(
        self, path: str, query: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[httpx2.Response]:
        token = self.token
        headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
        return self._client.stream("GET", path, params=query, headers=headers)

    async def feed(self, cursor: Cursor, wait_s: float) -> FeedPage:
        """The items after `cursor`: at once when there are any, else none after `wait_s`.

        Raises:
            FeedChanged: it does not have the cursor's item: this is another log.
            FeedUnreachable: no answer within `wait_s` + 1 s, not one as it should be, or one to
                another request.
            UnreadableItem: something that this release cannot read.
            MalformedJson: not JSON.
        """
        query = {
            "after": str(cursor.seq),
            "epoch": cursor.epoch,
            "at": clock.text(cursor.at),
            "limit": str(PAGE),
            "wait": str(wait_s),
            "nonce": (nonce := secrets.token_hex(8)),
        }
        async with (
            _deadline(wait_s + ANSWER_S),
            self._get("/feed", query) as answer,
        ):
            body = await _body(answer)
        if answer.status_code == httpx2.codes.CONFLICT:
            raise FeedChanged
        _expect_ok(answer)
        page = contract.read_page(body)
        if page.nonce != nonce:
            # The time is reckoned from when this request was sent: with an older answer, from a
            # cache or a connection out of step, late bets would look early.
            raise FeedUnreachable("line-provider's answer is to another request.")
        return page

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """The whole line, fetched before it is used, so that no transaction waits for a network.

        Raises:
            FeedUnreachable: it does not answer as it should, or not to the end.
            UnreadableItem: something that this release cannot read.
            MalformedJson: not JSON.
        """
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            async with (
                _deadline(SNAPSHOT_S),
                self._get("/feed/snapshot") as answer,
            ):
                _expect_ok(answer)
                async for chunk in answer.aiter_bytes():
                    spool.write(chunk)
            spool.seek(0)
            top, received_at = contract.read_snapshot_top(spool.readline())
            yield Snapshot(top, received_at, spool)


def _expect_ok(answer: httpx2.Response) -> None:
    if answer.status_code in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
        raise FeedUnreachable(
            f"line-provider answers {answer.status_code}: set BET_MAKER_LINE_PROVIDER_TOKEN to one"
            " of its LINE_PROVIDER_FEED_TOKENS."
        )
    if answer.status_code != httpx2.codes.OK:
        raise FeedUnreachable(f"line-provider answers {answer.status_code}.")


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    # httpx's own timeouts are per read: a peer that drips bytes would hold a request for ever.
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise FeedUnreachable("line-provider does not answer in time.") from None
    except httpx2.HTTPError as error:
        raise FeedUnreachable(
            f"line-provider cannot be reached: {type(error).__name__}."
        ) from error


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise FeedUnreachable("line-provider's answer is longer than 1 MiB.")
    return bytes(body)
