"""Where the services' databases are, by their settings or in a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from stakeline import settings
from stakeline.settings import WrongSetting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ServiceName = Literal["line-provider", "bet-maker"]


def url_of(
    service: ServiceName,
    data_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """The URL of a service's database; its other settings are of no matter here.

    Args:
        service: whose.
        data_dir: the folder that it is in, in place of the setting.
        environment: has the setting, if it is set.

    Raises:
        WrongSetting: the setting names no database, or no URL can name a file in the folder.
    """
    from stakeline import db
    from stakeline.bet_maker.settings import Settings as BetMakerSettings
    from stakeline.line_provider.settings import Settings as LineProviderSettings

    if data_dir is not None:
        return url_in(data_dir, service)
    kind = LineProviderSettings if service == "line-provider" else BetMakerSettings
    name = setting_of(service)
    try:
        url = settings.given_by(name, settings.in_capitals(environment))
        return db.check_url(url or kind.model_fields["database_url"].default)
    except ValueError as error:
        raise WrongSetting(f"{name}: {error}") from None


def url_in(data_dir: Path, service: str) -> str:
    """The URL of a service's database in this folder.

    Raises:
        WrongSetting: no URL can name a file there.
    """
    if "?" in str(data_dir.absolute()):  # what follows would be options, both services one file
        raise WrongSetting("--data-dir: the path of a database must not have a question mark")
    return f"sqlite:///{data_dir.absolute() / f'{service}.sqlite3'}"


def setting_of(service: str) -> str:
    """The environment variable that has the URL of a service's database."""
    return f"{service.replace('-', '_').upper()}_DATABASE_URL"
