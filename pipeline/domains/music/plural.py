"""Numbers of things in texts for users."""


def format_count(number: int, noun: str) -> str:
    """A number with its noun, in the plural but for one.

    >>> format_count(1, "tune"), format_count(0, "MIDI file")
    ('1 tune', '0 MIDI files')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
