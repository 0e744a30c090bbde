"""Random splits of a corpus: by whole records in groups, or by contiguous blocks of long records.

A split is an array of segments ``(n, 4)`` int64 as in `Corpus.segments`: start, stop, subset, record. All
random numbers come from the generator argument.
"""

from collections.abc import Iterator

import numpy as np

from pipeline.data.corpus import SUBSETS

FULL = 0.9
"""A held-out subset with this share of its symbols is full as soon as a group does not fit."""
MAX_DRAWS = 8
"""Random positions that are drawn for a block, until it is inside one record."""


def split_records(
    spans: np.ndarray, groups: np.ndarray, validation: float, test: float, rng: np.random.Generator
) -> np.ndarray:
    """Split whole records: random shares of the symbols for validation and for test, the rest for training.

    Records with the same label in `groups`, ``(records,)`` from 0, are in one subset. Groups are assigned in
    random order. A group that is too large for both held-out subsets is trained on.
    """
    sizes = np.bincount(groups, weights=spans[:, 1] - spans[:, 0])
    order = rng.permutation(len(sizes))
    shares = np.array([validation, test]) * sizes.sum()
    kinds = np.zeros(len(sizes), np.int64)
    kinds[order] = _assign_groups(sizes[order], shares)
    for subset in (1, 2):
        if subset not in kinds and len(sizes) > 2:  # every group is larger than the share: take a small one
            trained = order[kinds[order] == 0]
            small = sizes[trained] <= np.median(sizes[trained])
            kinds[trained[small.argmax()]] = subset
    return np.column_stack([spans, kinds[groups], np.arange(len(spans))])


def _assign_groups(sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the subset of each group, in their order: held-out subsets take groups until they have their
    shares."""
    kinds, used, taking = np.zeros(len(sizes), np.int64), [0.0, 0.0], [0, 1]
    for number, size in enumerate(sizes.tolist()):
        for subset in list(taking):
            if used[subset] + size <= shares[subset]:
                used[subset] += size
                kinds[number] = subset + 1
                break
            if used[subset] >= FULL * shares[subset]:
                taking.remove(subset)
        if not taking:
            break
    return kinds


def split_blocks(
    spans: np.ndarray, chosen: np.ndarray, validation: float, test: float, gap: int, length: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Split contiguous blocks: held-out ones of about `length` symbols at random positions, the rest for
    training.

    `chosen` has the numbers of the records that blocks are taken from; other records are trained on and do
    not count for the shares. The chosen records are divided into as many equal strata as there are held-out
    blocks, with one block in each. Blocks thus cover all sequences; a split at the end would measure whatever
    is there, such as repeats. The training side of each border loses `gap` symbols, so that training data is
    not adjacent to test data. Segments never cross records.
    """
    lengths = spans[chosen, 1] - spans[chosen, 0]
    joined = np.column_stack([np.cumsum(lengths) - lengths, np.cumsum(lengths)])
    segments = _split_joined(joined, validation, test, gap, length, rng)
    segments[:, :2] += (spans[chosen, 0] - joined[:, 0])[segments[:, 3], None]
    segments[:, 3] = chosen[segments[:, 3]]
    others = np.setdiff1d(np.arange(len(spans)), chosen)
    trained = np.column_stack([spans[others], np.zeros(len(others), np.int64), others])
    segments = np.concatenate([segments, trained])
    return segments[np.argsort(segments[:, 0], kind="stable")]


def _split_joined(
    spans: np.ndarray, validation: float, test: float, gap: int, length: int, rng: np.random.Generator
) -> np.ndarray:
    """Split records that are adjacent, as `split_blocks`."""
    total = int(spans[-1, 1])
    counts = [max(1, round(share * total / length)) for share in (validation, test)]
    strata = sum(counts)
    kinds = np.full(strata, SUBSETS.index("test"))
    kinds[((np.arange(counts[0]) + rng.random()) * strata / counts[0]).astype(np.int64)] = 1
    edges = np.arange(strata + 1, dtype=np.int64) * total // strata
    sizes = [round(share * total / count) for share, count in zip((validation, test), counts, strict=True)]
    blocks = []
    for stratum, kind in enumerate(kinds.tolist()):
        first, last = int(edges[stratum]), int(edges[stratum + 1])
        size = min(max(1, sizes[kind - 1]), last - first)
        start = _draw_start(spans, first, last - size, size, rng)
        blocks.append((start, start + size, kind))
    segments = [piece for block in _with_training(blocks, total, gap) for piece in _pieces(spans, *block)]
    return np.array(segments, np.int64).reshape(-1, 4)


def _draw_start(spans: np.ndarray, first: int, last: int, size: int, rng: np.random.Generator) -> int:
    """Draw the start of a block from `first` to `last`; inside one record, if one of the draws is."""
    for start in rng.integers(first, last, MAX_DRAWS, endpoint=True).tolist():
        record = np.searchsorted(spans[:, 1], start, side="right")
        if start + size <= spans[record, 1]:
            break
    return start


def _with_training(
    blocks: list[tuple[int, int, int]], total: int, gap: int
) -> Iterator[tuple[int, int, int]]:
    """Yield the held-out blocks in order, and the training blocks between them without the gaps."""
    at = 0
    for start, stop, kind in blocks:
        yield at + gap * (at > 0), start - gap, 0
        yield start, stop, kind
        at = stop
    yield at + gap, total, 0


def _pieces(spans: np.ndarray, start: int, stop: int, kind: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the parts of a block, record by record."""
    if start >= stop:
        return
    first, last = np.searchsorted(spans[:, 1], [start, stop - 1], side="right").tolist()
    for record in range(first, last + 1):
        yield max(start, int(spans[record, 0])), min(stop, int(spans[record, 1])), kind, record
