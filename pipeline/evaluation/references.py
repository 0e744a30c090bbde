"""The reference groups of the samples: real sequences and baselines, cut like the samples.

Where sequences have no ends, real sequences are windows with the lengths of the samples, from all test
blocks. Each window keeps the name of its block, since windows of one block are not independent.
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
from pipeline.evaluation.reference_selection import RequestedAttributes, draw_matching, select_held_out
from pipeline.models.ngram.markov import Markov, shuffle_keeping_pairs
from pipeline.records import Record, References, Sample

MAX_SEQUENCES = 200
"""Sequences of each baseline: enough to compare, and quick to draw."""
MAX_HELD_OUT = 400
"""Held-out real sequences: more, since everything is compared with them."""
MIN_CONTEXT_COUNT = 100
"""Mean occurrences of each context of the Markov chain: its samples repeat training data by chance alone."""
MAX_ORDER = 16
MAX_COUNTED = 2_000_000
"""Symbols from which the composition of the training data is counted."""
MAX_UNCOMPRESSED = 1_000_000
"""Characters of a reference file above which it is compressed."""

Windows = list[tuple[Record, str]]
"""Records, each with the name of its block."""


@dataclass(frozen=True)
class ReferenceMaker:
    """Makes the reference groups of these samples; the same seed gives the same groups."""

    corpus: Corpus
    domain: Domain
    samples: Sequence[Sample]
    longest: int
    """Symbols of a Markov sample, at most, where sequences have ends."""
    seed: int

    @property
    def max_symbols(self) -> int | None:
        """The symbols of a sequence that are compared, where sequences have no ends.

        Each of the spans that hold half of the test symbols is at least as long. Without this limit, short
        test records would have no window of a sample's length.
        """
        if not self.domain.open_ended:
            return None
        spans = self.corpus.subset_segments("test")
        lengths = np.sort(spans[:, 1] - spans[:, 0])[::-1]
        return int(lengths[np.searchsorted(lengths.cumsum(), lengths.sum() / 2)])

    @property
    def lengths(self) -> list[int]:
        """The lengths of the samples, as far as they are compared."""
        return [len(each.symbols[: self.max_symbols]) for each in self.samples] or [1]

    def make(self) -> References:
        """All groups, of sequences that match the requests. The baselines are a Markov chain at temperature 1
        and the shuffled samples."""
        requests = RequestedAttributes.from_samples(self.domain, self.samples)
        rng = np.random.default_rng([self.seed, 1])
        markov = fit_markov(self.corpus, self.domain, range(limit_order(self.corpus, self.domain) + 1))
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

    def _draw(
        self, markov: Markov, rng: np.random.Generator, requests: RequestedAttributes
    ) -> list[np.ndarray]:
        count = len(self.samples)
        if not self.domain.open_ended:
            return draw_matching(
                requests,
                lambda: markov.sample(count, self.longest, rng, end_code=EOS, forbidden=(BOS, UNKNOWN)),
                self._record, count,
            )  # fmt: skip
        drawn = markov.sample(count, max(self.lengths), rng, forbidden=(BOS, UNKNOWN, EOS))
        return [codes[:length] for codes, length in zip(drawn, self.lengths, strict=True)]

    def _shuffle(self, sample: Sample, rng: np.random.Generator) -> np.ndarray:
        symbols = sample.symbols[: self.max_symbols]
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

    def _held_out(self, requests: RequestedAttributes) -> tuple[Windows, tuple[str, ...]]:
        """Held-out sequences, and lines on how they match the requests."""
        records = self.corpus.records("test", self.domain)
        if not self.domain.open_ended:
            first = itertools.islice(records, 100 * MAX_HELD_OUT)
            found, remarks = select_held_out(
                requests, first, lambda: self.corpus.records("validation", self.domain)
            )
            return [(record, record.id) for record in _spread_evenly(found, MAX_HELD_OUT)], remarks
        step = max(self.lengths)
        places = [
            (record, start) for record in records for start in range(0, len(record.symbols) - step + 1, step)
        ]
        chosen, lengths = _spread_evenly(places, MAX_HELD_OUT), itertools.cycle(self.lengths)
        pairs = zip(chosen, lengths, strict=False)
        return [(self._window(record, start, length), record.id) for (record, start), length in pairs], ()

    def _window(self, record: Record, start: int, length: int) -> Record:
        part = self.domain.part_id(record.id, start, start + length)
        return Record(part, record.symbols[start : start + length])

    def _control(self, requests: RequestedAttributes) -> Windows:
        """Real sequences of the training split, as many as the baselines have, without variants. Their blocks
        are as long as test blocks."""
        corpus = self.corpus
        train = corpus.segments[:, 2] == SUBSETS.index("train")
        # Variants follow all records, and no variant is held out.
        read = corpus.segments[:, 3] <= corpus.segments[~train, 3].max(initial=0)
        spans = corpus.segments[train & read, :2].tolist()
        if not self.domain.open_ended:
            fits = (span for span in spans if requests.matches(self._record(corpus.codes[slice(*span)])))
            kept = list(fits) if requests.requested else spans
            chosen = [(start, stop, start) for start, stop in _spread_evenly(kept, len(self.samples))]
        else:
            step, size, lengths = max(self.lengths), self.block_size, itertools.cycle(self.lengths)
            places = [(at, (begin, (at - begin) // size)) for begin, end in spans
                      for at in range(begin, end - step + 1, step)]  # fmt: skip
            spread = zip(_spread_evenly(places, len(self.samples)), lengths, strict=False)
            chosen = [(start, start + length, block) for (start, block), length in spread]
        texts = self._records((corpus.codes[start:stop] for start, stop, _ in chosen), "training")
        return [(text, str(block)) for text, (*_, block) in zip(texts, chosen, strict=True)]

    @property
    def block_size(self) -> int:
        """Symbols of a block of the training split: the median of the test blocks."""
        spans = self.corpus.subset_segments("test")
        return max(1, int(np.median(spans[:, 1] - spans[:, 0])))


def limit_order(corpus: Corpus, domain: Domain) -> int:
    """The highest order at which each context occurs `MIN_CONTEXT_COUNT` times on average in training:
    log(N / MIN_CONTEXT_COUNT) / log(perplexity), for N symbols (both DNA strands counted) and the perplexity
    of their composition."""
    spans = corpus.subset_segments("train")
    total = int((spans[:, 1] - spans[:, 0]).sum())
    share = min(1.0, MAX_COUNTED / max(total, 1))
    counts = np.zeros(len(corpus.alphabet), np.int64)
    for start, stop in spans.tolist():
        part = corpus.codes[start : start + max(1, math.ceil((stop - start) * share))]
        counts += np.bincount(part, minlength=len(counts))
    known = counts[len(SPECIALS) :][counts[len(SPECIALS) :] > 0] / max(1, counts[len(SPECIALS) :].sum())
    nats = float(-(known * np.log(known)).sum())
    seen = total * (1 if domain.complement is None else 2) / MIN_CONTEXT_COUNT
    if nats <= 0 or seen <= 1:
        return 0
    return int(min(MAX_ORDER, math.log(seen) / nats))


def write_references(references: References, domain: Domain, folder: Path) -> tuple[Path, ...]:
    """Write each group to a file of the domain's format in `folder`; files above a megabyte as gzip."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, records in references.compared.items():
        text = "".join(domain.format_record(record, number) for number, record in enumerate(records, 1))
        path = folder / f"{re.sub('[^a-z0-9]+', '_', name.lower())}{domain.record_suffix}"
        if len(text) > MAX_UNCOMPRESSED:
            path = path.with_name(f"{path.name}.gz")
            with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream:
                stream.write(text.encode("utf-8"))
        else:
            path.write_text(text, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def _spread_evenly(items: Sequence, count: int) -> list:
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[number] for number in chosen]
