"""Both services as processes with a broker between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import cluster, processes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes import Service


def line_provider(folder: Path, broker_url: str, postgresql: str | None = None) -> Service:
    """A line-provider with a relay; on `postgresql`, if given, several share one line."""
    service = processes.line_provider(folder)
    service.environment["LINE_PROVIDER_BROKER_URL"] = broker_url
    return _on(service, folder, postgresql)


def bet_maker(
    folder: Path, line_url: str, broker_url: str | None, postgresql: str | None = None
) -> Service:
    """A bet-maker that hears a doorbell, if there is one."""
    service = processes.bet_maker(folder, line_url)
    if broker_url is not None:
        service.environment["BET_MAKER_BROKER_URL"] = broker_url
    return _on(service, folder, postgresql)


def _on(service: Service, folder: Path, postgresql: str | None) -> Service:
    if postgresql is not None:
        name = "bet-maker" if "BET_MAKER_DATABASE_URL" in service.environment else "line-provider"
        service.database = cluster.database(postgresql, folder, name)
        service.environment[f"{name.replace('-', '_').upper()}_DATABASE_URL"] = service.database
    return service


async def metric(service: Service, name: str) -> float:
    """A metric's value."""
    lines = (await service.client.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))
