"""`.env.example` has a line for every setting, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.settings import Settings as LineProviderSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_every_setting_is_there_once() -> None:
    """Commented out, so that the file can be used as it is."""
    lines = EXAMPLE.read_text().splitlines()
    named = [re.match(r"#((?:LINE_PROVIDER|BET_MAKER)_[A-Z_]+)=", line) for line in lines]
    settings = [
        f"{kind.model_config['env_prefix']}{field}".upper()
        for kind in (LineProviderSettings, BetMakerSettings)
        for field in kind.model_fields
    ]
    assert sorted(match[1] for match in named if match) == sorted(settings)
    assert all(line.startswith("#") or not line for line in lines)
