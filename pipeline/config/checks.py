"""Checks of single values, with what is allowed in the message."""

from collections.abc import Iterable
from typing import Any

from pipeline.errors import ConfigError


def one_of(where: str, value: Any, allowed: Iterable[str]) -> None:
    """ConfigError, with what is allowed, where a setting has another value."""
    if value not in allowed:
        raise ConfigError(f"{where}={value!r} is not one of {', '.join(allowed)}")


def between(
    where: str, value: float, low: float, high: float, open_ends: bool = False, open_low: bool = False
) -> None:
    """ConfigError where a number is out of range; `open_ends`, or only `open_low`, are out of it too."""
    inside = low <= value <= high
    if (open_ends and value in (low, high)) or (open_low and value == low):
        inside = False
    if not inside:
        how = "above" if open_ends or open_low else "at least"
        end = "below" if open_ends else "at most"
        allowed = f"{how} {low:.15g} and {end} {high:.15g} is allowed"
        raise ConfigError(f"{where}={value} is out of range: {allowed}")


def model_sizes(settings: Any, *names: str) -> None:
    """ConfigError where one of a model family's sizes, or its dropout, is out of range."""
    for name in names:
        if not 1 <= getattr(settings, name) <= 65_536:
            raise ConfigError(f"model.{name}={getattr(settings, name)} is not between 1 and 65536")
    if not 0 <= settings.dropout < 1:
        raise ConfigError(f"model.dropout={settings.dropout} is not at least 0 and below 1")
