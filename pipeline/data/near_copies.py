"""Near-copies across a split in blocks: windows of the training data that stand in held-out blocks, too.

Those of another record, such as a strain's, are taken out of training. Repeats within one record are not: a
genome is full of them, and a model that knows them is no worse. How much of the test blocks training still
contains is counted.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.data.corpus import SUBSETS
from pipeline.data.minimizers import HASH_BITS
from pipeline.data.near_copy_groups import CONTAINMENTS, MIN_SHARED

WINDOW = 500
"""Symbols that are kept or taken out together."""
CONTAINED = 0.5
"""A window of test data with this share of its minimizers in training is contained in it."""
_RECORD = np.uint64(2**HASH_BITS - 1)


@dataclass(frozen=True)
class PurgedSplit:
    """`segments` as in `Corpus.segments`; `symbols` were taken out of training; `contained` is the share of
    the test windows that training still contains."""

    segments: np.ndarray
    symbols: int
    contained: float


def purge_near_copies(segments: np.ndarray, keys: np.ndarray, places: np.ndarray) -> PurgedSplit:
    """Take near-copies of held-out blocks, in other records, out of the training segments.

    `keys` and `places` are the minimizers of the whole corpus (`Sketcher.places`); segments are in order.
    """
    number = np.searchsorted(segments[:, 0], places, side="right") - 1
    inside = (number >= 0) & (places < segments[number, 1])
    kinds = np.where(inside, segments[number, 2], -1)
    hashes, which = np.unique(keys >> np.uint64(HASH_BITS), return_inverse=True)
    held_out = np.zeros(len(hashes), bool)
    held_out[which[kinds > 0]] = True
    window = places // WINDOW
    trained = kinds == SUBSETS.index("train")
    copied = trained & (held_out & ~_repeated(keys, hashes))[which]
    windows = int(window.max(initial=0)) + 1
    each, shared = (np.bincount(window[chosen], minlength=windows) for chosen in (trained, copied))
    taken = shared >= np.maximum(CONTAINMENTS[0] * each, MIN_SHARED)
    beside = np.append(False, taken[:-1]) | np.append(taken[1:], False)
    taken |= beside & (shared > 0)  # where a copy begins and ends
    left = _without(segments, np.flatnonzero(taken))
    learned = np.zeros(len(hashes), bool)
    learned[which[trained & ~taken[window]]] = True
    contained = _contained(window[kinds == 2], learned[which[kinds == 2]])
    sizes = [int((each[:, 1] - each[:, 0]).sum()) for each in (segments, left)]
    return PurgedSplit(left, sizes[0] - sizes[1], contained)


def _repeated(keys: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Whether a record has each of `hashes` at several places."""
    found, counts = np.unique(keys, return_counts=True)
    repeated = np.zeros(len(hashes), bool)
    repeated[np.searchsorted(hashes, found[counts > 1] >> np.uint64(HASH_BITS))] = True
    return repeated


def _contained(window: np.ndarray, learned: np.ndarray) -> float:
    """The share of windows of which training has enough minimizers."""
    _, which, each = np.unique(window, return_inverse=True, return_counts=True)
    known = np.bincount(which, weights=learned)
    return float((known >= CONTAINED * each).mean()) if len(each) else 0.0


def _without(segments: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """The segments, those of training without these windows; what is left between two is a window or more."""
    pieces = []
    for start, stop, kind, record in segments.tolist():
        low, high = np.searchsorted(windows, [start // WINDOW, -(-stop // WINDOW)])
        cut = windows[low:high] if kind == SUBSETS.index("train") else windows[:0]
        starts = np.concatenate([[start], (cut + 1) * WINDOW])
        stops = np.concatenate([cut * WINDOW, [stop]])
        long = stops - starts >= (WINDOW if len(cut) else 1)
        pieces += [(a, b, kind, record) for a, b in zip(starts[long], stops[long], strict=True)]
    return np.array(pieces, np.int64).reshape(-1, 4)
