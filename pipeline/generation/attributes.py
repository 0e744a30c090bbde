"""Attributes that are requested of samples, such as a dance or a meter, counted in the training records."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.data.corpus import Corpus
from pipeline.domain import AttributeCounts, Domain

log = logging.getLogger(__name__)
MIN_TRAINING_RECORDS = 10
"""Fewer training records with the requested attributes cause a warning."""


@dataclass(frozen=True)
class AttributeStatistics:
    """How many training records have which attributes; empty without a corpus or a request."""

    counts: AttributeCounts = field(default_factory=Counter)

    @classmethod
    def count(cls, domain: Domain, corpus: Corpus | None) -> "AttributeStatistics":
        """Count the training split, if the domain's settings request an attribute."""
        if corpus is None or not domain.requested:
            return cls()
        records = corpus.records("train", domain)
        return cls(Counter(frozenset(domain.attributes(each).items()) for each in records))

    def count_matching(self, requested: Mapping[str, str]) -> int:
        """The number of records that have all of these attributes."""
        wanted = requested.items()
        return sum(number for found, number in self.counts.items() if wanted <= found)

    def summary(self, domain: Domain) -> tuple[str, ...]:
        """A line that counts the training records with the requested attributes; a warning where few."""
        requested = domain.requested
        if not requested or not self.counts:
            return ()
        total, matching = sum(self.counts.values()), self.count_matching(requested)
        names = ", ".join(f"{name} {value}" for name, value in requested.items())
        line = f"requested: {names}; {matching:,} of {total:,} training records are such"
        if matching < MIN_TRAINING_RECORDS and len(requested) > 1:
            each = (
                f"{name} {value} {self.count_matching({name: value}):,}" for name, value in requested.items()
            )
            line += f" ({', '.join(each)})"
        if matching < MIN_TRAINING_RECORDS:
            line += ": too few to learn from; expect samples of other kinds, or copies"
            log.warning("%s", line)
        return (line,)
