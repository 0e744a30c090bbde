"""Escaping of control characters, which a terminal would obey, in text from data."""

import logging
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All control characters but tab and line break, and those that change the writing direction."""


def printable(text: str) -> str:
    r"""Return the text with control characters as escapes.

    >>> printable("\x1b[2Jtitle")
    '\\x1b[2Jtitle'
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class PrintableFormatter(logging.Formatter):
    """A formatter whose lines contain no control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a line, as `printable`."""
        return printable(super().format(record))
