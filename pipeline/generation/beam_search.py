"""Beam search: the likeliest sequences that a few beginnings at a time lead to.

Source: Lowerre, "The Harpy speech recognition system" (1976); lengths are made comparable by dividing by a
power of them, as in Wu et al., "Google's neural machine translation system" (2016).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS, Alphabet
from pipeline.generation.constrained.logits_processor import Steering
from pipeline.generation.engine import Request, draw_leads
from pipeline.models.model import Model
from pipeline.models.state import BatchAxes, resolve_device
from pipeline.records import Sample


@dataclass(frozen=True)
class _Found:
    codes: tuple[int, ...]
    nats: float
    ended: bool
    rank: float


@torch.inference_mode()
def search(
    model: Model, alphabet: Alphabet, request: Request, width: int, length_penalty: float
) -> Iterator[Sample]:
    """The `request.count` best sequences after each prime, the best first; as many beginnings are kept, or
    `width`, whichever is more.

    They are ranked by log-probability over the number of symbols drawn to the power of `length_penalty`.
    Without a prime, the search starts after one lead-in (`Request.lead`). Constraints forbid, and change no
    log-probability. Raises ConfigError where they cannot be kept.
    """
    axes, width = BatchAxes(model), max(width, request.count)
    lead = draw_leads(model, alphabet, replace(request, count=1))[0]
    for which, prime in enumerate(request.primes or (request.prime,)):
        start = alphabet.encode(prime, where="sample.prime").astype(np.int64)
        first = which * request.count
        steering = request.controls.begin([start], range(first, first + 1)) if request.controls else None
        found = _best(model, axes, request, start, lead, width, length_penalty, steering)
        for place, each in enumerate(found[: request.count]):
            symbols = alphabet.decode([*start, *each.codes])
            yield Sample(
                first + place, request.seed, symbols, len(start), each.ended, each.nats, ranked_by=each.rank
            )


def _best(
    model: Model, axes: BatchAxes, request: Request, start: np.ndarray, lead: np.ndarray, width: int,
    power: float, steering: Steering | None,
) -> list[_Found]:  # fmt: skip
    where = resolve_device(model)
    never = list(request.decoder().forbidden)
    inputs = torch.from_numpy(np.concatenate([[BOS], lead, start]))[None]
    nats, codes, state = torch.zeros(1, dtype=torch.float64), torch.zeros(1, 0, dtype=torch.int64), None
    found: list[_Found] = []
    for drawn in range(1, request.length - len(start) + 1):
        logits, state = model(inputs.to(where), state)
        steps = logits[:, -1].cpu().double().log_softmax(-1)
        steps[:, never] = -torch.inf
        if steering is not None:
            allowed = steering.adjust(steps, torch.ones(len(steps), dtype=torch.bool))
            steps = steps.masked_fill(allowed == -torch.inf, -torch.inf)
        totals = nats[:, None] + steps
        if not request.open_ended:
            found += _ended(codes, totals[:, EOS], drawn**power)
            totals[:, EOS] = -torch.inf
        nats, rows, latest = _widest(totals, width)
        if steering is not None:
            steering.select(rows)
            steering.advance(latest, torch.ones(len(rows), dtype=torch.bool))
        codes, state = torch.cat([codes[rows], latest[:, None]], 1), axes.select(state, rows)
        inputs = latest[:, None]
        found = sorted(found, key=lambda each: -each.rank)[:width]
        if not len(rows):
            break
        # Without the power no continuation is likelier than what it continues.
        if power == 0 and len(found) == width and found[-1].nats >= float(nats.max()):
            return found
    divisor = codes.shape[1] ** power
    rest = [
        _Found(tuple(c), n, False, n / divisor) for c, n in zip(codes.tolist(), nats.tolist(), strict=True)
    ]
    whole = rest if request.open_ended or not found else []
    return sorted([*found, *whole], key=lambda each: -each.rank)


def _ended(codes: Tensor, nats: Tensor, divisor: float) -> list[_Found]:
    pairs = zip(codes.tolist(), nats.tolist(), strict=True)
    ended = (pair for pair in pairs if pair[1] > -np.inf)
    return [_Found(tuple(before), total, True, total / divisor) for before, total in ended]


def _widest(totals: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations: their log-probabilities, the rows that they continue, and with which code."""
    possible = int(totals.isfinite().sum())
    best, places = totals.flatten().topk(min(width, possible))
    return best, places // totals.shape[1], places % totals.shape[1]
