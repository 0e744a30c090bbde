"""Groups of near-copies among the records of a corpus, which a split keeps on one side.

Two records are near-copies where one contains a share of the other's parts (minimizers of a sequence, n-grams
of a melody), relative to the one with fewer parts. Containment, and not the Jaccard index, makes a fragment a
near-copy of its source. Source: A. Broder, On the resemblance and containment of documents, 1997.

All records that share a rare part are compared with each other. Records that share a frequent part are
compared with the longest of them and with the next one, so that time and memory stay linear. Source: M.
Steinegger and J. Söding, Clustering huge protein sequence sets in linear time, Nature Communications 9 (2018)
2542.
"""

from array import array
from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.data.minimizers import HASH_BITS

CONTAINMENTS = (0.2, 0.5, 0.8)
"""Thresholds of the containment of near-copies. The first threshold with which no group is too large for a
split is used."""
MIN_SHARED = 2
"""Parts that near-copies have in common, at least, unless one has a single part."""
MAX_ALL_PAIRS = 8
"""A part in more records is frequent: not all pairs of them are compared."""
_RECORD = np.uint64(2**HASH_BITS - 1)


@dataclass(frozen=True)
class NearCopyGroups:
    """`labels`, ``(records,)``, is the group of each record, numbered in the order of first members.
    `containment` is the threshold that was used; 1 where only named groups were joined."""

    labels: np.ndarray
    containment: float

    @property
    def figures(self) -> dict[str, float]:
        """The figures of the manifest."""
        sizes = np.bincount(self.labels)
        return {
            "groups": int((sizes > 1).sum()),
            "records_grouped": int(sizes[sizes > 1].sum()),
            "largest_group": int(sizes.max()),
            "near_copy_containment": self.containment,
        }


class NearCopyGrouper:
    """Collects the parts of records, then finds the groups of near-copies."""

    def __init__(self) -> None:
        self._keys: list[np.ndarray] = []
        self._names: dict[str, int] = {}
        self._links = array("q")

    def add_parts(self, record: int, parts: np.ndarray) -> None:
        """Add the hashes of the parts of one record, uint64."""
        if len(parts):
            hashes = parts.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # as Knuth, TAOCP 3, 6.4
            self._keys.append((hashes & ~_RECORD) | np.uint64(record))

    def add_keys(self, keys: np.ndarray) -> None:
        """Add parts of several records as ``hash << 32 | record``, uint64."""
        self._keys.append(keys)

    def add_name(self, record: int, name: str) -> None:
        """Add the name of a group to which the record belongs, whatever its parts."""
        first = self._names.setdefault(name, record)
        if first != record:
            self._links.extend((first, record))

    def groups(self, lengths: np.ndarray, largest: float) -> NearCopyGroups:
        """Find the groups; none has more than the share `largest` of all symbols, if a threshold allows that.

        `lengths` are those of the records, in symbols.
        """
        known = self._known_links()
        pairs, shared, parts = _shared_parts(self._keys, lengths)
        fewer = parts[pairs].min(axis=1)
        for containment in CONTAINMENTS:
            need = np.maximum(np.ceil(containment * fewer), np.minimum(fewer, MIN_SHARED))
            labels = _connected_components(len(lengths), np.concatenate([known, pairs[shared >= need]]))
            sizes = np.bincount(labels, weights=lengths)
            if sizes.max() <= largest * sizes.sum():
                return NearCopyGroups(labels, containment)
        return NearCopyGroups(_connected_components(len(lengths), known), 1.0)

    def _known_links(self) -> np.ndarray:
        return np.array(self._links, np.int64).reshape(-1, 2)


def _shared_parts(keys: list[np.ndarray], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of records ``(n, 2)`` with common parts, their numbers ``(n,)``, and those of each
    record."""
    entries = np.concatenate([np.zeros(0, np.uint64), *keys])
    keys.clear()  # the arrays are large: free them before the next is made
    entries.sort()
    entries = entries[np.append(True, entries[1:] != entries[:-1])[: len(entries)]]
    parts = np.bincount((entries & _RECORD).view(np.int64), minlength=len(lengths))
    found = np.empty(_max_pairs(entries, MAX_ALL_PAIRS), np.uint64)
    found, counts = _count_distinct(found[: _fill_pairs(entries, MAX_ALL_PAIRS, lengths, found)])
    pairs = np.column_stack([found >> np.uint64(HASH_BITS), found & _RECORD]).astype(np.int64)
    return pairs, counts, parts


def _count_distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted distinct values and their counts; as `numpy.unique`, but sorts in place."""
    values.sort()
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return values[starts], np.diff(np.append(starts, len(values)))


def _connected_components(records: int, links: np.ndarray) -> np.ndarray:
    """Return the group of each record, ``(records,)``; linked records are in one group."""
    if not len(links):
        return np.arange(records)
    from scipy.sparse import coo_array  # late: saves about 0.1 s of a run that reads no corpus
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (records, records))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


@njit(cache=True, nogil=True)
def _run_end(entries: np.ndarray, start: int) -> int:
    """Return the end of the run of entries with the same part as the entry at `start`."""
    part, stop = entries[start] >> np.uint64(HASH_BITS), start + 1
    while stop < len(entries) and entries[stop] >> np.uint64(HASH_BITS) == part:
        stop += 1
    return stop


@njit(cache=True, nogil=True)
def _max_pairs(entries: np.ndarray, max_all_pairs: int) -> int:
    """Return an upper bound of the number of pairs that `_fill_pairs` writes."""
    count, start = 0, 0
    while start < len(entries):
        stop = _run_end(entries, start)
        size = stop - start
        count += size * (size - 1) // 2 if size <= max_all_pairs else 2 * size
        start = stop
    return count


@njit(cache=True, nogil=True)
def _fill_pairs(entries: np.ndarray, max_all_pairs: int, lengths: np.ndarray, pairs: np.ndarray) -> int:
    """Write ``first << 32 | second`` for records with a common part, once for each part, and count them."""
    count, start, low = 0, 0, np.uint64(2**HASH_BITS - 1)
    while start < len(entries):
        stop = _run_end(entries, start)
        longest = start
        for at in range(start + 1, stop):
            if lengths[entries[at] & low] > lengths[entries[longest] & low]:
                longest = at
        for at in range(start, stop):
            first = (entries[at] & low) << np.uint64(HASH_BITS)
            next_to_it = stop if stop - start <= max_all_pairs else min(at + 2, stop)
            for other in range(at + 1, next_to_it):
                pairs[count] = first | (entries[other] & low)
                count += 1
            if longest >= next_to_it:
                pairs[count] = first | (entries[longest] & low)
                count += 1
            elif longest < at - 1 and stop - start > max_all_pairs:
                pairs[count] = ((entries[longest] & low) << np.uint64(HASH_BITS)) | (entries[at] & low)
                count += 1
        start = stop
    return count
