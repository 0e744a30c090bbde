"""The choice of the split: as a file, the data or its checkpoint prescribes, by whole records in groups, or
by blocks of long records."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS, CorpusWriter
from pipeline.data.minimizers import MAX_MINIMIZERS, MAX_PLACED, Sketcher
from pipeline.data.near_copies import PurgedSplit, purge_near_copies
from pipeline.data.near_copy_groups import CONTAINMENTS, NearCopyGrouper, NearCopyGroups
from pipeline.data.pretrained_held_out import PretrainedHeldOut, split_by_held_out_list
from pipeline.data.split_file import PrescribedSplit
from pipeline.data.splits import split_blocks, split_records
from pipeline.domain import Domain
from pipeline.records import Record

MIN_RECORDS = {True: 40, False: 10}
MAX_RECORD_SHARE = {True: 0.05, False: 0.25}
"""With fewer records, or a record longer than this share of the corpus, a split by whole records is too
coarse. The limits differ, because open-ended sequences (True) lose nothing when they are cut."""
BLOCKS = 30
"""Held-out blocks of the smaller subset, where the corpus is long enough: a mean of fewer is imprecise."""
MIN_BLOCK, MAX_BLOCK = 2_000, 100_000
"""Length of a held-out block: longer than the correlations with its neighbours, and than a sample."""
MAX_GROUP = 0.5
"""A stricter threshold for near-copies is used where a group has more than this share of the symbols."""

MIN_REPORTED_SHARE = 0.01
"""A smaller share of the test split in the training data is not reported."""


@dataclass(frozen=True)
class Split:
    """`segments` as in `Corpus.segments`, with figures and lines for the user. `left_out` counts the records
    that are in no subset. `held_out` is the digest of the held-out list that the split follows."""

    segments: np.ndarray
    left_out: int = 0
    held_out: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class Splitter:
    """Collects what a split needs of the records while they are read, then splits them."""

    def __init__(
        self,
        settings: SplitSettings,
        prescribed: PrescribedSplit | None,
        held_out_list: PretrainedHeldOut | None,
    ) -> None:
        self._settings, self._prescribed, self._held_out_list = settings, prescribed, held_out_list
        self._grouping = NearCopyGrouper()
        self._brought, self._listed = array("b"), array("b")
        """The number of the subset of each record: -1 where the data has none, 0 where the list does not name
        it."""

    def add(self, record: Record, domain: Domain) -> None:
        """Add the next record of the corpus."""
        number = len(self._brought)
        brought = record.metadata.get("subset", "")
        self._brought.append(SUBSETS.index(brought) if brought in SUBSETS else -1)
        if self._held_out_list is not None:
            self._listed.append(self._held_out_list.subsets.get(record.id, 0))
        if self._prescribed is not None:
            self._prescribed.add(record)
        self._grouping.add_parts(number, domain.fingerprints(record))
        if "group" in record.metadata:
            self._grouping.add_name(number, record.metadata["group"])

    def split(self, writer: CorpusWriter, domain: Domain) -> Split:
        """Split all records that were added."""
        spans, by = writer.spans, self._settings.by
        lengths = spans[:, 1] - spans[:, 0]
        if self._prescribed is not None:
            return Split(self._prescribed.segments(spans))
        if by == "auto" and self._settings.seed is None:
            brought, listed = np.array(self._brought), np.array(self._listed)
            if set(brought.tolist()) == set(range(len(SUBSETS))):
                return Split(np.column_stack([spans, brought, np.arange(len(spans))]))
            if set(listed.tolist()) == set(range(len(SUBSETS))):
                return self._by_held_out_list(spans, listed, self._groups(writer, domain))
        if by == "blocks" or (by == "auto" and _is_too_coarse(lengths, domain.open_ended)):
            return self._blocks(writer, domain)
        return self._records(spans, self._groups(writer, domain))

    def _groups(self, writer: CorpusWriter, domain: Domain) -> NearCopyGroups:
        for keys, _ in self._minimizers(writer, domain, MAX_MINIMIZERS):
            self._grouping.add_keys(keys)
        return self._grouping.groups(writer.spans[:, 1] - writer.spans[:, 0], MAX_GROUP)

    def _minimizers(
        self, writer: CorpusWriter, domain: Domain, max_minimizers: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield keys and positions of the minimizers of the corpus; none where the domain has no sketch."""
        if domain.sketch is not None and writer.fixed is not None:
            spans = writer.spans
            sketcher = Sketcher.for_corpus(domain, writer.fixed, int(spans[-1, 1]), max_minimizers)
            yield from sketcher.read(writer.codes_path, writer.fixed.dtype, spans)

    def _records(self, spans: np.ndarray, groups: NearCopyGroups) -> Split:
        shares = self._settings.validation, self._settings.test
        segments = split_records(spans, groups.labels, *shares, self._rng())
        return Split(segments, figures=groups.figures, lines=_group_lines(groups, spans, min(shares)))

    def _by_held_out_list(self, spans: np.ndarray, listed: np.ndarray, groups: NearCopyGroups) -> Split:
        segments = split_by_held_out_list(spans, listed, groups.labels)
        left_out = len(spans) - len(segments)
        basis = "the held-out records are those that the pretrained checkpoint was not trained on"
        lines = [*_group_lines(groups, spans, 1.0), f"{basis} (dataset.split.seed=0 draws others)"]
        lines += _left_out_lines(left_out)
        digest = self._held_out_list.digest if self._held_out_list is not None else None
        return Split(segments, left_out, digest, groups.figures, tuple(lines))

    def _blocks(self, writer: CorpusWriter, domain: Domain) -> Split:
        """Hold out blocks of records that are not near-copies of longer ones; remove near-copies of these
        blocks."""
        spans, shares = writer.spans, (self._settings.validation, self._settings.test)
        minimizers = [*self._minimizers(writer, domain, MAX_PLACED)]
        for keys, _ in minimizers:
            self._grouping.add_keys(keys)
        groups = self._grouping.groups(spans[:, 1] - spans[:, 0], largest=1.0)
        chosen = np.flatnonzero(_first_longest(groups.labels, spans[:, 1] - spans[:, 0]))
        length = _block_length(int((spans[chosen, 1] - spans[chosen, 0]).sum()), min(shares))
        gap = min(self._settings.gap, length // 8)
        segments = split_blocks(spans, chosen, *shares, gap, length, self._rng())
        figures = {**groups.figures, "test_blocks": int((segments[:, 2] == 2).sum())}
        if not minimizers:  # without minimizers, near-copies of blocks cannot be found: train on no near-copy
            left_out, kept = len(spans) - len(chosen), np.isin(segments[:, 3], chosen)
            return Split(segments[kept], left_out, None, figures, _left_out_lines(left_out))
        purged = purge_near_copies(segments, *map(np.concatenate, zip(*minimizers, strict=True)))
        figures |= {"purged_symbols": purged.symbols, "test_share_in_training": round(purged.contained, 4)}
        return Split(purged.segments, figures=figures, lines=_block_lines(purged, domain.symbol_name))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self._settings.seed or 0)


