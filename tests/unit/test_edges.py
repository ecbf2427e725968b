"""Who may call a service at all, and what it shows to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import serving
from tests.unit.sample import create_app

if TYPE_CHECKING:
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = ("/docs", "/docs/assets/start.js", "/openapi.json", "/metrics")
HERE = "https://bets.example.org"


async def status(served: Served, path: str, host: str) -> int:
    """The status of a GET with this `Host`."""
    return (await served.get(path, headers={"Host": host})).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"]
)
async def test_loopback_is_called_by_its_names(sample: Served, host: str) -> None:
    """With whatever port the way here has: a container's may be published at another."""
    assert await status(sample, "/orders", host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:8000", "localhost.evil.example", "xlocalhost"),
        *("127.0.0.2", "[::2]", "::1", "localhost:", "localhost:123456", "localhost:x"),
        *("localhost, evil.example", "localhost/", "user@localhost", "localhost\xe9", "127.1"),
        *("0x7f000001", "2130706433", "[::1", "localhost#", "*"),
    ],
)
async def test_other_names_get_nothing(sample: Served, host: str) -> None:
    """A page whose own name leads here would otherwise be at home; health checks pass."""
    headers = {b"Host": host.encode("latin-1")}
    for path in ("/orders", "/nothing", "/docs", "/metrics"):
        answer = await sample.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert answer.headers["x-request-id"]
    assert (await sample.client.get("/healthz", headers=headers)).is_success
    assert (await sample.client.get("/readyz", headers=headers)).is_success


async def test_the_settings_say_by_which_names() -> None:
    """Those and no others; `*` is any that is well-formed."""
    async with serving(create_app(allowed_hosts=("bets.example.org", "10.0.0.5"))) as served:
        for host in ("bets.example.org", "Bets.Example.Org:8443", "10.0.0.5:8001"):
            assert await status(served, "/orders", host) == 200
        for host in ("betsxexample.org", "bets.example.org.", "localhost"):
            assert await status(served, "/orders", host) == 400
    async with serving(create_app(allowed_hosts=("*",))) as served:
        for host in ("anything", "line-provider:8000", "bets.example.org", "[fe80::1]:8000"):
            assert await status(served, "/orders", host) == 200
        for host in ("", "two words", "a:b:c", "a/b", "http://a"):
            assert await status(served, "/orders", host) == 400


@pytest.mark.parametrize(("host", "any_name"), [("0.0.0.0", True), ("127.9.9.9", False)])  # noqa: S104
async def test_what_others_reach_is_called_by_any_name(host: str, *, any_name: bool) -> None:
    """Nobody here knows which names lead there; a loopback address of one's own is one more."""
    async with serving(create_app(host=host)) as served:
        assert await status(served, "/orders", "line-provider:8000") == (200 if any_name else 400)
        assert await status(served, "/orders", host) == 200


async def test_pages_of_elsewhere_may_not_call(sample: Served) -> None:
    """No answer allows a browser to show it to another origin's page, or to send it more."""
    answer = await sample.get("/orders", headers={"Origin": HERE})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
    assert (await sample.client.options("/orders", headers=asked)).status_code == 405


async def test_pages_of_named_origins_may_call() -> None:
    """They send what clients send and read what clients read; cookies are never meant."""
    async with serving(create_app(cors_origins=(HERE,))) as served:
        answer = await served.get("/orders", headers={"Origin": HERE})
        assert answer.headers["access-control-allow-origin"] == HERE
        assert "access-control-allow-credentials" not in answer.headers
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"Link", "Location", "ETag", "Retry-After", "Idempotent-Replayed"} < {*exposed}
        assert "X-Request-Id" in exposed
        refused = await served.get("/nothing", headers={"Origin": HERE})  # pages read why
        assert refused.headers["access-control-allow-origin"] == HERE
        wanted = "authorization,content-type,idempotency-key,if-match,x-request-id"
        asked = {
            "Origin": HERE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": wanted,
        }
        assert (await served.client.options("/orders", headers=asked)).status_code == 200
        for wrong in (
            {"Origin": "https://evil.example"},
            {"Origin": f"{HERE}:8443"},
            {"Origin": "null"},
            {"Access-Control-Request-Headers": "x-other"},
            {"Access-Control-Request-Method": "TRACE"},
        ):
            answer = await served.client.options("/orders", headers=asked | wrong)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        stranger = await served.get("/orders", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


async def shown(served: Served, path: str, token: str | None = None) -> bool:
    """Whether it is shown to who has this token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = await served.get(path, headers=headers)
    assert answer.status_code in ({200, 404, 401} if token is None else {200, 404, 403})
    return answer.is_success


@pytest.mark.parametrize(
    ("setting", "is_open", "to_all", "to_operators"),
    [
        (None, True, True, True),
        (None, False, False, True),
        ("public", False, True, True),
        ("operator", False, False, True),
        ("off", True, False, False),
        ("off", False, False, False),
    ],
)
async def test_docs_and_metrics_are_shown_to_whom_the_settings_say(
    setting: str | None, *, is_open: bool, to_all: bool, to_operators: bool
) -> None:
    """By default to all in open mode, and else to operators; metrics also to services."""
    app = create_app(is_open=is_open, docs=setting, metrics=setting)
    async with serving(app) as served:
        for path in SHOWN:
            to_services = to_operators if path == "/metrics" else to_all
            assert await shown(served, path) == to_all, path
            assert await shown(served, path, "operator") == to_operators, path
            assert await shown(served, path, "service") == to_services, path
            assert await shown(served, path, "user") == to_all, path
            if setting == "off":
                assert (await served.post(path)).status_code == 404
        assert await shown(served, "/healthz")


async def test_docs_and_metrics_are_shown_apart() -> None:
    """One may be off while the other is public."""
    async with serving(create_app(docs="off")) as served:
        assert [await shown(served, path) for path in SHOWN] == [False, False, False, True]
    async with serving(create_app(metrics="off")) as served:
        assert [await shown(served, path) for path in SHOWN] == [True, True, True, False]
        assert "/metrics" not in (await served.get("/openapi.json")).json()["paths"]


async def client_seen(forwarded: str, **outside: Any) -> tuple[str, str]:  # noqa: ANN401
    """From where, and by which scheme, the service thinks that it was called through a gateway."""
    async with serving(create_app(**outside)) as served:
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        answer = await served.get("/client", headers=headers)
        assert ("strict-transport-security" in answer.headers) == (answer.json()[1] == "https")
        host, scheme = answer.json()
        return host, scheme


async def test_only_trusted_proxies_say_who_calls() -> None:
    """Nobody else can put on another's address; of several proxies, the last untrusted counts."""
    forged = "203.0.113.7, 198.51.100.9"
    assert await client_seen(forged) == ("127.0.0.1", "http")
    assert await client_seen(forged, trusted_proxies=("10.0.0.0/8",)) == ("127.0.0.1", "http")
    near = ("127.0.0.0/8",)
    assert await client_seen(forged, trusted_proxies=near) == ("198.51.100.9", "https")
    both = (*near, "198.51.100.0/24")
    assert await client_seen(forged, trusted_proxies=both) == ("203.0.113.7", "https")
