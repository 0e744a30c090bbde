"""The reference groups that samples are compared with: real sequences and baselines, cut like the samples.

Where sequences have no ends, real sequences are windows as long as the samples are, from all test blocks; the
block that a window is from goes with it, since windows of one block are not independent.
"""

import gzip
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.alphabet import BOS, EOS, SPECIALS, UNKNOWN
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.domain import Domain
from pipeline.evaluation.markov_baseline import fit_markov
from pipeline.evaluation.metric_comparison.groups import CONTROL, REAL
from pipeline.evaluation.reference_selection import Requests, draw_fitting, select_held_out
from pipeline.models.ngram.markov import Markov, shuffle_keeping_pairs
from pipeline.records import Record, References, Sample

MAX_SEQUENCES = 200
"""Sequences of each baseline, and samples that they are cut like: enough to compare, quick to make."""
MAX_HELD_OUT = 400
"""Real sequences are more: what is real should be known best."""
MIN_SEEN = 100
"""So often, on average, each context of the Markov chain has been seen: its samples repeat the training data
by chance alone."""
MAX_ORDER = 16
MAX_COUNTED = 2_000_000
"""Symbols from which the composition of the training data is counted."""
MAX_PLAIN = 1_000_000
"""Characters of a reference file above which it is compressed."""

Windows = list[tuple[Record, str]]
"""Records, and the block that each is from."""


