"""Sequences of bases as a pool to be counted: bounded, and cut where they are few."""

from collections.abc import Hashable, Sequence

import numpy as np

from pipeline.domains.genome.encoding import encode
from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

MIN_UNITS = 20
MIN_PART = 100
"""Bases of a part, at least, where few sequences are cut into more units."""
MAX_BASES = 1_000_000
"""More tell nothing new."""
Part = tuple[str, Hashable, int]
"""A text, its block, and how far into its record it begins."""


def encode_sequences(sequences: Sequence[str], blocks: Sequence[Hashable] | None = None) -> SequenceSet:
    """Sequences of any number and length, but not all empty, as a pool of at most `MAX_BASES`; `blocks` says
    which block of a genome each is from."""
    names = range(len(sequences)) if blocks is None else blocks
    parts = _bounded([(text, name, 0) for text, name in zip(sequences, names, strict=True) if text])
    if len(parts) < MIN_UNITS:
        size = max(MIN_PART, -(-sum(len(text) for text, *_ in parts) // MIN_UNITS))
        parts = [
            (text[at : at + size], name, at) for text, name, _ in parts for at in range(0, len(text), size)
        ]
    texts, of_block, offsets = zip(*parts, strict=True)
    return SequenceSet.encode(texts, encode, of_block, offsets)


def _bounded(sequences: Sequence[Part]) -> list[Part]:
    """At most `MAX_BASES`: sequences spread evenly over all of them, and the last one cut."""
    total = sum(len(text) for text, *_ in sequences)
    if total <= MAX_BASES:
        return list(sequences)
    number = -(-len(sequences) * MAX_BASES // total)
    chosen = np.linspace(0, len(sequences) - 1, number).round().astype(int)
    kept, left = [], MAX_BASES
    for place in chosen:
        text, name, offset = sequences[place]
        kept.append((text[:left], name, offset))
        left -= len(kept[-1][0])
        if left <= 0:
            break
    return kept
