"""One connection: limits at and beyond, slow requests and answers, requests that could be two."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stakeline.web import http11, protocol
from tests.serving import serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

KIB = 1024
HOST = b"Host: localhost\r\n"
ORDER = b'{"amount":1}'
POST = b"POST /orders HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST


@asynccontextmanager
async def connected(served: Served) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A connection of one's own to the service."""
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def all_said(served: Served, *sent: bytes, every_s: float = 0, within_s: float = 5) -> bytes:
    """All that the service says to these pieces until it closes the connection.

    Raises:
        TimeoutError: it does not.
    """
    async with connected(served) as (reader, writer), asyncio.timeout(within_s):
        said = asyncio.create_task(reader.read())
        for piece in sent:
            if not said.done():
                writer.write(piece)
                await asyncio.sleep(every_s)
        return await said


def problems(said: bytes) -> list[tuple[int, str]]:
    """The statuses and codes of the problems that were said, and nothing else was."""
    found = []
    while said:
        head, _, said = said.partition(b"\r\n\r\n")
        status, *lines = head.decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-content-type-options"] == "nosniff"
        length = int(headers["content-length"])
        body, said = json.loads(said[:length]), said[length:]
        assert status.split()[1] == str(body["status"])
        found.append((body["status"], body["code"]))
    return found


def statuses(said: bytes) -> list[int]:
    """The status of every answer."""
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]]


def get(target: str = "/healthz", *headers: str) -> bytes:
    """A GET that ends its connection."""
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def of_size(size: int) -> str:
    """A header that makes those of `get` this large, line ends included."""
    others = get().split(b"\r\n", 1)[1]
    return "X: " + "a" * (size - len(others[:-2]) - len("X: \r\n"))


async def test_headers_of_16_kib_are_taken_and_no_more(sample: Served) -> None:
    """One byte beyond is 431; so is any number of small ones, or one that does not end."""
    assert statuses(await all_said(sample, get("/healthz", of_size(16 * KIB)))) == [200]
    too_large = [(431, "headers_too_large")]
    assert problems(await all_said(sample, get("/healthz", of_size(16 * KIB + 1)))) == too_large
    many = get("/orders", *(f"a{n}: b" for n in range(3000)))
    assert problems(await all_said(sample, many)) == too_large
    assert problems(await all_said(sample, get("/x", "a: b" * 10**6))) == too_large
    endless = (b"GET / HTTP/1.1\r\nX: ", *[b"a" * 4 * KIB] * 7)
    assert problems(await all_said(sample, *endless, every_s=0.01)) == too_large


async def test_headers_are_measured_with_each_request(sample: Served) -> None:
    """Also where there are as many as in the request before."""
    end = b"Connection: close\r\n"
    largest = get("/healthz", of_size(16 * KIB + len(end))).replace(end, b"")
    larger = largest.replace(b"X: ", b"X: a")
    assert statuses(await all_said(sample, largest, get())) == [200, 200]
    assert statuses(await all_said(sample, largest, larger, every_s=0.3)) == [200, 431]


async def test_a_target_of_8_kib_is_taken_and_no_more(sample: Served) -> None:
    """One byte beyond is 414, its query included, before any route is looked for."""
    longest = "/orders?limit=5&cursor=" + "a" * (8 * KIB - len("/orders?limit=5&cursor="))
    assert statuses(await all_said(sample, get(longest))) == [200]
    for target in (f"{longest}a", "/nothing/" + "a" * 8 * KIB, "/" + "a" * 10**6):
        assert problems(await all_said(sample, get(target))) == [(414, "uri_too_long")]


async def test_trailers_and_chunk_extensions_are_bounded_too(sample: Served) -> None:
    """What comes beside a body counts like headers."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    trailers = b"0\r\n" + b"a: b\r\n" * 3000 + b"\r\n"
    for beside in (b"1;" + b"a" * 30 * KIB, b"0\r\nX: " + b"a" * 30 * KIB, trailers):
        assert problems(await all_said(sample, head, beside)) == [(431, "headers_too_large")]


async def test_a_refusal_reaches_who_is_still_sending(sample: Served) -> None:
    """A body or head that goes on after its refusal does not reset the connection at once."""
    large = POST + b"Content-Length: 10000000\r\n"
    said = await all_said(sample, large + b"Connection: close\r\n\r\n", b"a" * 10**7)
    assert problems(said) == [(413, "too_large")]
    assert problems(await all_said(sample, get("/x", "a: " + "b" * 10**7))) == [
        (431, "headers_too_large")
    ]


async def test_requests_in_a_row_are_answered_in_their_order(sample: Served) -> None:
    """All of them came at once; large ones, too, and a limit is each one's own."""
    half = of_size(9 * KIB).encode()
    first = get("/healthz").replace(b"Connection: close\r\n", half + b"\r\n")
    order = POST + b"Content-Length: 12\r\n\r\n" + ORDER
    said = await all_said(sample, first * 3 + order + get("/nothing"))
    assert statuses(said) == [200, 200, 200, 201, 404]


