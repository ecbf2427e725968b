"""`stakeline bet-maker resync` from a line-provider that asks for tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from stakeline.cli import commands
from tests import databases
from tests.secrets.closed import FEED, LINE, secret
from tests.serving import line_provider, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_resync_shows_line_provider_its_token(tmp_path: Path) -> None:
    """With another token nothing is changed, and the line says which setting is wrong."""
    async with serving(line_provider(tmp_path, **LINE)) as line:
        settings = {
            "BET_MAKER_DATABASE_URL": databases.url_of(tmp_path, "bet-maker"),
            "BET_MAKER_LINE_PROVIDER_URL": line.url,
        }
        for token, status, said in (
            (secret("another"), 1, "set BET_MAKER_LINE_PROVIDER_TOKEN"),
            (FEED, 0, "following epoch"),
        ):
            told = settings | {"BET_MAKER_LINE_PROVIDER_TOKEN": token}
            words = ["bet-maker", "resync"]
            done = await asyncio.to_thread(CliRunner().invoke, commands.stakeline, words, env=told)
            assert (done.exit_code, said in done.output) == (status, True), done.output
