"""Errors that a user can cause or meet; `__main__` prints them as one message, without a traceback.

A message states the place, what was found, what is allowed and the remedy, for example
``datasets/fly/2L.fa:81:17: symbol 'X' is not an IUPAC nucleotide (ACGTRYSWKMBDHVN); fix the file``.
"""


class PipelineError(Exception):
    """An error that the user can remedy."""


class ConfigError(PipelineError):
    """A setting is unknown, out of range, or does not fit another."""


class DataError(PipelineError):
    """A file or a sequence is missing, damaged or invalid."""


class ToolError(PipelineError):
    """A required program or service is missing or has failed."""
