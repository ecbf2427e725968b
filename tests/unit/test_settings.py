"""Settings: from the environment and the command line; a wrong one is named in one line."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from stakeline import settings
from stakeline.bet_maker.settings import Settings as BetMaker
from stakeline.line_provider.settings import Settings as LineProvider
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "5f0c7b1e9d3a48c6b2e7f1049a8d6c3e"  # noqa: S105 - of these tests alone
LINE = {"BET_MAKER_LINE_PROVIDER_URL": "http://127.0.0.1:8000"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our settings is in the environment."""
    for kind, prefix in ((BetMaker, "BET_MAKER_"), (LineProvider, "LINE_PROVIDER_")):
        for field in kind.model_fields:
            for name in (field, f"{field}_file"):
                monkeypatch.delenv(f"{prefix}{name}".upper(), raising=False)


def test_a_laptop_needs_no_settings() -> None:
    """line-provider's defaults are SQLite in the working folder, on loopback."""
    chosen = settings.read(LineProvider)
    assert chosen.database_url == "sqlite:///stakeline-data/line-provider.sqlite3"
    assert (chosen.host, chosen.port, chosen.root_path) == ("127.0.0.1", 8000, "")
    assert (chosen.log_level, chosen.default_deadline_s) == ("INFO", 5000)


