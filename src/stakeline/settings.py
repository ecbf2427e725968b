"""Reading settings: what is wrong with one is said in one line that names it."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError, ValidationInfo
from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)


class WrongSetting(Exception):
    """A setting cannot be used; the message is one line that names it."""


def read(kind: type[S], **given: object) -> S:
    """The settings of this kind: `given` (those that are not None) before the environment.

    Raises:
        WrongSetting: one is malformed, or the environment has one that does not exist.
    """
    prefix = kind.model_config.get("env_prefix", "")
    known = {f"{prefix}{field}".upper() for field in kind.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(prefix) and name.upper() not in known:
            raise WrongSetting(f"{name}: there is no such setting")
    try:
        return kind.model_validate(
            {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(str(part) for part in first["loc"][:1])
        reason = first["msg"].removeprefix("Value error, ")
        name = f"{prefix}{field}".upper() if field else prefix.rstrip("_")
        raise WrongSetting(f"{name}: {reason}") from None


def host(address: str, info: ValidationInfo) -> str:
    """The address, if only this machine can reach it, or `insecure`, a field before this, is set.

    Until there are users, whoever reaches a service may do anything.

    Raises:
        ValueError: others can reach it.
    """
    try:
        if (
            info.data.get("insecure")
            or address == "localhost"
            or ipaddress.ip_address(address).is_loopback
        ):
            return address
    except ValueError:
        pass
    raise ValueError("must be a loopback address, such as 127.0.0.1, unless --insecure is given")


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
