"""Sequences of bases as a pool to be counted: bounded, and cut where they are few."""

from collections.abc import Sequence

import numpy as np

from pipeline.genome.encoding import encode
from pipeline.scoreboard.pools import Pool

FEWEST_UNITS = 20
SHORTEST_PART = 100
"""Bases of a part, at least, where few sequences are cut into more units."""
MOST_BASES = 1_000_000
"""More tell nothing new."""


def pool(sequences: Sequence[str]) -> Pool:
    """Sequences of any number and length, but not all empty, as a pool of at most `MOST_BASES`."""
    parts = _bounded([sequence for sequence in sequences if sequence])
    if len(parts) < FEWEST_UNITS:
        size = max(SHORTEST_PART, -(-sum(map(len, parts)) // FEWEST_UNITS))
        parts = [text[at : at + size] for text in parts for at in range(0, len(text), size)]
    return Pool.of(parts, encode)


def _bounded(sequences: Sequence[str]) -> list[str]:
    """At most `MOST_BASES`: sequences spread evenly over all of them, and the last one cut."""
    total = sum(map(len, sequences))
    if total <= MOST_BASES:
        return list(sequences)
    number = -(-len(sequences) * MOST_BASES // total)
    chosen = np.linspace(0, len(sequences) - 1, number).round().astype(int)
    kept, left = [], MOST_BASES
    for place in chosen:
        kept.append(sequences[place][:left])
        left -= len(kept[-1])
        if left <= 0:
            break
    return kept
