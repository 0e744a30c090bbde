"""Texts of the report: sentences, names, numbers, durations and times."""

from datetime import datetime


def format_sentence(line: object) -> str:
    """Return a line of the summary with a capital letter and a full stop."""
    text = str(line).strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?:" else ".")


def format_name(key: object) -> str:
    """Return the name of a figure in words: ``best_evalue`` as "best evalue"."""
    return str(key).replace("_", " ")


def format_number(value: object) -> str:
    """Return a figure with three decimals, or three significant digits where it is small or large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 else f"{value:.3g}"


def format_duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours: ``3 min 12 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_time(text: str) -> str:
    """Format an ISO time for people; return other text unchanged."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()
