"""The baselines of every network, fitted to the same corpus; the network is compared with the strongest.

A further kind of baseline is a function in `FAMILIES`: a codon-phase Markov model for coding DNA, say, or a
position-specific one for aligned sequences.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, Tally, evaluation_lanes
from pipeline.models.ngram.markov import Markov
from pipeline.models.ngram.markov_choice import MarkovChoice, SplitCodes, choose_markov

ORDERS = range(0, 17)
"""Tried; the interpolation makes higher ones no worse, and beyond these hardly better."""


@dataclass(frozen=True)
class Baseline:
    """A simple model and its bits on two splits. The strongest is found among the `candidates`: of a family
    that was tried with many orders, only the chosen one is."""

    name: str
    validation: Tally
    """On the symbols that the learning curves of a network show."""
    test: Tally
    candidate: bool = True
    order: int | None = None


def measure_baselines(corpus: Corpus, domain: Domain) -> list[Baseline]:
    """All baselines of all families."""
    return [each for family in FAMILIES for each in family(corpus, domain)]


def strongest(baselines: Sequence[Baseline]) -> Baseline:
    """The candidate with the fewest bits on the validation split: the test split decides nothing."""
    return min((each for each in baselines if each.candidate), key=lambda each: each.validation.bits)


def choose_for(corpus: Corpus, domain: Domain, orders: Sequence[int] = ORDERS) -> MarkovChoice:
    """The Markov models of the training split; the order is chosen on the validation split."""
    return choose_markov(SplitCodes.from_corpus(corpus), orders, corpus.complement_codes(domain))


def fit_markov(corpus: Corpus, domain: Domain, orders: Sequence[int] = ORDERS) -> Markov:
    """The best Markov model of the training split among these orders.

    Whoever needs it fits it again: that takes seconds, and its counts would take more room than the corpus.
    """
    return choose_for(corpus, domain, orders).best


def evaluate_markov(markov: Markov, corpus: Corpus, subset: str, most: int | None = None) -> Tally:
    """Its surprisal over a split, or over the part of it that `evaluation_lanes` reads, counted as there."""
    spans = _spans(corpus, subset, most)
    return _tally(corpus, spans, -markov.log_probabilities(corpus.codes, spans))


def _uniform(corpus: Corpus, domain: Domain) -> Iterator[Baseline]:
    """All symbols of the domain are equally likely."""
    tallies = []
    for spans in _both(corpus):
        nats = np.full(int((spans[:, 1] - spans[:, 0]).sum()), np.log(len(corpus.alphabet.symbols)))
        tallies.append(_tally(corpus, spans, nats))
    yield Baseline("uniform", *tallies)


def _markov(corpus: Corpus, domain: Domain) -> Iterator[Baseline]:
    """Markov models of all orders tried."""
    choice = choose_for(corpus, domain)
    measured = [
        [_tally(corpus, spans, -scores) for scores in choice.log_probabilities(corpus.codes, spans)]
        for spans in _both(corpus)
    ]
    share = choice.best.share
    part = f", fitted to {share:.0%} of the data" if share < 1 else ""
    for each, validation, test in zip(choice.orders, *measured, strict=True):
        chosen = each.order == choice.best.order
        yield Baseline(f"Markov order {each.order}{part}", validation, test, chosen, each.order)


FAMILIES: tuple[Callable[[Corpus, Domain], Iterator[Baseline]], ...] = (_uniform, _markov)


def _both(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """What is read of the validation and of the test split."""
    return _spans(corpus, "validation", MAX_VALIDATED_SYMBOLS), _spans(corpus, "test", None)


def _spans(corpus: Corpus, subset: str, most: int | None) -> np.ndarray:
    return evaluation_lanes(corpus, subset, most).segments


def _tally(corpus: Corpus, spans: np.ndarray, nats: np.ndarray) -> Tally:
    positions = np.concatenate([np.arange(start, stop) for start, stop in spans])
    tally = Tally(corpus, spans)
    tally.add_surprisal(nats, corpus.codes[positions], positions)
    return tally
