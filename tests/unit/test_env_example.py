"""`.env.example` has a line for every setting, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.settings import Settings as LineProviderSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
NOT_OF_CONTAINERS = {"ALLOW_UNSAFE_DURABILITY", "PORT", "ROOT_PATH", "STANDALONE", "WORKERS"}
"""One process a container, on the usual port; the databases are those of the stack."""


def settings() -> list[str]:
    """All variables of both services."""
    return [
        f"{kind.prefix}{field}".upper()
        for kind in (LineProviderSettings, BetMakerSettings)
        for field in kind.model_fields
    ]


def test_every_setting_is_there_once() -> None:
    """Commented out, so that the file can be used as it is."""
    lines = EXAMPLE.read_text().splitlines()
    named = [re.match(r"#((?:LINE_PROVIDER|BET_MAKER)_[A-Z_]+)=", line) for line in lines]
    assert sorted(match[1] for match in named if match) == sorted(settings())
    assert all(line.startswith("#") or not line for line in lines)


def test_compose_hands_every_setting_on() -> None:
    """Or a limit that somebody puts into `.env` would be none, and nobody would say so."""
    given = set(re.findall(r"^      ([A-Z_]+):", (ROOT / "compose.yaml").read_text(), re.MULTILINE))
    lacking = {name for name in settings() if name not in given}
    assert {re.sub("^(LINE_PROVIDER|BET_MAKER)_", "", name) for name in lacking} <= (
        NOT_OF_CONTAINERS
    )