async def test_nonsense_behind_a_request_is_no_answer_to_it() -> None:
    """The request is answered, once, and the connection closed."""
    slow = get("/slow").replace(b"Connection: close\r\n", b"")
    async with serving(create_app()) as served, connected(served) as (reader, writer):
        writer.write(slow + b"nonsense\r\n\r\n")
        await served.app.state.began.wait()
        served.app.state.go_on.set()
        async with asyncio.timeout(5):
            assert statuses(await reader.read()) == [200]


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 12\r\nContent-Length: 12",
        "Content-Length: 12\r\nContent-Length: 13",
        "Content-Length: 12, 12",
        "Content-Length: +12",
        "Content-Length: -1",
        "Content-Length: 0x0c",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 12\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 12",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        " Content-Length: 12",
        "Content-Length: 12\r\n folded",
        "Content-Length: 12\nX: y",
        "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 12",
        "Upgrade: h2c\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked",
    ],
)
async def test_a_request_that_could_be_two_is_none(sample: Served, headers: str) -> None:
    """Gateways may read it otherwise: 400, nothing else, and what hides in the body is not run."""
    hidden = get("/orders")
    said = await all_said(sample, POST + headers.encode() + b"\r\n\r\n" + ORDER + hidden)
    assert problems(said) == [(400, "bad_request")]


async def test_what_comes_after_an_upgrade_is_no_request(sample: Served) -> None:
    """The parser leaves its body to others, and would read it as the next request."""
    hidden = get("/orders")
    asking = f"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: {len(hidden)}\r\n\r\n"
    said = await all_said(sample, POST + asking.encode(), hidden, every_s=0.1)
    assert problems(said) == [(400, "bad_request")]


async def test_trailers_are_no_headers(sample: Served) -> None:
    """However the packets fall."""
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n" + ORDER
    trailer = b"\r\n0\r\nX-Request-Id: of-a-trailer\r\n\r\n"
    for pieces in ([head + trailer], [head, trailer]):
        said = await all_said(sample, *pieces, every_s=0.1)
        assert statuses(said) == [201]
        assert b"of-a-trailer" not in said


async def test_nothing_is_left_of_a_connection(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor waits for the collector, who comes seldom."""
    made: list[weakref.ref[protocol.Protocol]] = []
    begin = protocol.Protocol.connection_made

    def note(self: protocol.Protocol, transport: asyncio.Transport) -> None:
        made.append(weakref.ref(self))
        begin(self, transport)

    monkeypatch.setattr(protocol.Protocol, "connection_made", note)
    gc.collect()
    gc.disable()
    try:
        async with connected(sample) as (reader, writer):
            writer.write(get("/healthz").replace(b"Connection: close\r\n", b""))
            await reader.readuntil(b'{"status":"ok"}')
        async with asyncio.timeout(5):
            while any(one() is not None for one in made):
                await asyncio.sleep(0.05)
    finally:
        gc.enable()
    assert made


def kept(request: bytes) -> bytes:
    """The request without the end of its connection."""
    return request.replace(b"Connection: close\r\n", b"")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request between two others was known, by its bytes, from before."""
    found: list[bool] = []
    begin = protocol.Protocol.begin_known

    def note(self: protocol.Protocol, data: bytes) -> bool:
        found.append(begin(self, data))
        return found[-1]

    monkeypatch.setattr(protocol.Protocol, "begin_known", note)
    return found


async def asked(reader: StreamReader, writer: StreamWriter, request: bytes) -> bytes:
    """What is answered to one more request on a connection, with the head of the answer."""
    writer.write(request)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)


