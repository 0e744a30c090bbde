"""Checks of the settings that all domains of music have."""

from pipeline.config.checks import check_range

MAX_SEMITONES = 11
"""Semitones of a transposition, at most; an octave leads to the same key."""


def check_shared(transpose: int, max_copy_notes: int | None) -> None:
    """Check both settings. Raises ConfigError where one is out of range."""
    check_range("domain.transpose", transpose, 0, MAX_SEMITONES)
    if max_copy_notes is not None:
        check_range("domain.max_copy_notes", max_copy_notes, 1, 2**31)
