"""The interface of a group of sequences that metrics count, and the names of the groups.

`SequenceSet` (`sequence_set.py`) is such a group of texts. Domains of music have groups of pieces.
"""

from typing import Protocol

import numpy as np

REAL = "held-out real"
SAMPLES = "samples"
SHUFFLED = "shuffled"
CONTROL = "training real"
"""The positive control: real sequences of the training split, cut like the samples."""
MARKOV = "Markov"
"""The first word of the name of the Markov chain's group."""
RANDOM = "random"
"""The name of symbols that are drawn uniformly."""


class MetricGroup(Protocol):
    """A group of sequences that metrics can count, and whose units can be resampled.

    A unit is the smallest part that is drawn: a sequence, a part of one, or several together. Units of one
    block depend on each other; blocks are independent.
    """

    @property
    def unit_sizes(self) -> np.ndarray:
        """How many symbols, or pieces, each unit has, ``(units,)``."""
        ...

    @property
    def blocks(self) -> np.ndarray:
        """The number of the block that each unit is from, ``(units,)``, from 0."""
        ...
