"""Beam search: the most likely sequences, found by continuing a few hypotheses at a time.

Sources: Lowerre, "The Harpy speech recognition system" (1976). Dividing by a power of the length makes
sequences of different lengths comparable: Wu et al., "Google's neural machine translation system" (2016).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS, EOS, Alphabet
from pipeline.generation.constrained.logits_processor import BatchProcessor
from pipeline.generation.engine import draw_leads
from pipeline.generation.request import EncodedRequest, Request, encode_primes
from pipeline.models.model import Model
from pipeline.models.state import BatchAxes, resolve_device
from pipeline.records import Sample


@dataclass(frozen=True)
class _Hypothesis:
    codes: tuple[int, ...]
    nats: float
    ended: bool
    rank: float


@torch.inference_mode()
def search(
    model: Model, alphabet: Alphabet, request: Request, width: int, length_penalty: float
) -> Iterator[Sample]:
    """Yield the `request.count` best sequences after each prime, the best first.

    Constraints forbid symbols and change no log-probability. Without a prime, the search starts after one
    lead-in (`Request.lead`).

    Parameters
    ----------
    model
        The model, on the device that computes.
    alphabet
        The symbols of the model.
    request
        What to search.
    width
        Hypotheses that are kept; `request.count` if that is more.
    length_penalty
        Sequences are ranked by their log-probability over the number of drawn symbols to this power.

    Yields
    ------
    Sample
        `ranked_by` is the rank.

    Raises
    ------
    ConfigError
        No sequence keeps the constraints.
    """
    leads = draw_leads(model, alphabet, replace(request, count=1))
    encoded = EncodedRequest(request, alphabet, encode_primes(request, alphabet), leads)
    beam = _BeamSearch(model, BatchAxes(model), encoded, max(width, request.count), length_penalty)
    for which, prime in enumerate(encoded.primes):
        first = which * request.count
        for place, best in enumerate(beam.search(prime, first)[: request.count]):
            symbols = alphabet.decode([*prime, *best.codes])
            yield Sample(
                first + place, request.seed, symbols, len(prime), best.ended, best.nats, ranked_by=best.rank
            )


@dataclass(frozen=True)
class _BeamSearch:
    model: Model
    axes: BatchAxes
    encoded: EncodedRequest
    width: int
    length_penalty: float

    def search(self, prime: np.ndarray, index: int) -> list[_Hypothesis]:
        """The best sequences after a prime, the best first."""
        request, device = self.encoded.request, resolve_device(self.model)
        processor = None
        if request.processor is not None:
            processor = request.processor.start_batch([prime], range(index, index + 1))
        inputs = torch.from_numpy(np.concatenate([[BOS], self.encoded.leads[0], prime]))[None]
        nats, codes = torch.zeros(1, dtype=torch.float64), torch.zeros(1, 0, dtype=torch.int64)
        ended: list[_Hypothesis] = []
        state = None
        for drawn in range(1, request.length - len(prime) + 1):
            logits, state = self.model(inputs.to(device), state)
            totals = nats[:, None] + self._log_probabilities(logits[:, -1].cpu().double(), processor)
            if not request.open_ended:
                ended += _end(codes, totals[:, EOS], drawn**self.length_penalty)
                totals[:, EOS] = -torch.inf
            nats, rows, latest = _continue_best(totals, self.width)
            if processor is not None:
                processor.reorder(rows)
                processor.advance(latest, torch.ones(len(rows), dtype=torch.bool))
            codes, state = torch.cat([codes[rows], latest[:, None]], 1), self.axes.select(state, rows)
            inputs = latest[:, None]
            ended = sorted(ended, key=lambda each: -each.rank)[: self.width]
            if not len(rows):
                break
            # Without the power no continuation is likelier than its beginning.
            full = self.length_penalty == 0 and len(ended) == self.width
            if full and ended[-1].nats >= float(nats.max()):
                return ended
        return self._rank_all(ended, codes, nats)

    def _log_probabilities(self, logits: Tensor, processor: BatchProcessor | None) -> Tensor:
        """Of each code after each hypothesis; minus infinity where it may not follow."""
        found = logits.log_softmax(-1)
        found[:, list(self.encoded.request.sampling_params().forbidden)] = -torch.inf
        if processor is None:
            return found
        processed = processor.process(found, torch.ones(len(found), dtype=torch.bool))
        return found.masked_fill(processed == -torch.inf, -torch.inf)

    def _rank_all(self, ended: list[_Hypothesis], codes: Tensor, nats: Tensor) -> list[_Hypothesis]:
        """Ended hypotheses; where there are none, or sequences have no end, those of the maximal length."""
        if ended and not self.encoded.request.open_ended:
            return ended
        divisor = codes.shape[1] ** self.length_penalty
        pairs = zip(codes.tolist(), nats.tolist(), strict=True)
        unfinished = [_Hypothesis(tuple(each), total, False, total / divisor) for each, total in pairs]
        return sorted([*ended, *unfinished], key=lambda each: -each.rank)


def _end(codes: Tensor, nats: Tensor, divisor: float) -> list[_Hypothesis]:
    """The hypotheses that may end here."""
    pairs = zip(codes.tolist(), nats.tolist(), strict=True)
    possible = (pair for pair in pairs if pair[1] > -np.inf)
    return [_Hypothesis(tuple(before), total, True, total / divisor) for before, total in possible]


def _continue_best(totals: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations: their log-probabilities, the rows that they continue, and their codes."""
    possible = int(totals.isfinite().sum())
    best, places = totals.flatten().topk(min(width, possible))
    return best, places // totals.shape[1], places % totals.shape[1]
