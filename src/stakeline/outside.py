"""The settings of a service's outside: by whom and how it may be called, and what it shows."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)
_ORIGIN = re.compile(rf"https?://({_HOST.pattern})(:[1-9][0-9]{{0,4}})?", re.ASCII)


def _listed(value: Any) -> Any:  # noqa: ANN401 - a text from the environment, or a list already
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def allowed_host(name: str) -> str:
    """The name of a host as `Host` has it, in lower case and without a port, or `*`.

    Raises:
        ValueError: it is not one.
    """
    if name != "*" and not _HOST.fullmatch(name.lower()):
        raise ValueError(
            "must be names such as bets.example.org,10.0.0.5,[::1], without ports; or *"
        )
    return name.lower()


def origin(text: str) -> str:
    """The origin of web pages, as browsers write it.

    Raises:
        ValueError: it is not one; `*` is none.
    """
    if not _ORIGIN.fullmatch(text):
        raise ValueError("must be origins such as https://bets.example.org, without a path; not *")
    return text


def network(text: str) -> str:
    """The address of a machine, or of a network.

    Raises:
        ValueError: it is neither.
    """
    try:
        return str(ipaddress.ip_network(text)).removesuffix("/32").removesuffix("/128")
    except ValueError:
        raise ValueError("must be addresses or networks such as 127.0.0.1,10.0.0.0/8") from None


Visible = Literal["public", "operator", "off"]
_List = BeforeValidator(_listed)


class Outside(BaseModel):
    """The settings of a service's outside, in both services: lists are separated by commas."""

    # Defaults, too: this machine's SQLite may be too old for them.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    prefix: ClassVar[str]
    """What the names of the service's environment variables begin with."""

    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(allowed_host)], ...] | None, _List
    ] = None
    """The names by which it may be called, `*` for any.

    None: what listens to loopback is called by loopback's names, so that a page that
    resolves its own name to 127.0.0.1 gets nothing; else by any.
    """
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(origin)], ...], _List] = ()
    """The origins whose pages may call it."""
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(network)], ...], _List] = ()
    """Whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    docs: Visible | None = None
    """Who sees /docs and the schema; None: all in open mode, operators otherwise."""
    metrics: Visible | None = None
    """Who sees /metrics; `operator` lets services in, too. None: as for the docs."""