async def test_a_request_that_came_before_is_answered_alike(
    sample: Served, known: list[bool]
) -> None:
    """On whichever connection; the one that each begins with is always read."""
    here, there = kept(get("/orders?limit=3", "X: here")), kept(get("/orders?limit=4", "X: here"))
    seen = []
    for _ in range(2):
        async with connected(sample) as streams:
            seen += [await asked(*streams, request) for request in (here, there, here, there) * 2]
    assert known == [False, False, True, True, True, True, True] + [True] * 7
    assert {statuses(one)[0] for one in seen} == {200}
    bodies = [one.partition(b"\r\n\r\n")[2] for one in seen]
    assert bodies == [b'{"limit":3}', b'{"limit":4}'] * 8


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 12\r\n\r\n" + ORDER,
        POST + b"Content-Length: 0\r\n\r\n",
        get("/orders"),
        kept(get("/orders", "Expect: 100-continue")),
        kept(get("/orders", of_size(3 * KIB))),
        kept(get("/orders", *(f"X-{n}: {n}" for n in range(40)))),
        kept(get("/orders")) * 2,
        kept(get("/orders")).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["body", "no body", "last", "expects", "long", "headers", "two", "old"],
)
async def test_other_requests_are_always_read(
    sample: Served, known: list[bool], request_: bytes
) -> None:
    """Those that may have more to them than one head, or are too long to be kept."""
    for _ in range(3):
        async with connected(sample) as (reader, writer):
            await asked(reader, writer, kept(get("/healthz")))
            writer.write(request_)
            await asyncio.sleep(0.05)
            writer.write(get("/healthz"))
            async with asyncio.timeout(5):
                await reader.read()
    assert known
    assert not any(known)


async def test_a_request_that_is_known_hides_in_nothing(sample: Served) -> None:
    """Its bytes within another request are what they are there: a body, or a header."""
    hidden = kept(get("/orders"))
    async with connected(sample) as streams:
        for _ in range(3):
            assert statuses(await asked(*streams, hidden)) == [200]
    head = POST + f"Content-Length: {len(hidden)}\r\n\r\n".encode()
    begun = POST.replace(b"POST", b"HEAD") + b"Connection: close\r\nX: "
    for pieces, expected in (
        ((hidden, head, hidden, get()), [200, 400, 200]),
        ((hidden, begun, hidden), [200, 400]),
        ((hidden, b"\r\n", hidden, get()), [200, 200, 200]),
        ((get(), hidden), [200]),
        ((hidden, b"nonsense\r\n\r\n", hidden), [200, 400]),
    ):
        assert statuses(await all_said(sample, *pieces, every_s=0.1)) == expected


async def test_what_the_parser_would_not_read_is_not_known(sample: Served) -> None:
    """A trailer that ends the connection is the parser's to judge, and it reads no more then."""
    hidden = kept(get("/orders"))
    chunks = b"\r\nc\r\n" + ORDER + b"\r\n0\r\n"
    last = POST + b"Transfer-Encoding: chunked\r\n" + chunks + b"Connection: close\r\n\r\n"
    async with connected(sample) as (reader, writer):
        for _ in range(3):
            assert statuses(await asked(reader, writer, hidden)) == [200]
        assert statuses(await asked(reader, writer, last)) == [201]
        writer.write(hidden)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)


async def test_a_request_that_is_known_waits_for_those_before_it() -> None:
    """Its answer is not sent before theirs."""
    async with serving(create_app()) as served, connected(served) as (reader, writer):
        for _ in range(2):
            await asked(reader, writer, kept(get("/healthz")))
        writer.write(kept(get("/slow")))
        await served.app.state.began.wait()
        writer.write(kept(get("/healthz")))
        await asyncio.sleep(0.05)
        writer.write(get("/nothing"))
        await asyncio.sleep(0.05)
        served.app.state.go_on.set()
        async with asyncio.timeout(5):
            assert statuses(await reader.read()) == [200, 200, 404]


