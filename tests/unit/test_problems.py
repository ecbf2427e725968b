"""Errors as a caller sees them: RFC 9457 with a stable code, never the input, never the inside."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must have this status and code."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert {"type", "title", "detail"} < body.keys()
    return body


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"body.amount": "is required"}),
        ({"amount": None}, {"body.amount": "must be a number"}),
        ({"amount": 1.005}, {"body.amount": "must be a number like 10 or 10.50"}),
        ({"amount": 1, "secret": 2}, {"body": "unknown field"}),
        ({"amount": 1, "kind": "blue"}, {"body.kind": "must be 'red' or 'green'"}),
        ({"amount": 1, "sure": {}}, {"body.sure": "must be true or false"}),
        ({"amount": 1, "notes": "x"}, {"body.notes": "must be a list"}),
        ({"amount": 1, "notes": [{}]}, {"body.notes.0": "must be a string"}),
        ({"amount": 1, "place": 5}, {"body.place": "must be an object"}),
        ({"amount": 0, "kind": 1}, {"body.amount": "must be more than 0", "body.kind": "must be"}),
        ([], {"body": "must be an object"}),
        ("text", {"body": "must be an object"}),
        (None, {"body": "must be an object"}),
    ],
)
async def test_what_is_wrong_with_a_body_is_told_field_by_field(
    sample: Served, body: object, errors: dict[str, str]
) -> None:
    """Each wrong field is named with a reason."""
    answer = await sample.client.post("/orders", content=json.dumps(body), headers=JSON)
    told = problem(answer, 422, "invalid_request")["errors"]
    assert [error["field"] for error in told] == list(errors)
    for error, reason in zip(told, errors.values(), strict=True):
        assert error["reason"].startswith(reason)


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":"SECRET"}',
        '{"SECRET":1}',
        '{"amount":1,"kind":"SECRET"}',
        '{"notes":["SECRET"',
        "SECRET",
    ],
)
async def test_the_input_is_not_echoed(sample: Served, body: str) -> None:
    """Nothing of what was sent comes back, neither values nor names."""
    answer = await sample.client.post("/orders", content=body, headers=JSON)
    assert answer.status_code in {400, 422}
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("limit", ["0", "1001", "ten", "", "1e2", "%00", "%F0%9F%8F%86"])
async def test_a_wrong_query_is_told_like_a_wrong_body(sample: Served, limit: str) -> None:
    """The field's name says that it stands in the query."""
    answer = await sample.get(f"/orders?limit={limit}")
    (error,) = problem(answer, 422, "invalid_request")["errors"]
    assert error["field"] == "query.limit"


async def test_a_wrong_path_is_told_like_a_wrong_body(sample: Served) -> None:
    """The field's name says that it stands in the path."""
    answer = await sample.put("/orders/a%20b", {"amount": 1})
    (error,) = problem(answer, 422, "invalid_request")["errors"]
    assert error["field"] == "path.order_id"


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"amount":NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 99]
)
async def test_broken_json_is_malformed(sample: Served, body: bytes) -> None:
    """What is not strict JSON is 400, an empty body included."""
    answer = await sample.client.post("/orders", content=body, headers=JSON)
    problem(answer, 400, "malformed_json")


@pytest.mark.parametrize(
    ("media_type", "taken"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/merge-patch+json", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("", False),
        (None, False),
    ],
)
async def test_a_body_is_json_and_says_so(
    sample: Served, media_type: str | None, *, taken: bool
) -> None:
    """Any other media type is refused, whatever the body."""
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await sample.client.post("/orders", content=b'{"amount":1}', headers=headers)
    if taken:
        assert (answer.status_code, answer.json()) == (201, {"amount": 100})
    else:
        problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("path", "size", "taken"),
    [
        ("/orders", 16 * 1024, True),
        ("/orders", 16 * 1024 + 1, False),
        ("/orders/batch", 256 * 1024, True),
        ("/orders/batch", 256 * 1024 + 1, False),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_its_bound(
    sample: Served, path: str, size: int, *, taken: bool, chunked: bool
) -> None:
    """The largest body is read, one byte more is not, announced or in chunks."""
    start = b'{"amount":"1"'
    body = start + b" " * (size - len(start) - 1) + b"}"

    async def chunks() -> Any:  # noqa: ANN401 - an async generator of bytes
        for at in range(0, size, 4096):
            yield body[at : at + 4096]

    answer = await sample.client.post(path, content=chunks() if chunked else body, headers=JSON)
    if taken:
        assert answer.is_success
    else:
        problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/orders", "GET, POST"),
        ("GET", "/orders/7", "PUT"),
        ("POST", "/orders/7/", "PUT"),
        ("PUT", "/orders", "GET, POST"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/docs", "GET"),
        ("PUT", "/docs/assets/swagger-ui.css", "GET"),
    ],
)
async def test_a_method_that_an_address_does_not_take(
    sample: Served, method: str, path: str, allowed: str
) -> None:
    """405 lists all methods that the address takes."""
    answer = await sample.client.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/nothing", "/orders/7/8", "/docs/assets/none.js", "/%00"])
async def test_an_address_without_anything(sample: Served, path: str) -> None:
    """404 is a problem, too."""
    problem(await sample.get(path), 404, "not_found")


async def test_what_nobody_thought_of_is_internal(sample: Served) -> None:
    """A defect is 500 without its details, under an id by which the log is found."""
    with capture_logs():  # the traceback is not worth drawing
        answer = await sample.get("/broken", headers={"X-Request-Id": "abc-1"})
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert answer.headers.get("x-request-id") == "abc-1"


async def test_an_answer_that_breaks_off_does_not_look_whole(sample: Served) -> None:
    """A defect after the first byte cuts the connection, so that nobody takes half for all."""
    with capture_logs() as lines, pytest.raises(httpx2.RemoteProtocolError):
        await sample.get("/half")
    assert "internal error" in [line["event"] for line in lines]


@pytest.mark.parametrize(
    "sent", ["nonsense", "GET / HTTP/9.9", "GET /\x00 HTTP/1.1", "\x16\x03\x01"]
)
async def test_what_is_no_http_gets_a_problem_too(sample: Served, sent: str) -> None:
    """Whatever comes over the connection, the answer is one that programs can read."""
    host, port = sample.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{sent}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "bad_request"


async def test_a_503_says_when_to_come_back(sample: Served) -> None:
    """Retry-After stands in the headers; the reason is for the log only."""
    answer = await sample.get("/busy")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "secret" not in answer.text


async def test_a_client_that_goes_in_mid_body_is_no_defect_of_ours(sample: Served) -> None:
    """A request that breaks off is nobody's 500."""
    host, port = sample.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    start = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    start += "Content-Length: 9"
    writer.write(f'{start}\r\n\r\n{{"a'.encode())
    await writer.drain()
    writer.close()
    async with asyncio.timeout(5):
        while 'method="POST",route="/orders",status="' not in (await metrics(sample)):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert 'method="POST",route="/orders",status="500"' not in await metrics(sample)


async def metrics(sample: Served) -> str:
    """The metrics' text."""
    return (await sample.get("/metrics")).text
