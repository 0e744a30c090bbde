"""Fills a gap between two given sides, with any model that reads from left to right.

Candidates continue the left side by the grammar and the constraints. Candidates are kept whose whole sequence
is valid and keeps the constraints. They are ranked by the log-probability of the gap and the right side.
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
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.generation.surprisal import compute_surprisals
from pipeline.models.model import Model
from pipeline.records import Rejection, Sample, Symbols

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gap:
    """The right side of a gap, and the length of the gap: `settings` give it in bars or in symbols."""

    domain: Domain
    settings: FillSettings
    right: Symbols
    valid: bool = True
    """Whether whole sequences must pass the domain's check."""
    find_violation: Callable[[Symbols, int], str | None] = lambda symbols, prime_length: None
    """The constraint that a whole sequence breaks, of which the first `prime_length` symbols were given."""

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
    def max_symbols(self) -> int:
        """Symbols of the gap, at most."""
        return self.bars * self.domain.gap_symbols if self.bars else self.settings.lengths[-1]

    def join(self, candidate: Sample) -> Sample | None:
        """The candidate cut to the length of the gap and followed by the right side; None where it is too
        short."""
        begun, lengths = candidate.prime_length, self.settings.lengths
        end: int | None = begun + lengths[candidate.index % len(lengths)]
        if self.bars:
            end = self.domain.gap_end(candidate.symbols, begun, self.bars, self.right)
        if end is None:
            return None
        symbols = _concatenate(candidate.symbols[:end], self.right)
        return replace(candidate, symbols=symbols, ended=not self.domain.open_ended)

    def find_rejection(self, whole: Sample) -> str | None:
        """Why a whole sequence is rejected; None where it is kept."""
        if violation := self.find_violation(whole.symbols, whole.prime_length):
            return f"does not keep {violation}"
        found = self.domain.finish(whole) if self.valid else None
        return found.reason if isinstance(found, Rejection) else None


def _concatenate(left: Symbols, right: Symbols) -> Symbols:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return (*left, *right)


def fill(model: Model, alphabet: Alphabet, request: Request, gap: Gap) -> Iterator[Sample]:
    """Yield the `request.count` best whole sequences, the best first.

    Parameters
    ----------
    model
        The model, on the device that draws.
    alphabet
        The symbols of the model.
    request
        Draws the candidates: the left side is its prime, and it has no end. The index of a sample is the
        number of its candidate.
    gap
        The gap and the right side.

    Yields
    ------
    Sample
        `ranked_by` is the mean log-probability, in nats, of the symbols of the gap and the right side, and
        of the end symbol where there is one.

    Raises
    ------
    ConfigError
        The model does not know a symbol of the right side, the request has several primes, or no candidate
        is kept.
    """
    if request.primes:
        raise ConfigError("sample.fill: there can be but one left side; give one sample.prime")
    for symbol in gap.right:
        if symbol not in alphabet:
            raise ConfigError(f"sample.fill.right: symbol {symbol!r} is not among what the model learns")
    candidates = replace(request, count=max(gap.settings.candidates, request.count))
    kept: dict[Symbols, Sample] = {}
    rejected: Counter[str] = Counter()
    for candidate in draw(model, alphabet, candidates):
        whole = gap.join(candidate)
        reason = "longer than the gap" if whole is None else gap.find_rejection(whole)
        if whole is None or reason:
            rejected[reason or ""] += 1
        else:
            kept[whole.symbols] = whole
    _report_candidates(len(kept), rejected, request.count)
    codes = (alphabet.encode(symbols) for symbols in kept)
    nats = compute_surprisals(model, codes, not gap.domain.open_ended)
    ranked = [_rank(each, found) for each, found in zip(kept.values(), nats, strict=True)]
    yield from heapq.nlargest(request.count, ranked, key=lambda each: each.ranked_by or 0.0)


def _report_candidates(kept: int, rejected: Counter[str], wanted: int) -> None:
    """Warn where fewer candidates are kept than are wanted; ConfigError where none is."""
    if kept >= wanted:
        return
    reasons = ", ".join(f"{reason} {number}" for reason, number in rejected.most_common(4)) or "all alike"
    line = f"sample.fill: {kept} different candidates fit the right side; not kept: {reasons}"
    remedy = "raise sample.fill.candidates, or change sample.prime or sample.fill.right"
    if not kept:
        raise ConfigError(f"{line}; {remedy}")
    log.warning("%s; %s for more", line, remedy)


def _rank(sample: Sample, nats: np.ndarray) -> Sample:
    total = -float(nats[sample.prime_length :].sum())
    return replace(sample, log_probability=total, ranked_by=total / (len(nats) - sample.prime_length))
