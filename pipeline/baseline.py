"""The Markov model that stands beside every network, fitted to the same corpus."""

from collections.abc import Sequence

import numpy as np

from pipeline.alphabet import BOS
from pipeline.corpus import Corpus
from pipeline.domain import Domain
from pipeline.evaluate import Tally, evaluation_lanes
from pipeline.nulls import Markov, best_markov

ORDERS = range(0, 17)
"""Tried; the interpolation makes higher ones no worse, and beyond these hardly better."""


def fit_markov(corpus: Corpus, domain: Domain, orders: Sequence[int] = ORDERS) -> Markov:
    """The best Markov model of the training split; its order is chosen on the validation split.

    Whoever needs it fits it again: that takes seconds, and its counts would take more room than the corpus.
    """
    return best_markov(
        corpus.codes, corpus.segments_of("train"), corpus.segments_of("validation"),
        len(corpus.alphabet), orders, complement=corpus.complement_codes(domain), start_code=BOS,
    )  # fmt: skip


def evaluate_markov(markov: Markov, corpus: Corpus, subset: str, most: int | None = None) -> Tally:
    """Its surprisal over a split, or over the part of it that `evaluation_lanes` reads, counted as there."""
    spans = evaluation_lanes(corpus, subset, most).segments
    nats = -markov.log_probabilities(corpus.codes, spans)
    positions = np.concatenate([np.arange(start, stop) for start, stop in spans])
    tally = Tally(corpus)
    tally.add_surprisal(nats, corpus.codes[positions], positions)
    return tally
