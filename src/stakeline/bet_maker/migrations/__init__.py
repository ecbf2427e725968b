"""bet-maker's schema, and the way there: one file a migration, in `versions`."""

from __future__ import annotations

from pathlib import Path

from stakeline.bet_maker.tables import metadata
from stakeline.db.schema import Schema

SCHEMA = Schema("bet-maker", Path(__file__).parent, metadata)
