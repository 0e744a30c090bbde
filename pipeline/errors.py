"""The errors a user can cause or meet; `__main__` prints them as one message, without a traceback.

A message says where, what was found, what is allowed and what to do about it, for example
``datasets/fly/2L.fa:81:17: symbol 'X' is not an IUPAC nucleotide (ACGTRYSWKMBDHVN); fix the file``.
"""


class PipelineError(Exception):
    """Something the user can mend."""


class ConfigError(PipelineError):
    """A setting is unknown, out of range, or does not fit another."""


class DataError(PipelineError):
    """A file or a sequence is not what it should be."""


class ToolError(PipelineError):
    """A program or a service that we call is missing or has failed."""