@dataclass(frozen=True)
class ReferenceMaker:
    """Makes the groups for these samples, the same ones for the same seed."""

    corpus: Corpus
    domain: Domain
    samples: Sequence[Sample]
    longest: int
    """Symbols of a Markov sample, at most, where sequences have ends."""
    seed: int

    @property
    def cap(self) -> int | None:
        """The symbols of a sequence that are compared, where sequences have no ends: as many as each of the
        spans has that hold half of the test symbols. Of short records none may be as long as a sample."""
        if not self.domain.open_ended:
            return None
        spans = self.corpus.subset_segments("test")
        lengths = np.sort(spans[:, 1] - spans[:, 0])[::-1]
        return int(lengths[np.searchsorted(lengths.cumsum(), lengths.sum() / 2)])

    @property
    def lengths(self) -> list[int]:
        """Those of the samples, as far as they are compared."""
        return [len(each.symbols[: self.cap]) for each in self.samples] or [1]

    def make(self) -> References:
        """All groups, of what fits the requests; the baselines are a Markov chain at temperature 1 and the
        samples, shuffled."""
        requests = Requests.of_samples(self.domain, self.samples)
        rng = np.random.default_rng([self.seed, 1])
        markov = fit_markov(self.corpus, self.domain, range(order_cap(self.corpus, self.domain) + 1))
        drawn = self._draw(markov, rng, requests)
        (held_out, remarks), control = self._held_out(requests), self._control(requests)
        groups = {
            REAL: [record for record, _ in held_out],
            f"Markov order {markov.order}": self._records(drawn, "markov"),
            "shuffled": self._records((self._shuffle(each, rng) for each in self.samples), "shuffled"),
        }
        blocks = {REAL: [block for _, block in held_out], CONTROL: [block for _, block in control]}
        real = [record for record, _ in control]
        return References(groups, lambda: self.corpus.records("train", self.domain), real, blocks, remarks)

    def _draw(self, markov: Markov, rng: np.random.Generator, requests: Requests) -> list[np.ndarray]:
        count = len(self.samples)
        if not self.domain.open_ended:
            return draw_fitting(
                requests,
                lambda: markov.sample(count, self.longest, rng, end_code=EOS, forbidden=(BOS, UNKNOWN)),
                self._record, count,
            )  # fmt: skip
        drawn = markov.sample(count, max(self.lengths), rng, forbidden=(BOS, UNKNOWN, EOS))
        return [codes[:length] for codes, length in zip(drawn, self.lengths, strict=True)]

    def _shuffle(self, sample: Sample, rng: np.random.Generator) -> np.ndarray:
        symbols = sample.symbols[: self.cap]
        codes = self.corpus.alphabet.encode(symbols, "replace")
        start = self.domain.shuffle_start(symbols)
        return np.concatenate([codes[:start], shuffle_keeping_pairs(codes[start:], rng)])

    def _records(self, sequences: Iterable[np.ndarray], name: str) -> list[Record]:
        return [
            Record(f"{name}_{number:04d}", self.corpus.alphabet.decode(codes))
            for number, codes in enumerate(sequences, start=1)
        ]

    def _record(self, codes: np.ndarray) -> Record:
        return Record("", self.corpus.alphabet.decode(codes))

    def _held_out(self, requests: Requests) -> tuple[Windows, tuple[str, ...]]:
        """Held-out sequences, and lines on how they fit what was asked for."""
        records = self.corpus.records("test", self.domain)
        if not self.domain.open_ended:
            first = itertools.islice(records, 100 * MAX_HELD_OUT)
            found, remarks = select_held_out(
                requests, first, lambda: self.corpus.records("validation", self.domain)
            )
            return [(record, record.id) for record in _spread(found, MAX_HELD_OUT)], remarks
        step = max(self.lengths)
        places = [
            (record, start) for record in records for start in range(0, len(record.symbols) - step + 1, step)
        ]
        chosen, lengths = _spread(places, MAX_HELD_OUT), itertools.cycle(self.lengths)
        pairs = zip(chosen, lengths, strict=False)
        return [(self._window(record, start, length), record.id) for (record, start), length in pairs], ()

    def _window(self, record: Record, start: int, length: int) -> Record:
        part = self.domain.part_id(record.id, start, start + length)
        return Record(part, record.symbols[start : start + length])

    def _control(self, requests: Requests) -> Windows:
        """Real sequences of the training split, as many as the baselines have, none of them a variant; a
        block is as long as a test block."""
        corpus = self.corpus
        train = corpus.segments[:, 2] == SUBSETS.index("train")
        # Variants follow all that was read, and no variant is held out.
        read = corpus.segments[:, 3] <= corpus.segments[~train, 3].max(initial=0)
        spans = corpus.segments[train & read, :2].tolist()
        if not self.domain.open_ended:
            fits = (span for span in spans if requests.fit(self._record(corpus.codes[slice(*span)])))
            kept = list(fits) if requests.asked else spans
            chosen = [(start, stop, start) for start, stop in _spread(kept, len(self.samples))]
        else:
            step, size, lengths = max(self.lengths), self.block_size, itertools.cycle(self.lengths)
            places = [(at, (begin, (at - begin) // size)) for begin, end in spans
                      for at in range(begin, end - step + 1, step)]  # fmt: skip
            spread = zip(_spread(places, len(self.samples)), lengths, strict=False)
            chosen = [(start, start + length, block) for (start, block), length in spread]
        texts = self._records((corpus.codes[start:stop] for start, stop, _ in chosen), "training")
        return [(text, str(block)) for text, (*_, block) in zip(texts, chosen, strict=True)]

    @property
    def block_size(self) -> int:
        """Symbols of a block of the training split: the median of those of the test blocks."""
        spans = self.corpus.subset_segments("test")
        return max(1, int(np.median(spans[:, 1] - spans[:, 0])))


def order_cap(corpus: Corpus, domain: Domain) -> int:
    """The highest order at which each context has been seen `MIN_SEEN` times on average in the training data:
    log(N / MIN_SEEN) / log(perplexity) for N symbols, both strands counted, of the perplexity of their
    composition."""
    spans = corpus.subset_segments("train")
    total = int((spans[:, 1] - spans[:, 0]).sum())
    share = min(1.0, MAX_COUNTED / max(total, 1))
    counts = np.zeros(len(corpus.alphabet), np.int64)
    for start, stop in spans.tolist():
        part = corpus.codes[start : start + max(1, math.ceil((stop - start) * share))]
        counts += np.bincount(part, minlength=len(counts))
    known = counts[len(SPECIALS) :][counts[len(SPECIALS) :] > 0] / max(1, counts[len(SPECIALS) :].sum())
    nats = float(-(known * np.log(known)).sum())
    seen = total * (1 if domain.complement is None else 2) / MIN_SEEN
    if nats <= 0 or seen <= 1:
        return 0
    return int(min(MAX_ORDER, math.log(seen) / nats))


def write_references(references: References, domain: Domain, folder: Path) -> tuple[Path, ...]:
    """Write each group into a file of the domain's format in `folder`; above a megabyte as gzip."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, records in references.compared.items():
        text = "".join(domain.format_record(record, number) for number, record in enumerate(records, 1))
        path = folder / f"{re.sub('[^a-z0-9]+', '_', name.lower())}{domain.record_suffix}"
        if len(text) > MAX_PLAIN:
            path = path.with_name(f"{path.name}.gz")
            with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream:
                stream.write(text.encode("utf-8"))
        else:
            path.write_text(text, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def _spread(items: Sequence, count: int) -> list:
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[number] for number in chosen]
