"""A bare ASGI application that answers all but `/healthz` alike, on the server that ours run on.

`python -m benchmarks.constant` reads its port, status, headers and body as JSON on standard input.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def serve(port: int, status: int, headers: dict[str, str], body: str) -> None:
    """Serve until SIGTERM, with uvicorn's settings as our services have, but no code of theirs."""
    content = body.encode()
    lines = {name: value for name, value in headers.items() if name != "content-length"}
    lines["content-length"] = str(len(content))
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
    }
    well = start | {"status": 200}
    end = {"type": "http.response.body", "body": content}

    async def app(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401, ARG001
        await send(well if scope["path"] == "/healthz" else start)
        await send(end)

    config = uvicorn.Config(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header="date" not in lines,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    serve(**json.load(sys.stdin))
