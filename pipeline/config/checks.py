"""Checks of single values, with what is allowed in the message."""

import re
from collections.abc import Iterable
from typing import Any

from pipeline.errors import ConfigError


def check_choice(where: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise ConfigError, with the allowed values, where a setting has another value."""
    if value not in allowed:
        raise ConfigError(f"{where}={value!r} is not one of {', '.join(allowed)}")


def check_range(
    where: str, value: float, low: float, high: float, open_ends: bool = False, open_low: bool = False
) -> None:
    """Raise ConfigError where a number is out of range; `open_ends` excludes both ends, `open_low` the
    lower."""
    inside = low <= value <= high
    if (open_ends and value in (low, high)) or (open_low and value == low):
        inside = False
    if not inside:
        how = "above" if open_ends or open_low else "at least"
        end = "below" if open_ends else "at most"
        allowed = f"{how} {low:.15g} and {end} {high:.15g} is allowed"
        raise ConfigError(f"{where}={value} is out of range: {allowed}")


def check_model_sizes(settings: Any, *names: str) -> None:
    """Raise ConfigError where one of the sizes of a model, or its dropout, is out of range."""
    for name in names:
        if not 1 <= getattr(settings, name) <= 65_536:
            raise ConfigError(f"model.{name}={getattr(settings, name)} is not between 1 and 65536")
    if not 0 <= settings.dropout < 1:
        raise ConfigError(f"model.dropout={settings.dropout} is not at least 0 and below 1")


def parse_duration(text: str) -> float:
    """Parse ``90``, ``90s``, ``10m`` or ``1.5h`` into seconds; raise ConfigError for any other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", str(text).strip())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"] if match else 0.0
    if seconds <= 0:
        raise ConfigError(f"budget={text!r} is not a time above zero; write for example 90s, 10m or 2h")
    return seconds
