"""line-provider's settings, from the environment."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from stakeline import db, settings
from stakeline.auth import static_tokens
from stakeline.outside import Outside


class Settings(Outside):
    """Every setting is an environment variable with the prefix `LINE_PROVIDER_`."""

    prefix: ClassVar[str] = "LINE_PROVIDER_"

    database_url: Annotated[str, AfterValidator(db.check_url)] = (
        "sqlite:///stakeline-data/line-provider.sqlite3"
    )
    allow_unsafe_durability: bool = False
    """Whether a PostgreSQL will do that can lose what it has acknowledged."""
    operator_tokens: Annotated[SecretStr, AfterValidator(static_tokens.check)] | None = None
    """Who may run the line: `name=token`, with commas between them."""
    feed_tokens: Annotated[SecretStr, AfterValidator(static_tokens.check)] | None = None
    """Who may read the feed, such as bet-maker."""
    jwt_secret: Annotated[SecretStr, AfterValidator(settings.secret)] | None = None
    """bet-maker's, so that its users are known here by their roles."""
    jwt_previous_secret: Annotated[SecretStr, AfterValidator(settings.secret)] | None = None
    """Another one whose tokens are taken too."""
    insecure: bool = False
    """Whether others than this machine may reach it in open mode, who then may do anything."""
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

    @property
    def is_open(self) -> bool:
        """Whether anybody may do anything."""
        return not (self.operator_tokens or self.feed_tokens or self.jwt_secret)

    @model_validator(mode="after")
    def _one_secret_first(self) -> Self:
        if self.jwt_secret is None and self.jwt_previous_secret is not None:
            raise ValueError("LINE_PROVIDER_JWT_SECRET must be set where there is a previous one")
        return self
