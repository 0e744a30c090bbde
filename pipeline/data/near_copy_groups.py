"""Near-copies among the records of a corpus, grouped so that a split can keep each group on one side.

Two records are near-copies where the shorter one's parts (minimizers of a sequence, words of a melody) are to
a share contained in the other's: containment, so that a fragment counts as a copy of its source, not the
Jaccard index. Source: A. Broder, On the resemblance and containment of documents, 1997.

Of a part that few records have, all pairs are compared; of one that many have, each record is compared with
the longest of them and with its neighbour, so that time and memory stay linear. Source: M. Steinegger and
J. Söding, Clustering huge protein sequence sets in linear time, Nature Communications 9 (2018) 2542.
"""

from array import array
from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.data.minimizers import HASH_BITS

CONTAINMENTS = (0.2, 0.5, 0.8)
"""Records with such a share of the parts of the shorter one in common are near-copies; the first with which
no group is too large for a split is taken."""
MIN_SHARED = 2
"""Parts that two records must have in common, unless one has only one."""
FEW = 8
"""Of a part in more records than this, not all pairs are compared."""
_RECORD = np.uint64(2**HASH_BITS - 1)


@dataclass(frozen=True)
class NearCopyGroups:
    """`labels` is ``(records,)``: the group of each record, numbered in the order of first members.
    `containment` is the share above which records are near-copies; 1 where only known groups were joined."""

    labels: np.ndarray
    containment: float

    @property
    def figures(self) -> dict[str, float]:
        """For the manifest."""
        sizes = np.bincount(self.labels)
        return {
            "groups": int((sizes > 1).sum()),
            "records_grouped": int(sizes[sizes > 1].sum()),
            "largest_group": int(sizes.max()),
            "near_copy_containment": self.containment,
        }


class NearCopyGrouper:
    """Collects what tells near-copies, record by record or all at once, then finds the groups."""

    def __init__(self) -> None:
        self._keys: list[np.ndarray] = []
        self._names: dict[str, int] = {}
        self._links = array("q")

    def add_parts(self, record: int, parts: np.ndarray) -> None:
        """The hashes of the parts of one record, uint64."""
        if len(parts):
            hashes = parts.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # as Knuth, TAOCP 3, 6.4
            self._keys.append((hashes & ~_RECORD) | np.uint64(record))

    def add_keys(self, keys: np.ndarray) -> None:
        """``hash << 32 | record`` of parts of several records, uint64."""
        self._keys.append(keys)

    def add_name(self, record: int, name: str) -> None:
        """The name of a group that the record is known to belong to."""
        first = self._names.setdefault(name, record)
        if first != record:
            self._links.extend((first, record))

    def groups(self, lengths: np.ndarray, largest: float) -> NearCopyGroups:
        """Groups of which none has more than the share `largest` of all symbols, if any containment allows.

        `lengths` are those of the records, in symbols.
        """
        known = self._known_links()
        pairs, shared, parts = _shared(self._keys, lengths)
        fewer = parts[pairs].min(axis=1)
        for containment in CONTAINMENTS:
            need = np.maximum(np.ceil(containment * fewer), np.minimum(fewer, MIN_SHARED))
            labels = _components(len(lengths), np.concatenate([known, pairs[shared >= need]]))
            sizes = np.bincount(labels, weights=lengths)
            if sizes.max() <= largest * sizes.sum():
                return NearCopyGroups(labels, containment)
        return NearCopyGroups(_components(len(lengths), known), 1.0)

    def _known_links(self) -> np.ndarray:
        return np.array(self._links, np.int64).reshape(-1, 2)


def _shared(keys: list[np.ndarray], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of records ``(n, 2)`` with parts in common, how many ``(n,)``, and how many each record has."""
    entries = np.concatenate([np.zeros(0, np.uint64), *keys])
    keys.clear()  # each array is large, so that none is kept for longer than it must be
    entries.sort()
    entries = entries[np.append(True, entries[1:] != entries[:-1])[: len(entries)]]
    parts = np.bincount((entries & _RECORD).view(np.int64), minlength=len(lengths))
    found = np.empty(_most_pairs(entries, FEW), np.uint64)
    found, counts = _counted(found[: _fill_pairs(entries, FEW, lengths, found)])
    pairs = np.column_stack([found >> np.uint64(HASH_BITS), found & _RECORD]).astype(np.int64)
    return pairs, counts, parts


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values in order, and how often each occurs; as numpy's unique, but sorts in place."""
    values.sort()
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return values[starts], np.diff(np.append(starts, len(values)))


def _components(records: int, links: np.ndarray) -> np.ndarray:
    """The group of each record, ``(records,)``, where those with a link are in one."""
    if not len(links):
        return np.arange(records)
    from scipy.sparse import coo_array  # here, since a program that reads nothing need not wait for it
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (records, records))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


@njit(cache=True, nogil=True)
def _run_end(entries: np.ndarray, start: int) -> int:
    """Behind the last entry whose part is that of the entry at `start`."""
    part, stop = entries[start] >> np.uint64(HASH_BITS), start + 1
    while stop < len(entries) and entries[stop] >> np.uint64(HASH_BITS) == part:
        stop += 1
    return stop


@njit(cache=True, nogil=True)
def _most_pairs(entries: np.ndarray, few: int) -> int:
    """At least as many as `_fill_pairs` finds."""
    count, start = 0, 0
    while start < len(entries):
        stop = _run_end(entries, start)
        size = stop - start
        count += size * (size - 1) // 2 if size <= few else 2 * size
        start = stop
    return count


@njit(cache=True, nogil=True)
def _fill_pairs(entries: np.ndarray, few: int, lengths: np.ndarray, pairs: np.ndarray) -> int:
    """Write ``first << 32 | second`` for records with a part in common, once for each part; count them."""
    count, start, low = 0, 0, np.uint64(2**HASH_BITS - 1)
    while start < len(entries):
        stop = _run_end(entries, start)
        longest = start
        for at in range(start + 1, stop):
            if lengths[entries[at] & low] > lengths[entries[longest] & low]:
                longest = at
        for at in range(start, stop):
            first = (entries[at] & low) << np.uint64(HASH_BITS)
            next_to_it = stop if stop - start <= few else min(at + 2, stop)
            for other in range(at + 1, next_to_it):
                pairs[count] = first | (entries[other] & low)
                count += 1
            if longest >= next_to_it:
                pairs[count] = first | (entries[longest] & low)
                count += 1
            elif longest < at - 1 and stop - start > few:
                pairs[count] = ((entries[longest] & low) << np.uint64(HASH_BITS)) | (entries[at] & low)
                count += 1
        start = stop
    return count
