"""Runs of one letter and tandem repeats, exact ones, with units of 1 to 6 bases."""

import numpy as np

from pipeline.evaluation.metric_comparison.sequence_set import SequenceSet

MAX_RUN = 60
"""Longer runs and tracts are counted as this long."""
UNITS = range(2, 7)
MIN_COPIES = 3
MIN_TRACT = 12
"""Bases of a tandem repeat, at least: fewer come about by chance everywhere."""
LONG_RUN = 6
"""Homopolymers of so many bases are called long."""


def run_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of homopolymer runs by their length, ``(units, MAX_RUN + 1)``, followed by the bases in
    long ones and by all bases in two last columns."""
    first, lengths = _runs(_same(sequence_set.codes, 1))
    lengths = lengths + 1
    counts = sequence_set.tally(first, np.minimum(lengths, MAX_RUN), MAX_RUN + 1)
    nowhere = np.zeros(len(first), np.int64)
    bases = sequence_set.unit_sizes[:, None]
    # Letters that are like neither neighbour are runs of one.
    counts[:, 1:2] = bases - sequence_set.tally(first, nowhere, 1, lengths)
    long = sequence_set.tally(first, nowhere, 1, np.where(lengths >= LONG_RUN, lengths, 0))
    return np.concatenate([counts, long, bases], axis=1)


def long_run_share(runs: np.ndarray) -> np.ndarray:
    """The share of bases in homopolymers of at least `LONG_RUN`, in percent, from `run_tally`."""
    return 100 * runs[..., -2] / np.maximum(runs[..., -1], 1)


def runs_per_kb(runs: np.ndarray) -> np.ndarray:
    """Runs of each length per 1000 bases, ``(..., MAX_RUN + 1)``, from `run_tally`."""
    return 1000 * runs[..., : MAX_RUN + 1] / np.maximum(runs[..., -1:], 1)


def tract_tally(sequence_set: SequenceSet) -> np.ndarray:
    """Counts of tandem repeats by their length in bases, ``(units, MAX_RUN + 1)``, followed by the
    bases that any covers and by all bases in two last columns.

    A tract has a unit of 2 to 6 bases, `MIN_COPIES` of it and `MIN_TRACT` bases at least; its last
    copy may be cut short. One whose unit is itself a repeat belongs to the shorter unit.
    """
    starts, lengths = tandem_repeats(sequence_set.codes)
    counts = sequence_set.tally(starts, np.minimum(lengths, MAX_RUN), MAX_RUN + 1)
    change = np.zeros(len(sequence_set.codes) + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + lengths, -1)
    places = np.flatnonzero(np.cumsum(change[:-1]))
    covered = sequence_set.tally(places, np.zeros(len(places), np.int64), 1)
    return np.concatenate([counts, covered, sequence_set.unit_sizes[:, None]], axis=1)


def tandem_share(tracts: np.ndarray) -> np.ndarray:
    """The share of bases in tandem repeats, in percent, from `tract_tally`."""
    return 100 * tracts[..., -2] / np.maximum(tracts[..., -1], 1)


def longer_tracts_per_kb(tracts: np.ndarray) -> np.ndarray:
    """Tracts of each length or longer per 1000 bases, ``(..., MAX_RUN + 1)``, from `tract_tally`."""
    counts = tracts[..., : MAX_RUN + 1]
    return 1000 * counts[..., ::-1].cumsum(axis=-1)[..., ::-1] / np.maximum(tracts[..., -1:], 1)


def tandem_repeats(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths in bases of all tracts, unit after unit."""
    found = []
    for unit in UNITS:
        first, lengths = _runs(_same(codes, unit))
        lengths = lengths + unit
        kept = lengths >= max(MIN_TRACT, MIN_COPIES * unit)
        first, lengths = first[kept], lengths[kept]
        for shorter in range(1, unit):
            if unit % shorter == 0:
                same = np.concatenate([[0], np.cumsum(_same(codes, shorter))])
                own = same[first + unit - shorter] - same[first] < unit - shorter
                first, lengths = first[own], lengths[own]
        found.append((first, lengths))
    return np.concatenate([first for first, _ in found]), np.concatenate([length for _, length in found])


def _same(codes: np.ndarray, apart: int) -> np.ndarray:
    """Whether each position holds the same base as that so many further on."""
    return (codes[:-apart] == codes[apart:]) & (codes[:-apart] < 4)


def _runs(true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(true, prepend=False, append=False))
    return edges[::2], edges[1::2] - edges[::2]
