"""How the records of a corpus are split, of all the ways that there are: as a file prescribes, as the data or
its checkpoint brings it, by whole records in groups, or by blocks of long ones."""

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

FEW_RECORDS = {True: 40, False: 10}
LONG_SHARE = {True: 0.05, False: 0.25}
"""With fewer records, or one longer than this share of the corpus, whole records split too coarsely.
Open-ended sequences (True) lose nothing by being cut; those with a start and an end do."""
BLOCKS = 30
"""Held-out blocks of the smaller subset, where the corpus is long enough: a mean of fewer says little."""
MIN_BLOCK, MAX_BLOCK = 2_000, 100_000
"""A held-out block is to be longer than what is learned from its neighbours, and than a sample."""
MAX_GROUP = 0.5
"""Near-copies are looked for more strictly where a group would have more than this share of the symbols."""

TELLING_SHARE = 0.01
"""Less of the test split in the training data is not worth a line."""


@dataclass(frozen=True)
class Split:
    """`segments` as in `Corpus.segments`, and what is to be said of them. `left_out` records are in none.
    `held_out` is the digest of a list of unlearned records that the split keeps to."""

    segments: np.ndarray
    left_out: int = 0
    held_out: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class Splitter:
    """Notes what a split needs to know of records while they are read, then splits them."""

    def __init__(
        self,
        settings: SplitSettings,
        prescribed: PrescribedSplit | None,
        held_out_list: PretrainedHeldOut | None,
    ) -> None:
        self._settings, self._prescribed, self._held_out_list = settings, prescribed, held_out_list
        self._grouping = NearCopyGrouper()
        self._brought, self._listed = array("b"), array("b")
        """By record the number of its subset; of one that has none -1, of one that is not listed 0."""

    def add(self, record: Record, domain: Domain) -> None:
        """Note the next record of the corpus."""
        number = len(self._brought)
        brought = record.metadata.get("subset", "")
        self._brought.append(SUBSETS.index(brought) if brought in SUBSETS else -1)
        if self._held_out_list is not None:
            self._listed.append(self._held_out_list.subsets.get(record.id, 0))
        if self._prescribed is not None:
            self._prescribed.place(record)
        self._grouping.add_parts(number, domain.fingerprints(record))
        if "group" in record.metadata:
            self._grouping.add_name(number, record.metadata["group"])

    def split(self, writer: CorpusWriter, domain: Domain) -> Split:
        """The split of all records written."""
        spans, by = writer.spans, self._settings.by
        lengths = spans[:, 1] - spans[:, 0]
        if self._prescribed is not None:
            return Split(self._prescribed.segments(spans))
        if by == "auto" and self._settings.seed is None:
            brought, listed = np.array(self._brought), np.array(self._listed)
            if set(brought.tolist()) == set(range(len(SUBSETS))):
                return Split(np.column_stack([spans, brought, np.arange(len(spans))]))
            if set(listed.tolist()) == set(range(len(SUBSETS))):
                return self._keeping_to_list(spans, listed, self._groups(writer, domain))
        if by == "blocks" or (by == "auto" and _coarse(lengths, domain.open_ended)):
            return self._blocks(writer, domain)
        return self._records(spans, self._groups(writer, domain))

    def _groups(self, writer: CorpusWriter, domain: Domain) -> NearCopyGroups:
        for keys, _ in self._minimizers(writer, domain, MAX_MINIMIZERS):
            self._grouping.add_keys(keys)
        return self._grouping.groups(writer.spans[:, 1] - writer.spans[:, 0], MAX_GROUP)

    def _minimizers(
        self, writer: CorpusWriter, domain: Domain, most: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Keys and places of the corpus's minimizers, some at once; none of a domain that has no sketch."""
        if domain.sketch is not None and writer.fixed is not None:
            spans = writer.spans
            sketcher = Sketcher.of(domain, writer.fixed, int(spans[-1, 1]), most)
            yield from sketcher.read(writer.codes_path, writer.fixed.dtype, spans)

    def _records(self, spans: np.ndarray, groups: NearCopyGroups) -> Split:
        shares = self._settings.validation, self._settings.test
        segments = split_records(spans, groups.labels, *shares, self._rng())
        return Split(segments, figures=groups.figures, lines=_told(groups, spans, min(shares)))

    def _keeping_to_list(self, spans: np.ndarray, listed: np.ndarray, groups: NearCopyGroups) -> Split:
        segments = split_by_held_out_list(spans, listed, groups.labels)
        left_out = len(spans) - len(segments)
        kept_to = "the checkpoint of the data set has not learned the held-out records"
        lines = [*_told(groups, spans, 1.0), f"{kept_to} (dataset.split.seed=0 draws others)"]
        lines += _left_out(left_out)
        return Split(segments, left_out, self._held_out_list.digest, groups.figures, tuple(lines))

    def _blocks(self, writer: CorpusWriter, domain: Domain) -> Split:
        """Blocks of records that are no near-copies of longer ones; training without near-copies of these."""
        spans, shares = writer.spans, (self._settings.validation, self._settings.test)
        minimizers = [*self._minimizers(writer, domain, MAX_PLACED)]
        for keys, _ in minimizers:
            self._grouping.add_keys(keys)
        groups = self._grouping.groups(spans[:, 1] - spans[:, 0], largest=1.0)
        chosen = np.flatnonzero(_longest(groups.labels, spans[:, 1] - spans[:, 0]))
        length = _block_length(int((spans[chosen, 1] - spans[chosen, 0]).sum()), min(shares))
        gap = min(self._settings.gap, length // 8)
        segments = split_blocks(spans, chosen, *shares, gap, length, self._rng())
        figures = {**groups.figures, "test_blocks": int((segments[:, 2] == 2).sum())}
        if not minimizers:  # where a near-copy is like another record is not known, so it is not learned
            left_out, kept = len(spans) - len(chosen), np.isin(segments[:, 3], chosen)
            return Split(segments[kept], left_out, None, figures, _left_out(left_out))
        purged = purge_near_copies(segments, *map(np.concatenate, zip(*minimizers, strict=True)))
        figures |= {"purged_symbols": purged.symbols, "test_share_in_training": round(purged.contained, 4)}
        return Split(purged.segments, figures=figures, lines=_told_of_blocks(purged, domain.symbol_name))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self._settings.seed or 0)


def _coarse(lengths: np.ndarray, open_ended: bool) -> bool:
    """Whether whole records split too coarsely."""
    few = len(lengths) < FEW_RECORDS[open_ended]
    return few or lengths.max() > lengths.sum() * LONG_SHARE[open_ended]


def _block_length(total: int, share: float) -> int:
    """Symbols of a held-out block, of a corpus of `total`, in a subset of this share of it."""
    wanted = min(max(int(total * share) // BLOCKS, MIN_BLOCK), MAX_BLOCK)
    return max(1, min(wanted, int(total * share)))


def _longest(groups: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Whether each record is the first of the longest ones of its group, ``(records,)``."""
    order = np.lexsort((-lengths, groups))
    first = np.append(True, np.diff(groups[order]) > 0)
    kept = np.zeros(len(groups), bool)
    kept[order[first]] = True
    return kept


def _left_out(records: int) -> tuple[str, ...]:
    """What is to be said of so many near-copies that are in no subset."""
    copies = "1 record is" if records == 1 else f"{records:,} records are"
    return (f"{copies} in no subset, as near-copies of held-out ones",) if records else ()


def _told_of_blocks(purged: PurgedSplit, unit: str) -> tuple[str, ...]:
    """What is to be said of near-copies across a split in blocks."""
    lines = []
    if purged.symbols:
        lines.append(f"{purged.symbols:,} {unit}s are near-copies of held-out blocks, and are not trained on")
    if purged.contained >= TELLING_SHARE:
        lines.append(f"{purged.contained:.0%} of the test split stands in the training data, too: repeats")
    return tuple(lines)


def _told(groups: NearCopyGroups, spans: np.ndarray, share: float) -> tuple[str, ...]:
    """What is to be said of groups, where a held-out subset is to have a `share` of the symbols."""
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
            f"({share:.0%}): it is trained on, and the test split tells nothing of its kind"
        )
    if groups.containment > CONTAINMENTS[0]:
        lines.append(
            f"near-copies link more than {MAX_GROUP:.0%} of the symbols (as overlapping reads do), so "
            f"only those that share {groups.containment:.0%} of the shorter one are kept together: the bits "
            "of the test split may be too low"
        )
    return tuple(lines)
