"""How often each user may bet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from stakeline import clock

if TYPE_CHECKING:
    from collections.abc import Hashable

    from stakeline.bet_maker.settings import Settings

_BURST_US = 2 * clock.US_PER_S


class Pace:
    """How many bets a second each user may ask for: twice that at once, and then that many.

    Every process counts for itself.

    Args:
        per_second: how many.
    """

    def __init__(self, per_second: int) -> None:
        self._each_us = clock.US_PER_S / per_second
        # When each user will have waited off what they asked for; without, they owe nothing.
        self._even_at: dict[Hashable, float] = {}
        self._swept_at = 0

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The pace in the settings; None if there is none."""
        return None if settings.user_bets_per_second is None else cls(settings.user_bets_per_second)

    def wait_s(self, user: Hashable, bets: int, now: int) -> int:
        """0 if the bets may pass, which are then counted; else after how many seconds they may.

        More bets than may come at once pass when their user owes nothing: the next ones wait the
        longer.

        Args:
            user: whose they are.
            bets: how many.
            now: microseconds on the steady clock.
        """
        self._sweep(now)
        costs_us = bets * self._each_us
        even_at = max(self._even_at.get(user, now), now)
        early_us = even_at + min(costs_us, _BURST_US) - (now + _BURST_US)
        if early_us > 0:
            return int(-(-early_us // clock.US_PER_S))
        self._even_at[user] = even_at + costs_us
        return 0

    def _sweep(self, now: int) -> None:
        """Now and then forget who owes nothing, or all users there ever were would be kept."""
        if now - self._swept_at > _BURST_US:
            self._swept_at = now
            self._even_at = {user: at for user, at in self._even_at.items() if at > now}
