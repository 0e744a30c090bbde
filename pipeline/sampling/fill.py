"""Fills a span between two given sides, with any model that reads from left to right.

Candidates continue the left side; those stay after which the model finds the right side likeliest.
"""

import heapq
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from torch import nn

from pipeline.alphabet import Alphabet
from pipeline.domain import Sample, Symbols
from pipeline.errors import ConfigError
from pipeline.sampling.engine import Request, draw
from pipeline.sampling.scoring import surprisals
from pipeline.sampling.settings import FillSettings


def fill(
    model: nn.Module, alphabet: Alphabet, request: Request, settings: FillSettings, right: Symbols,
    with_end: bool,
) -> Iterator[Sample]:  # fmt: skip
    """The `request.count` whole sequences whose right side is likeliest, the best first; `ranked_by` is its
    log-probability, the end's included where there is one. The request is for what stands before it, as long
    as can be, without an end. A candidate's number is its sample's index.

    Raises ConfigError where the right side has a symbol that the model does not know, or `request.primes`
    are several.
    """
    if request.primes:
        raise ConfigError("sample.fill: there can be but one left side; give one sample.prime")
    for symbol in right:
        if symbol not in alphabet:
            raise ConfigError(f"sample.fill.right: symbol {symbol!r} is not among what the model learns")
    begun = len(request.prime)
    candidates = replace(request, count=max(settings.candidates, request.count))
    # Of each candidate as much is taken as its length says.
    lengths = range(settings.shortest, settings.longest + 1)
    drawn = [
        replace(each, symbols=each.symbols[: begun + lengths[each.index % len(lengths)]] + right)
        for each in draw(model, alphabet, candidates)
    ]
    different = list({each.symbols: each for each in drawn}.values())
    codes = (alphabet.encode(each.symbols) for each in different)
    scored = []
    for each, nats in zip(different, surprisals(model, codes, with_end), strict=True):
        scored.append(_scored(each, nats, len(right) + with_end, with_end))
    yield from heapq.nlargest(request.count, scored, key=lambda each: each.ranked_by)


def _scored(sample: Sample, nats: np.ndarray, right: int, ended: bool) -> Sample:
    return replace(
        sample, ended=ended, log_probability=-float(nats[sample.prime_length :].sum()),
        ranked_by=-float(nats[len(nats) - right :].sum()),
    )  # fmt: skip
