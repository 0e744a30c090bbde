"""The baselines of a network, fitted to the same corpus: the network is compared with the strongest one.

A further kind of baseline is a function in `FAMILIES`, such as a codon-phase Markov model for coding DNA or a
position-specific one for aligned sequences.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.evaluation.bits import MAX_VALIDATED_SYMBOLS, Tally, evaluation_streams
from pipeline.models.ngram.markov import Markov
from pipeline.models.ngram.markov_choice import MarkovChoice, SplitCodes, choose_markov

ORDERS = range(0, 17)
"""Candidate orders. Interpolation makes higher orders no worse, and orders beyond these hardly better."""


@dataclass(frozen=True)
class Baseline:
    """A simple model and its bits on two splits.

    The strongest baseline is one of the candidates; of a family with many orders, only the chosen order is a
    candidate.
    """

    name: str
    validation: Tally
    """On the symbols of a network's learning curve."""
    test: Tally
    candidate: bool = True
    order: int | None = None


def measure_baselines(corpus: Corpus, domain: Domain) -> list[Baseline]:
    """Fit and measure all baselines of all families."""
    return [each for family in FAMILIES for each in family(corpus, domain)]


def find_strongest(baselines: Sequence[Baseline]) -> Baseline:
    """The candidate with the fewest bits on the validation split: the test split decides nothing."""
    return min((each for each in baselines if each.candidate), key=lambda each: each.validation.bits)


def choose_markov_model(corpus: Corpus, domain: Domain, orders: Sequence[int] = ORDERS) -> MarkovChoice:
    """The Markov models of the training split; the order is chosen on the validation split."""
    return choose_markov(SplitCodes.from_corpus(corpus), orders, corpus.complement_codes(domain))


def fit_markov(corpus: Corpus, domain: Domain, orders: Sequence[int] = ORDERS) -> Markov:
    """The best Markov model of the training split among these orders.

    It is not kept: fitting takes seconds, and the counts need more memory than the corpus.
    """
    return choose_markov_model(corpus, domain, orders).best


def evaluate_markov(markov: Markov, corpus: Corpus, subset: str, most: int | None = None) -> Tally:
    """Its surprisal over a split, or over the excerpts that `evaluation_streams` reads."""
    spans = _spans(corpus, subset, most)
    return _tally(corpus, spans, -markov.log_probabilities(corpus.codes, spans))


def _uniform(corpus: Corpus, domain: Domain) -> Iterator[Baseline]:
    """All symbols of the domain are equally likely."""
    tallies = []
    for spans in _evaluated_spans(corpus):
        nats = np.full(int((spans[:, 1] - spans[:, 0]).sum()), np.log(len(corpus.alphabet.symbols)))
        tallies.append(_tally(corpus, spans, nats))
    yield Baseline("uniform", *tallies)


def _markov(corpus: Corpus, domain: Domain) -> Iterator[Baseline]:
    """Markov models of all candidate orders."""
    choice = choose_markov_model(corpus, domain)
    measured = [
        [_tally(corpus, spans, -scores) for scores in choice.log_probabilities(corpus.codes, spans)]
        for spans in _evaluated_spans(corpus)
    ]
    share = choice.best.share
    part = f", fitted to {share:.0%} of the data" if share < 1 else ""
    for each, validation, test in zip(choice.orders, *measured, strict=True):
        chosen = each.order == choice.best.order
        yield Baseline(f"Markov order {each.order}{part}", validation, test, chosen, each.order)


FAMILIES: tuple[Callable[[Corpus, Domain], Iterator[Baseline]], ...] = (_uniform, _markov)


def _evaluated_spans(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """The segments that are read of the validation and of the test split."""
    return _spans(corpus, "validation", MAX_VALIDATED_SYMBOLS), _spans(corpus, "test", None)


def _spans(corpus: Corpus, subset: str, most: int | None) -> np.ndarray:
    return evaluation_streams(corpus, subset, most).segments


def _tally(corpus: Corpus, spans: np.ndarray, nats: np.ndarray) -> Tally:
    positions = np.concatenate([np.arange(start, stop) for start, stop in spans])
    tally = Tally(corpus, spans)
    tally.add_surprisal(nats, corpus.codes[positions], positions)
    return tally
