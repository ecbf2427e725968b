"""line-provider's schema, and the way there: one file a migration, in `versions`."""

from __future__ import annotations

from pathlib import Path

from stakeline.db.schema import Schema
from stakeline.line_provider.tables import metadata

SCHEMA = Schema("line-provider", Path(__file__).parent, metadata)