@pytest.mark.parametrize("kind", [LineProvider, BetMaker])
def test_a_default_that_will_not_do_is_named(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a database was migrated elsewhere, SQLite here may be too old for it."""
    monkeypatch.setenv("BET_MAKER_STANDALONE", "1")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(WrongSetting, match=f"^{kind.prefix}DATABASE_URL: SQLite here is"):
        settings.read(kind)


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting comes from a variable with the service's prefix."""
    monkeypatch.setenv("BET_MAKER_LINE_PROVIDER_URL", "http://line:8000/feed/")
    monkeypatch.setenv("BET_MAKER_PORT", "9001")
    monkeypatch.setenv("BET_MAKER_ROOT_PATH", "/bet-maker")
    chosen = settings.read(BetMaker)
    assert chosen.line_provider_url == "http://line:8000/feed"
    assert (chosen.port, chosen.root_path, chosen.standalone) == (9001, "/bet-maker", False)


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given wins; what is given as None leaves the environment's word."""
    monkeypatch.setenv("LINE_PROVIDER_PORT", "9000")
    assert settings.read(LineProvider, port=9100).port == 9100
    assert settings.read(LineProvider, port=None).port == 9000


def test_standalone_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standalone bet-maker follows nobody."""
    monkeypatch.setenv("BET_MAKER_STANDALONE", "1")
    chosen = settings.read(BetMaker)
    assert (chosen.standalone, chosen.line_provider_url) == (True, None)


@pytest.mark.parametrize(
    ("kind", "environment", "named"),
    [
        (LineProvider, {"LINE_PROVIDER_PORT": "eight"}, "LINE_PROVIDER_PORT"),
        (LineProvider, {"LINE_PROVIDER_PORT": "65536"}, "LINE_PROVIDER_PORT"),
        (LineProvider, {"LINE_PROVIDER_PORT": "-1"}, "LINE_PROVIDER_PORT"),
        (LineProvider, {"LINE_PROVIDER_HOST": "0.0.0.0"}, "LINE_PROVIDER_HOST"),  # noqa: S104 - refused
        (LineProvider, {"LINE_PROVIDER_HOST": "example.org"}, "LINE_PROVIDER_HOST"),
        (LineProvider, {"LINE_PROVIDER_DATABASE_URL": "line.db"}, "LINE_PROVIDER_DATABASE_URL"),
        (LineProvider, {"LINE_PROVIDER_DATABASE_URL": "sqlite://"}, "LINE_PROVIDER_DATABASE_URL"),
        (
            LineProvider,
            {"LINE_PROVIDER_DATABASE_URL": "sqlite:///:memory:"},
            "LINE_PROVIDER_DATABASE_URL",
        ),
        (
            LineProvider,
            {"LINE_PROVIDER_DATABASE_URL": "mysql://host/line"},
            "LINE_PROVIDER_DATABASE_URL",
        ),
        (LineProvider, {"LINE_PROVIDER_ROOT_PATH": "line"}, "LINE_PROVIDER_ROOT_PATH"),
        (LineProvider, {"LINE_PROVIDER_ROOT_PATH": "/line/"}, "LINE_PROVIDER_ROOT_PATH"),
        (LineProvider, {"LINE_PROVIDER_LOG_LEVEL": "LOUD"}, "LINE_PROVIDER_LOG_LEVEL"),
        (
            LineProvider,
            {"LINE_PROVIDER_DEFAULT_DEADLINE_S": "0"},
            "LINE_PROVIDER_DEFAULT_DEADLINE_S",
        ),
        (LineProvider, {"LINE_PROVIDER_BROKER_URL": "rabbit:5672"}, "LINE_PROVIDER_BROKER_URL"),
        (LineProvider, {"LINE_PROVIDER_BROKER_URL": "http://rabbit"}, "LINE_PROVIDER_BROKER_URL"),
        (BetMaker, LINE | {"BET_MAKER_BROKER_URL": "amqp://"}, "BET_MAKER_BROKER_URL"),
        (
            BetMaker,
            {"BET_MAKER_STANDALONE": "1", "BET_MAKER_BROKER_URL": "amqp://rabbit"},
            "BET_MAKER_BROKER_URL",
        ),
        (LineProvider, {"LINE_PROVIDER_PROT": "8000"}, "LINE_PROVIDER_PROT"),
        (BetMaker, LINE | {"BET_MAKER_STANDALONE": "1"}, "BET_MAKER_STANDALONE"),
        (BetMaker, {}, "BET_MAKER_LINE_PROVIDER_URL"),
        (BetMaker, {"BET_MAKER_STANDALONE": "maybe"}, "BET_MAKER_STANDALONE"),
        (BetMaker, {"BET_MAKER_LINE_PROVIDER_URL": "line:8000"}, "BET_MAKER_LINE_PROVIDER_URL"),
        (BetMaker, {"BET_MAKER_LINE_PROVIDER_URL": "ftp://line"}, "BET_MAKER_LINE_PROVIDER_URL"),
        (BetMaker, {"BET_MAKER_LINE_PROVIDER_URL": "http://"}, "BET_MAKER_LINE_PROVIDER_URL"),
        (BetMaker, {"BET_MAKER_LINE_PROVIDER_URL": "http://l?a=1"}, "BET_MAKER_LINE_PROVIDER_URL"),
        (BetMaker, LINE | {"BET_MAKER_LINE": "x"}, "BET_MAKER_LINE"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else None,
)
def test_a_wrong_setting_is_named_in_one_line(
    kind: type[Any], environment: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts a service reads which setting is wrong and what it must be."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as wrong:
        settings.read(kind)
    assert named in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """With blanks or without; names of hosts are as good in capitals."""
    monkeypatch.setenv("LINE_PROVIDER_ALLOWED_HOSTS", "Bets.Example.org, [::1],10.0.0.5")
    monkeypatch.setenv("LINE_PROVIDER_CORS_ORIGINS", "https://a.example:8443,http://localhost")
    monkeypatch.setenv("LINE_PROVIDER_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1")
    chosen = settings.read(LineProvider)
    assert chosen.allowed_hosts == ("bets.example.org", "[::1]", "10.0.0.5")
    assert chosen.cors_origins == ("https://a.example:8443", "http://localhost")
    assert chosen.trusted_proxies == ("127.0.0.1", "10.0.0.0/8", "::1")


@pytest.mark.parametrize("name", ["LINE_PROVIDER_DATABASE_URL", "LINE_PROVIDER_PORT_FILE"])
def test_an_empty_variable_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What compose hands on of a variable that nobody has set leaves the default."""
    monkeypatch.setenv(name, "")
    assert settings.read(LineProvider) == LineProvider()


def test_a_setting_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content is the value, without the line break that editors leave."""
    file = tmp_path / "secret"
    file.write_bytes(f"{SECRET}\r\n".encode())
    monkeypatch.setenv("BET_MAKER_JWT_SECRET_FILE", str(file))
    monkeypatch.setenv("BET_MAKER_JWT_SECRET", "")
    chosen = settings.read(BetMaker, standalone=True)
    assert chosen.jwt_secret is not None
    assert chosen.jwt_secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"\xff" + SECRET.encode(), "not text in UTF-8"),
        (b"x" * (64 * 1024 + 1), "longer than 64 KiB"),
        (b"x" * 31, None),
        (b"\n", "the file is empty"),
    ],
    ids=["no file", "not UTF-8", "too long", "too short", "empty"],
)
def test_a_file_that_will_not_do_is_named(
    content: bytes | None, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable that names it, in one line, without anything of what is in it."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("BET_MAKER_JWT_SECRET_FILE", str(file))
    with pytest.raises(WrongSetting) as wrong:
        settings.read(BetMaker, standalone=True)
    named = "BET_MAKER_JWT_SECRET: must be 32 random bytes" if reason is None else reason
    assert named in str(wrong.value)
    assert str(wrong.value).startswith("BET_MAKER_JWT_SECRET")
    assert SECRET not in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_setting_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody need guess which of the two is used."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    monkeypatch.setenv("BET_MAKER_JWT_SECRET_FILE", str(file))
    monkeypatch.setenv("BET_MAKER_JWT_SECRET", SECRET)
    with pytest.raises(WrongSetting, match=r"^BET_MAKER_JWT_SECRET_FILE: .* set one of them$"):
        settings.read(BetMaker, standalone=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_taken(host: str) -> None:
    """Only this machine can reach these."""
    assert LineProvider(host=host).host == host


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org"])  # noqa: S104 - refused
def test_other_hosts_are_refused(host: str) -> None:
    """Until there are users nobody else may reach the services."""
    with pytest.raises(ValueError, match="loopback"):
        LineProvider(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1"])  # noqa: S104 - the point
def test_other_hosts_are_taken_where_somebody_takes_the_risk(host: str) -> None:
    """Behind a gateway of one's own, for instance."""
    assert LineProvider(host=host, insecure=True).host == host


@pytest.mark.parametrize("url", ["http://[", "http://host:port", "http://[::1", "http://h:99999"])
def test_a_url_that_nobody_could_call_is_refused(url: str) -> None:
    """A URL with a broken host or port is refused at the start, not at the first request."""
    with pytest.raises(ValueError, match="URL"):
        settings.http_url(url)


@pytest.mark.parametrize(
    "url", ["amqp://rabbit", "amqps://user:p%40ss@rabbit:5671/stakeline", "amqp://u:p@[::1]:5672/"]
)
def test_a_broker_is_named_with_its_password(url: str) -> None:
    """With TLS or without, and on any of its virtual hosts."""
    assert LineProvider(broker_url=url).broker_url == url
    assert BetMaker(broker_url=url, line_provider_url="http://line").broker_url == url


def test_a_wrong_url_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that names it may be read by anybody."""
    monkeypatch.setenv("LINE_PROVIDER_BROKER_URL", "ampq://user:correct-horse@rabbit")
    with pytest.raises(WrongSetting) as wrong:
        settings.read(LineProvider)
    assert "correct-horse" not in str(wrong.value)


@pytest.mark.parametrize("query", ["sslmode=require", "connect_timeout=5", "application_name=x"])
def test_what_the_driver_does_not_know_is_refused_at_the_start(query: str) -> None:
    """Words of other drivers in a database's URL are named, with those that will do."""
    with pytest.raises(ValueError, match=f"must not have {query.partition('=')[0]}=.* ssl"):
        LineProvider(database_url=f"postgresql://u@h/line?{query}")


def test_a_url_may_name_several_servers() -> None:
    """The one that takes writes is looked for."""
    several = "postgresql://u@/line?host=a:1&host=b:2&target_session_attrs=read-write&ssl=require"
    assert LineProvider(database_url=several).database_url == several
