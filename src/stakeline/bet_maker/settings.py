"""bet-maker's settings, from the environment."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from stakeline import db, fields, ids, money, settings
from stakeline.auth import passwords, static_tokens
from stakeline.outside import Outside


class Settings(Outside):
    """Every setting is an environment variable with the prefix `BET_MAKER_`."""

    prefix: ClassVar[str] = "BET_MAKER_"

    database_url: Annotated[str, AfterValidator(db.check_url)] = (
        "sqlite:///stakeline-data/bet-maker.sqlite3"
    )
    allow_unsafe_durability: bool = False
    """Whether a PostgreSQL will do that can lose what it has acknowledged."""
    jwt_secret: Annotated[SecretStr, AfterValidator(settings.secret)] | None = None
    """What tokens are signed with; without it everybody may do everything."""
    jwt_previous_secret: Annotated[SecretStr, AfterValidator(settings.secret)] | None = None
    """Another one whose tokens are taken too."""
    token_lifetime_s: int = Field(default=900, ge=60, le=86_400)
    metrics_tokens: Annotated[SecretStr, AfterValidator(static_tokens.check)] | None = None
    """Who may read `/metrics`: `name=token`, with commas between them."""
    first_user_username: Annotated[str, AfterValidator(ids.parse_username)] | None = None
    first_user_password: Annotated[SecretStr, AfterValidator(passwords.check)] | None = None
    """Of the operator that an empty database is given."""
    line_provider_token: Annotated[SecretStr, AfterValidator(static_tokens.check_one)] | None = None
    """By which line-provider knows it."""
    insecure: bool = False
    """Whether others than this machine may reach it in open mode, who then may do anything."""
    host: Annotated[str, AfterValidator(settings.host)] = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """How many processes serve, on one socket."""
    root_path: Annotated[str, AfterValidator(settings.root_path)] = ""
    broker_url: Annotated[str, AfterValidator(settings.amqp_url)] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    line_provider_url: Annotated[str, AfterValidator(settings.http_url)] | None = None
    standalone: bool = False
    smallest_amount: fields.Amount | None = None
    """Of one bet, in cents, as the other amounts; None: no limit."""
    largest_amount: fields.Amount | None = None
    """Of one bet."""
    user_bets_per_second: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many bets a user may ask for, in the long run; twice as many at once."""
    user_open_amount: fields.Amount | None = None
    """Of all bets of a user on events without a result."""
    event_exposure: fields.Amount | None = None
    """What the house may stand to lose on one event."""

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if self.standalone == (self.line_provider_url is not None):
            raise ValueError("set one of BET_MAKER_LINE_PROVIDER_URL and BET_MAKER_STANDALONE=1")
        if self.standalone and self.broker_url is not None:
            raise ValueError("BET_MAKER_BROKER_URL is of no use with BET_MAKER_STANDALONE=1")
        if self.standalone and self.event_exposure is not None:
            raise ValueError(
                "BET_MAKER_EVENT_EXPOSURE needs coefficients: BET_MAKER_STANDALONE=1 has none"
            )
        if (self.smallest_amount or 0) > (self.largest_amount or money.MAX_AMOUNT):
            raise ValueError(
                "BET_MAKER_SMALLEST_AMOUNT must not be more than BET_MAKER_LARGEST_AMOUNT"
            )
        return self

    @property
    def is_open(self) -> bool:
        """Whether anybody may do anything."""
        return self.jwt_secret is None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.first_user_username is None) != (self.first_user_password is None):
            raise ValueError(
                "set both of BET_MAKER_FIRST_USER_USERNAME and BET_MAKER_FIRST_USER_PASSWORD"
            )
        others = (self.first_user_username, self.jwt_previous_secret, self.metrics_tokens)
        if self.jwt_secret is None and any(other is not None for other in others):
            raise ValueError(
                "BET_MAKER_JWT_SECRET must be set where users or tokens are; make one with:"
                " openssl rand -hex 32"
            )
        return self
