"""Attributes that are requested of samples, such as a dance or a meter, counted in the training records."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.data.corpus import Corpus
from pipeline.domain import AttributeCounts, Domain

log = logging.getLogger(__name__)
FEW = 10
"""Fewer training records than this are warned of."""


@dataclass(frozen=True)
class Training:
    """How many training records have which attributes; no counts where there is no corpus or no request."""

    counts: AttributeCounts = field(default_factory=Counter)

    @classmethod
    def of(cls, domain: Domain, corpus: Corpus | None) -> "Training":
        """Counted once over the training split, if the domain's settings request an attribute."""
        if corpus is None or not domain.requested:
            return cls()
        records = corpus.records("train", domain)
        return cls(Counter(frozenset(domain.attributes(each).items()) for each in records))

    def matching(self, requested: Mapping[str, str]) -> int:
        """The records that have all of these attributes."""
        wanted = requested.items()
        return sum(number for found, number in self.counts.items() if wanted <= found)

    def summary(self, domain: Domain) -> tuple[str, ...]:
        """A line on how many training records have what is requested; it warns where they are few."""
        requested = domain.requested
        if not requested or not self.counts:
            return ()
        total, all_of_them = sum(self.counts.values()), self.matching(requested)
        names = ", ".join(f"{name} {value}" for name, value in requested.items())
        line = f"requested: {names}; {all_of_them:,} of {total:,} training records are such"
        if all_of_them < FEW and len(requested) > 1:
            each = (f"{name} {value} {self.matching({name: value}):,}" for name, value in requested.items())
            line += f" ({', '.join(each)})"
        if all_of_them < FEW:
            line += ": too few to learn from; expect samples of other kinds, or copies"
            log.warning("%s", line)
        return (line,)
