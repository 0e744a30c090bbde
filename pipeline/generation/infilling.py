"""Fills a gap between two given sides, with any model that reads from left to right.

Candidates continue the left side by the domain's grammar and the constraints. Those stay whose whole sequence
is valid and keeps the constraints, ranked by the log-probability of the gap and of what follows it.
"""

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config.sampling import FillSettings
from pipeline.data.alphabet import Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.engine import Request, draw
from pipeline.generation.surprisal import surprisals
from pipeline.models.model import Model
from pipeline.records import Rejection, Sample, Symbols

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gap:
    """What follows a gap, and how long the gap is: `settings` say that in bars or in symbols."""

    domain: Domain
    settings: FillSettings
    right: Symbols
    valid: bool = True
    """Whether whole sequences must pass the domain's check."""
    problem: Callable[[Symbols, int], str | None] = lambda symbols, begun: None
    """What a whole sequence does not keep of the constraints, after so many symbols that were given."""

    @property
    def bars(self) -> int | None:
        """The bars of the gap; None where its length is given in symbols."""
        settings, unit = self.settings, self.domain.gap_unit
        if settings.bars is not None and unit is None:
            raise ConfigError(
                "sample.fill.bars: this domain has no bars; set sample.fill.shortest and longest"
            )
        in_symbols = settings.shortest is not None or settings.longest is not None
        return settings.bars or (1 if unit is not None and not in_symbols else None)

    @property
    def longest(self) -> int:
        """Symbols of the gap, at most."""
        return self.bars * self.domain.gap_symbols if self.bars else self.settings.lengths[-1]

    def close(self, drawn: Sample) -> Sample | None:
        """The candidate cut to the gap's length and followed by the right side; None where it has no such
        length."""
        begun, lengths = drawn.prime_length, self.settings.lengths
        end: int | None = begun + lengths[drawn.index % len(lengths)]
        if self.bars:
            end = self.domain.gap_end(drawn.symbols, begun, self.bars, self.right)
        if end is None:
            return None
        return replace(drawn, symbols=drawn.symbols[:end] + self.right, ended=not self.domain.open_ended)

    def refuses(self, whole: Sample) -> str | None:
        """Why a whole sequence is not kept; None where it is."""
        if problem := self.problem(whole.symbols, whole.prime_length):
            return f"does not keep {problem}"
        found = self.domain.finish(whole) if self.valid else None
        return found.reason if isinstance(found, Rejection) else None


def fill(model: Model, alphabet: Alphabet, request: Request, gap: Gap) -> Iterator[Sample]:
    """The `request.count` best whole sequences; `ranked_by` is the mean log-probability, in nats, of the
    symbols of the gap and the right side, the end's included where there is one.

    The request is for what stands before the right side, as long as can be, without an end. A candidate's
    number is its sample's index. Raises ConfigError where the right side has a symbol that the model does not
    know, `request.primes` are several, or no candidate is kept.
    """
    if request.primes:
        raise ConfigError("sample.fill: there can be but one left side; give one sample.prime")
    for symbol in gap.right:
        if symbol not in alphabet:
            raise ConfigError(f"sample.fill.right: symbol {symbol!r} is not among what the model learns")
    candidates = replace(request, count=max(gap.settings.candidates, request.count))
    kept: dict[Symbols, Sample] = {}
    refused: Counter[str] = Counter()
    for drawn in draw(model, alphabet, candidates):
        whole = gap.close(drawn)
        reason = "longer than the gap" if whole is None else gap.refuses(whole)
        if reason:
            refused[reason] += 1
        else:
            kept[whole.symbols] = whole
    _say(len(kept), refused, request.count)
    with_end = not gap.domain.open_ended
    codes = (alphabet.encode(symbols) for symbols in kept)
    nats = surprisals(model, codes, with_end)
    scored = [_scored(each, found) for each, found in zip(kept.values(), nats, strict=True)]
    yield from heapq.nlargest(request.count, scored, key=lambda each: each.ranked_by)


def _say(kept: int, refused: Counter[str], wanted: int) -> None:
    """Warn where fewer candidates are kept than are wanted; ConfigError where none is."""
    if kept >= wanted:
        return
    reasons = ", ".join(f"{reason} {number}" for reason, number in refused.most_common(4)) or "all alike"
    line = f"sample.fill: {kept} different candidates fit the right side; not kept: {reasons}"
    remedy = "raise sample.fill.candidates, or change sample.prime or sample.fill.right"
    if not kept:
        raise ConfigError(f"{line}; {remedy}")
    log.warning("%s; %s for more", line, remedy)


def _scored(sample: Sample, nats: np.ndarray) -> Sample:
    total = -float(nats[sample.prime_length :].sum())
    return replace(sample, log_probability=total, ranked_by=total / (len(nats) - sample.prime_length))