def _is_too_coarse(lengths: np.ndarray, open_ended: bool) -> bool:
    """Whether a split by whole records would be too coarse."""
    few = len(lengths) < MIN_RECORDS[open_ended]
    return few or lengths.max() > lengths.sum() * MAX_RECORD_SHARE[open_ended]


def _block_length(total: int, share: float) -> int:
    """Return the length of the held-out blocks of a subset that has this share of `total` symbols."""
    wanted = min(max(int(total * share) // BLOCKS, MIN_BLOCK), MAX_BLOCK)
    return max(1, min(wanted, int(total * share)))


def _first_longest(groups: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Tell for each record, ``(records,)``, whether it is the first of the longest records of its group."""
    order = np.lexsort((-lengths, groups))
    first = np.append(True, np.diff(groups[order]) > 0)
    kept = np.zeros(len(groups), bool)
    kept[order[first]] = True
    return kept


def _left_out_lines(records: int) -> tuple[str, ...]:
    """The line on near-copies that are in no subset."""
    count = "1 record is" if records == 1 else f"{records:,} records are"
    return (f"{count} in no subset: near-copies of held-out records",) if records else ()


def _block_lines(purged: PurgedSplit, unit: str) -> tuple[str, ...]:
    """The lines on near-copies across a split in blocks."""
    lines = []
    if purged.symbols:
        lines.append(f"{purged.symbols:,} {unit}s are near-copies of held-out blocks and are not trained on")
    if purged.contained >= MIN_REPORTED_SHARE:
        lines.append(f"{purged.contained:.0%} of the test split is in the training data too: repeats")
    return tuple(lines)


def _group_lines(groups: NearCopyGroups, spans: np.ndarray, share: float) -> tuple[str, ...]:
    """The lines on groups of near-copies, where a held-out subset has a `share` of the symbols."""
    figures, lines = groups.figures, []
    if figures["groups"]:
        count = "1 group" if figures["groups"] == 1 else f"{figures['groups']:,} groups"
        lines.append(
            f"{figures['records_grouped']:,} records are near-copies of others: {count} (the largest has "
            f"{figures['largest_group']:,}), each on one side of the split"
        )
    sizes = np.bincount(groups.labels, weights=spans[:, 1] - spans[:, 0])
    if figures["groups"] and sizes.max() > share * sizes.sum():
        lines.append(
            f"one group has {sizes.max() / sizes.sum():.0%} of the symbols, more than a held-out subset "
            f"({share:.0%}): it is trained on, and the test split does not measure such records"
        )
    if groups.containment > CONTAINMENTS[0]:
        lines.append(
            f"near-copies link more than {MAX_GROUP:.0%} of the symbols (as overlapping reads do), so only "
            f"records that share {groups.containment:.0%} of the shorter one are kept together: bits on the "
            "test split may be too low"
        )
    return tuple(lines)
