"""line-provider's settings, from the environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from stakeline import db, settings


class Settings(BaseSettings):
    """Every setting is an environment variable with the prefix `LINE_PROVIDER_`."""

    model_config = SettingsConfigDict(env_prefix="LINE_PROVIDER_", frozen=True)

    database_url: Annotated[str, AfterValidator(db.check_url)] = (
        "sqlite:///stakeline-data/line-provider.sqlite3"
    )
    allow_unsafe_durability: bool = False
    """Whether a PostgreSQL will do that can lose what it has acknowledged."""
    insecure: bool = False
    """Whether others than this machine may reach it, who then may do anything."""
    host: Annotated[str, AfterValidator(settings.host)] = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """How many processes serve, on one socket."""
    root_path: Annotated[str, AfterValidator(settings.root_path)] = ""
    broker_url: Annotated[str, AfterValidator(settings.amqp_url)] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    default_deadline_s: int = Field(default=5000, ge=1, le=10**8)
    """How far ahead the deadline of an event is that came without one."""
    auto_result: Literal["off", "random"] = "off"
    """Whether events that nobody has decided by their deadline get a result at random."""
