"""bet-maker's settings, from the environment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stakeline import db, settings


class Settings(BaseSettings):
    """Every setting is an environment variable with the prefix `BET_MAKER_`."""

    model_config = SettingsConfigDict(env_prefix="BET_MAKER_", frozen=True)

    database_url: Annotated[str, AfterValidator(db.check_url)] = (
        "sqlite:///stakeline-data/bet-maker.sqlite3"
    )
    allow_unsafe_durability: bool = False
    """Whether a PostgreSQL will do that can lose what it has acknowledged."""
    insecure: bool = False
    """Whether others than this machine may reach it, who then may do anything."""
    host: Annotated[str, AfterValidator(settings.host)] = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """How many processes serve, on one socket."""
    root_path: Annotated[str, AfterValidator(settings.root_path)] = ""
    broker_url: Annotated[str, AfterValidator(settings.amqp_url)] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    line_provider_url: Annotated[str, AfterValidator(settings.http_url)] | None = None
    standalone: bool = False

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if self.standalone == (self.line_provider_url is not None):
            raise ValueError("set one of BET_MAKER_LINE_PROVIDER_URL and BET_MAKER_STANDALONE=1")
        if self.standalone and self.broker_url is not None:
            raise ValueError("BET_MAKER_BROKER_URL is of no use with BET_MAKER_STANDALONE=1")
        return self