async def test_only_so_many_requests_are_known(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many different ones come."""
    known: dict[bytes, object] = {}
    monkeypatch.setattr(http11, "_known", known)
    monkeypatch.setattr(http11, "_MOST_KNOWN", 5)
    async with connected(sample) as streams:
        for n in range(20):
            assert statuses(await asked(*streams, kept(get(f"/orders?limit={n + 1}")))) == [200]
            assert len(known) <= 5


@pytest.mark.parametrize(
    "chunks",
    [
        "x\r\n",
        "-1\r\n",
        "+c\r\n",
        "0xc\r\n",
        "fffffffffffffffff\r\n",
        "c\r\n" + "a" * 13,
        "\r\n\r\n",
    ],
)
async def test_a_chunk_that_does_not_fit_is_refused(sample: Served, chunks: str) -> None:
    """Bad sizes, and chunks that are longer than they say."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert problems(await all_said(sample, head, chunks.encode())) == [(400, "bad_request")]


@pytest.mark.parametrize("hosts", ["", HOST.decode() * 2, "Host: \t\r\n", "Host:localhost x\r\n"])
async def test_one_host_is_asked_for(sample: Served, hosts: str) -> None:
    """With two, a gateway may have judged by the other."""
    said = await all_said(
        sample, f"GET /orders HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode()
    )
    assert problems(said) == [(400, "bad_request")]


@pytest.mark.parametrize("line", ["OPTIONS *", "CONNECT localhost:80", "GET http://", "GET orders"])
async def test_odd_targets_are_no_defects(sample: Served, line: str) -> None:
    """What HTTP has for proxies is refused here."""
    said = await all_said(
        sample, f"{line} HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n\r\n"
    )
    assert statuses(said)[0] in {400, 404, 405}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 s are one."""
    monkeypatch.setattr(protocol, "LOOKS", 2)


SLOW = (
    ("a head", POST, 408),
    ("half a line", b"GET /hea", 408),
    ("a body", POST + b"Content-Length: 12\r\n\r\n{", 408),
    ("a chunk", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n", 408),
    ("nothing", b"", None),
    ("blank lines", b"\r\n", None),
)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("begun", "status"), [case[1:] for case in SLOW], ids=[c[0] for c in SLOW])
async def test_a_request_that_does_not_arrive_is_given_up(
    sample: Served, begun: bytes, status: int | None
) -> None:
    """Also the second one on its connection; where nothing was asked, nothing is answered."""
    expected = [] if status is None else [(408, "request_timeout")]
    assert problems(await all_said(sample, begun)) == expected
    async with connected(sample) as (reader, writer), asyncio.timeout(5):
        writer.write(get().replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b'{"status":"ok"}')
        if begun:
            writer.write(begun)
            assert problems(await reader.read()) == expected


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"GET /healthz HTTP/1.1\r\nX: ", b"a"),
        (POST + b"Content-Length: 1000\r\n\r\n", b" "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["head", "body", "chunks"],
)
async def test_dripping_does_not_prolong_it(sample: Served, begun: bytes, drop: bytes) -> None:
    """However often a byte comes, all of the request has to come in time."""
    said = await all_said(sample, begun, *[drop] * 20, every_s=0.1)
    assert problems(said) == [(408, "request_timeout")]


@pytest.mark.usefixtures("hasty")
async def test_what_was_refused_may_not_drip_on(sample: Served) -> None:
    """The rest of a body that was too large is read for so long, and then no more."""
    head = POST + b"Content-Length: 10000000\r\n\r\n"
    said = await all_said(sample, head, b"a" * 17 * KIB, *[b"a"] * 30, every_s=0.1)
    assert problems(said) == [(413, "too_large")]


@pytest.mark.usefixtures("hasty")
async def test_an_answer_that_does_not_begin_is_given_up() -> None:
    """503 with Retry-After; what goes on in the service goes on, and its answer is dropped."""
    async with serving(create_app()) as served:
        said = await all_said(served, get("/slow"))
        assert problems(said) == [(503, "unavailable")]
        assert b"\r\nretry-after: 1\r\n" in said
        served.app.state.go_on.set()
        assert (await served.get("/slow")).json() == "at last"


@pytest.mark.usefixtures("hasty")
async def test_an_answer_that_has_begun_may_take_its_time() -> None:
    """An export to a slow reader, say."""
    async with serving(create_app()) as served:
        later = asyncio.create_task(all_said(served, get("/long"), within_s=10))
        await asyncio.sleep(2.5)
        served.app.state.go_on.set()
        assert b"the end" in await later


@pytest.mark.usefixtures("hasty")
async def test_an_idle_connection_is_kept(sample: Served) -> None:
    """For 5 s; the time for a request begins with its first byte."""
    async with connected(sample) as (reader, writer), asyncio.timeout(10):
        for pause_s in (2, 0):
            writer.write(get().replace(b"Connection: close\r\n", b""))
            await reader.readuntil(b'{"status":"ok"}')
            await asyncio.sleep(pause_s)


async def test_a_connection_that_stands_idle_is_closed(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word; the client asks anew on another one."""
    monkeypatch.setattr(protocol, "IDLE_LOOKS", 1)
    said = await all_said(sample, get().replace(b"Connection: close\r\n", b""))
    assert statuses(said) == [200]
