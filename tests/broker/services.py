"""Both services as processes with a broker between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import processes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes import Service


def line_provider(folder: Path, broker_url: str | None) -> Service:
    """A line-provider, with a relay if there is a broker; two of one folder share one line."""
    service = processes.line_provider(folder)
    if broker_url is not None:
        service.environment["LINE_PROVIDER_BROKER_URL"] = broker_url
    return service


def bet_maker(folder: Path, line_url: str, broker_url: str | None) -> Service:
    """A bet-maker that hears a doorbell, if there is a broker."""
    service = processes.bet_maker(folder, line_url)
    if broker_url is not None:
        service.environment["BET_MAKER_BROKER_URL"] = broker_url
    return service


async def metric(service: Service, name: str) -> float:
    """A metric's value."""
    lines = (await service.client.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))
