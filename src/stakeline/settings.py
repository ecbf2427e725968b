"""Reading settings: what is wrong with one is said in one line that names it."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from stakeline.samples import is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr, ValidationInfo

    from stakeline.outside import Outside

S = TypeVar("S", bound="Outside")
LEAST_OF_SECRET = 32
_MOST_OF_FILE = 64 * 1024
_CLOSES = ("jwt_secret", "operator_tokens", "feed_tokens")
"""The settings that end open mode."""


class WrongSetting(Exception):
    """A setting cannot be used; the message is one line that names it."""


def read(kind: type[S], **given: object) -> S:
    """The settings of this kind: `given` (those that are not None) before the environment.

    Each can also come from a file, whose path is in the variable with `_FILE` at its end.

    Raises:
        WrongSetting: one is malformed, or the environment has one that does not exist.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - commands that read none do without

    prefix = kind.prefix
    fields = {f"{prefix}{field}".upper(): field for field in kind.model_fields}
    for name in sorted(os.environ):
        whole = name.upper().removesuffix("_FILE")
        if whole.startswith(prefix) and whole not in fields:
            raise WrongSetting(f"{name}: there is no such setting")
    environment = in_capitals(os.environ)
    values: dict[str, object] = {
        field: value for name, field in fields.items() if (value := given_by(name, environment))
    }
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(str(part) for part in first["loc"][:1])
        reason = first["msg"].removeprefix("Value error, ")
        name = f"{prefix}{field}".upper() if field else prefix.rstrip("_")
        raise WrongSetting(f"{name}: {reason}") from None


def in_capitals(environment: Mapping[str, str]) -> dict[str, str]:
    """The same variables by names in capitals: those of settings are as good in lower case."""
    return {name.upper(): value for name, value in environment.items()}


def given_by(name: str, environment: Mapping[str, str]) -> str | None:
    """The value of a setting: the variable's, or what is in the file that `NAME_FILE` names.

    Raises:
        WrongSetting: both are set, or the file cannot be read.
    """
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if value and path:
        raise WrongSetting(f"{name}_FILE: {name} is set, too; set one of them")
    return _content(f"{name}_FILE", path) if path else value


def _content(name: str, path: str) -> str:
    """The text of a file that a setting names, without the line break at its end."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_OF_FILE + 1)
        if len(content) > _MOST_OF_FILE:
            raise WrongSetting(f"{name}: the file is longer than 64 KiB")
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise WrongSetting(f"{name}: {error.strerror}") from None
    except UnicodeError:
        raise WrongSetting(f"{name}: the file is not text in UTF-8") from None
    if not text:  # else a secret that was never written would leave the service open
        raise WrongSetting(f"{name}: the file is empty")
    return text


def secret(given: SecretStr) -> SecretStr:
    """The secret, if it is one.

    Raises:
        ValueError: it is too short, or a known sample; the message does not repeat it.
    """
    text = given.get_secret_value()
    if len(text) < LEAST_OF_SECRET or not text.isascii() or is_known(text):
        raise ValueError(
            f"must be {LEAST_OF_SECRET} random bytes or more; make one with: openssl rand -hex 32"
        )
    return given


def host(address: str, info: ValidationInfo) -> str:
    """The address, if only this machine can reach it, or the service does not run open.

    In open mode whoever reaches a service may do anything. The fields that decide, those with
    tokens and secrets and `insecure`, come before this one.

    Raises:
        ValueError: others can reach it.
    """
    closed = any(info.data.get(field) for field in _CLOSES)
    if closed or info.data.get("insecure") or is_loopback(address):
        return address
    raise ValueError(
        "must be a loopback address, such as 127.0.0.1: without tokens anybody may do anything."
        " Set tokens, as docs/operations.md says, or give --insecure"
    )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def root_path(prefix: str) -> str:
    """The prefix behind which a gateway serves the service, such as `/bet-maker`; empty for none.

    Raises:
        ValueError: it does not begin with a slash, or ends with one.
    """
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise ValueError("must be like /bet-maker: a slash first, none last")
    return prefix


def http_url(url: str) -> str:
    """The URL of another service, without a slash at its end.

    Raises:
        ValueError: it is not an http or https URL with a host.
    """
    if not _names_a_host(url, {"http", "https"}):
        raise ValueError("must be a URL such as http://127.0.0.1:8000")
    return url.rstrip("/")


def amqp_url(url: str) -> str:
    """The URL of a broker, with whatever password it has.

    Raises:
        ValueError: it is not an amqp or amqps URL with a host; the message does not repeat it.
    """
    if not _names_a_host(url, {"amqp", "amqps"}):
        raise ValueError("must be a URL such as amqp://user:password@127.0.0.1:5672/")
    return url


def _names_a_host(url: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        host = re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname or "", re.ASCII)
        whole = parts.scheme in schemes and host is not None and parts.port != 0
    except ValueError:  # no such port, half an IPv6 address
        return False
    return whole and not parts.query and not parts.fragment
