"""A PostgreSQL that could lose what it has acknowledged stops the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stakeline.db import Database, UnsafeDurability
from tests.cluster import database, execute
from tests.processes import Service, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster import Cluster

SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")


@pytest.mark.parametrize("setting", SETTINGS)
async def test_unsafe_durability_is_refused_unless_allowed(
    cluster: Cluster, tmp_path: Path, setting: str
) -> None:
    """Each of them, alone; `synchronous_commit` also where only this database has it off."""
    url = database(cluster.url, tmp_path, "any")
    name = url.rpartition("/")[2]
    turn = f"DATABASE {name} SET" if setting == "synchronous_commit" else "SYSTEM SET"
    back = f"DATABASE {name} RESET" if setting == "synchronous_commit" else "SYSTEM RESET"
    execute(url, f"ALTER {turn} {setting} = off")
    execute(url, "SELECT pg_reload_conf()")
    try:
        opened = Database(url)
        with pytest.raises(UnsafeDurability, match=f"{setting} = off"):
            await opened.open()
        await opened.open(allow_unsafe=True)
        await opened.close()
    finally:
        execute(url, f"ALTER {back} {setting}")
        execute(url, "SELECT pg_reload_conf()")


async def test_a_service_says_which_setting_it_is(tmp_path: Path) -> None:
    """One line, exit status 2; with the risk taken it starts."""
    service = Service("line-provider", tmp_path)
    name = service.database.rpartition("/")[2]
    execute(service.database, f"ALTER DATABASE {name} SET synchronous_commit = off")
    status, said = await service.command("line-provider", "--port", "0")
    assert status == 2
    assert said == (
        "LINE_PROVIDER_DATABASE_URL: PostgreSQL could lose acknowledged data: "
        "synchronous_commit = off; LINE_PROVIDER_ALLOW_UNSAFE_DURABILITY=1 takes the risk\n"
    )
    service.environment["LINE_PROVIDER_ALLOW_UNSAFE_DURABILITY"] = "1"
    async with running(service):
        assert (await service.client.get("/events")).json() == []
