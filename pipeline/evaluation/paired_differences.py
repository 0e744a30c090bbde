"""Whether two models differ: paired differences per test block or record, with a confidence interval.

Symbols of one block depend on each other; blocks and records are the independent observations. The mean
difference is a ratio of two sums over blocks, so its standard error is that of a ratio estimator (Cochran,
"Sampling techniques", 1977, section 6.4), and the interval takes Student's t.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from pipeline.data.corpus import Corpus
from pipeline.evaluation.bits import Tally

LEVEL = 0.95
MIN_BLOCKS = 4
"""With fewer blocks or records, no two models can be distinguished."""
NEGLIGIBLE = 5e-4
"""Bits per symbol: smaller differences are shown as 0.000."""


@dataclass(frozen=True)
class Difference:
    """Bits per symbol of a first model minus those of a second: below 0 the first is better."""

    bits: float
    low: float | None
    """The lower end of the 95% interval; None where there are too few blocks."""
    high: float | None
    blocks: int
    better_blocks: int
    """Blocks in which the first is better: a few blocks may decide the mean."""
    error: float = 0.0
    """The standard error of `bits`."""

    @property
    def conclusion(self) -> str:
        """better, worse, "no difference found" or "too few blocks"."""
        if self.low is None or self.high is None:
            return "too few blocks"
        if self.low <= 0 <= self.high or abs(self.bits) < NEGLIGIBLE:
            return "no difference found"
        return "better" if self.bits < 0 else "worse"

    @property
    def interval(self) -> str:
        """The interval as text; empty where there is none."""
        return "" if self.low is None else f"{self.low:+.3f} to {self.high:+.3f}"


def compare_tallies(first: Tally, second: Tally, mark: int | None = None) -> Difference:
    """The paired difference of two tallies over the same segments, of all symbols or of one mark's."""
    chosen = slice(None) if mark is None else slice(mark, mark + 1)
    nats = (first.block_nats - second.block_nats)[:, chosen].sum(1)
    counts = first.block_counts[:, chosen].sum(1)
    sums, counts = nats[counts > 0] / np.log(2), counts[counts > 0]
    blocks, total = len(counts), counts.sum()
    mean = float(sums.sum() / total) if total else 0.0
    better = int((sums < 0).sum())
    if blocks < MIN_BLOCKS:
        return Difference(mean, None, None, blocks, better)
    deviations = sums - mean * counts
    error = float(np.sqrt(blocks / (blocks - 1) * (deviations**2).sum()) / total)
    half = error * float(student.ppf((1 + LEVEL) / 2, blocks - 1))
    return Difference(mean, mean - half, mean + half, blocks, better, error)


def write_block_table(first: Tally, second: Tally, corpus: Corpus, path: Path) -> Path:
    """Write a row for each test block or record: symbols, bits per symbol of both, and their difference."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write("record\tstart\tstop\tsymbols\tmodel_bits\tbaseline_bits\tdifference\n")
        for name, start, stop, number, own, other in _rows(first, second, corpus):
            place = f"{name}\t{start}\t{stop}\t{number}"
            stream.write(f"{place}\t{own:.4f}\t{other:.4f}\t{own - other:+.4f}\n")
    return path


def _rows(first: Tally, second: Tally, corpus: Corpus) -> list[tuple[str, int, int, int, float, float]]:
    """Name of the record, start and stop in it (half-open, from 0), symbols, and bits of both."""
    owner = {int(start): int(record) for start, _, _, record in corpus.segments}
    found = []
    if first.segments is None:
        raise ValueError("the tallies have no segments")
    for number, (start, stop) in enumerate(first.segments.tolist()):
        symbols = int(first.block_counts[number].sum())
        own, other = (
            float(each.block_nats[number].sum() / np.log(2) / max(1, symbols)) for each in (first, second)
        )
        begin = int(corpus.record_spans[owner[start], 0])
        found.append((corpus.record_ids[owner[start]], start - begin, stop - begin, symbols, own, other))
    return found
