"""Near-copies across a split in blocks: windows of the training data that are in held-out blocks too.

Near-copies of other records, such as another strain, are removed from training. Repeats within one record are
not: a genome has many, and a model should know them. The share of the test blocks that training still
contains is reported.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.data.corpus import SUBSETS
from pipeline.data.minimizers import HASH_BITS
from pipeline.data.near_copy_groups import CONTAINMENTS, MIN_SHARED

WINDOW = 500
"""Symbols that are kept or removed together."""
CONTAINED = 0.5
"""Training contains a test window where it has this share of the minimizers of the window."""
_RECORD = np.uint64(2**HASH_BITS - 1)


@dataclass(frozen=True)
class PurgedSplit:
    """A split without near-copies across it.

    `segments` are as in `Corpus.segments`. `symbols` is the number of symbols that were removed from
    training, and `contained` the share of the test windows that training still contains.
    """

    segments: np.ndarray
    symbols: int
    contained: float


def purge_near_copies(segments: np.ndarray, keys: np.ndarray, positions: np.ndarray) -> PurgedSplit:
    """Remove near-copies of held-out blocks of other records from the training segments.

    `keys` and `positions` are those of all minimizers of the corpus (`Sketcher.read`); segments are in order.
    """
    number = np.searchsorted(segments[:, 0], positions, side="right") - 1
    inside = (number >= 0) & (positions < segments[number, 1])
    kinds = np.where(inside, segments[number, 2], -1)
    hashes, which = np.unique(keys >> np.uint64(HASH_BITS), return_inverse=True)
    held_out = np.zeros(len(hashes), bool)
    held_out[which[kinds > 0]] = True
    window = positions // WINDOW
    trained = kinds == SUBSETS.index("train")
    copied = trained & (held_out & ~_repeated(keys, hashes))[which]
    windows = int(window.max(initial=0)) + 1
    each, shared = (np.bincount(window[chosen], minlength=windows) for chosen in (trained, copied))
    removed = shared >= np.maximum(CONTAINMENTS[0] * each, MIN_SHARED)
    adjacent = np.append(False, removed[:-1]) | np.append(removed[1:], False)
    removed |= adjacent & (shared > 0)  # the windows in which a copy starts and ends
    left = _without(segments, np.flatnonzero(removed))
    learned = np.zeros(len(hashes), bool)
    learned[which[trained & ~removed[window]]] = True
    contained = _contained(window[kinds == 2], learned[which[kinds == 2]])
    sizes = [int((each[:, 1] - each[:, 0]).sum()) for each in (segments, left)]
    return PurgedSplit(left, sizes[0] - sizes[1], contained)


def _repeated(keys: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Tell for each of `hashes` whether a record has it at several positions."""
    found, counts = np.unique(keys, return_counts=True)
    repeated = np.zeros(len(hashes), bool)
    repeated[np.searchsorted(hashes, found[counts > 1] >> np.uint64(HASH_BITS))] = True
    return repeated


def _contained(window: np.ndarray, learned: np.ndarray) -> float:
    """Return the share of windows that training contains."""
    _, which, each = np.unique(window, return_inverse=True, return_counts=True)
    known = np.bincount(which, weights=learned)
    return float((known >= CONTAINED * each).mean()) if len(each) else 0.0


def _without(segments: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Remove windows from the training segments; a remaining piece between two has at least a window."""
    pieces = []
    for start, stop, kind, record in segments.tolist():
        low, high = np.searchsorted(windows, [start // WINDOW, -(-stop // WINDOW)])
        cut = windows[low:high] if kind == SUBSETS.index("train") else windows[:0]
        starts = np.concatenate([[start], (cut + 1) * WINDOW])
        stops = np.concatenate([cut * WINDOW, [stop]])
        long = stops - starts >= (WINDOW if len(cut) else 1)
        pieces += [(a, b, kind, record) for a, b in zip(starts[long], stops[long], strict=True)]
    return np.array(pieces, np.int64).reshape(-1, 4)
