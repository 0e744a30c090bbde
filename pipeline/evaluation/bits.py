"""Bits per symbol of a model on a whole split, also apart by mark and by block or record."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.data.alphabet import SPECIALS
from pipeline.data.batching import PADDING, ContiguousStreams, Window, excerpt_segments
from pipeline.data.corpus import Corpus
from pipeline.generation.surprisal import token_surprisals

EVALUATION_STREAMS = 256
EVALUATION_TIME = 256
MAX_VALIDATED_SYMBOLS = 2**19
"""Symbols of the validation split that are read in each round of a training; of a larger split,
excerpts that are spread evenly."""


@dataclass
class Tally:
    """Sums of surprisal over the domain's own symbols; end symbols are context and not counted.

    `block_nats` and `block_counts` are ``(blocks, marks)``. There is one row for each of `segments`
    ``(n, 2)``, which do not overlap, or one row without segments; there is one column without marks.
    """

    corpus: Corpus
    segments: np.ndarray | None = None
    block_nats: np.ndarray = field(init=False)
    block_counts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set all sums to zero."""
        shape = 1 if self.segments is None else len(self.segments), max(1, len(self.corpus.mark_names))
        self.block_nats, self.block_counts = np.zeros(shape), np.zeros(shape, np.int64)

    @property
    def nats(self) -> np.ndarray:
        """Nats of each mark, ``(marks,)``."""
        return self.block_nats.sum(0)

    @property
    def counts(self) -> np.ndarray:
        """Symbols of each mark, ``(marks,)``."""
        return self.block_counts.sum(0)

    def add(self, logits: Tensor, window: Window, targets: Tensor) -> None:
        """Count one window; logits ``(batch, time, vocab_size)``, targets ``(batch, time)``."""
        nats = token_surprisals(logits.float(), targets, PADDING).flatten().detach().cpu().numpy()
        self.add_surprisal(nats, np.asarray(window.targets).ravel(), window.positions.ravel())

    def add_surprisal(self, nats: np.ndarray, codes: np.ndarray, positions: np.ndarray) -> None:
        """Count the surprisals of codes at these positions of the corpus; all are ``(n,)``."""
        counted = codes >= len(SPECIALS)
        kinds = np.zeros(int(counted.sum()), np.int64)
        if self.corpus.marks is not None:
            kinds = self.corpus.marks[positions[counted]]
        marks = self.block_nats.shape[1]
        cells = self._blocks(positions[counted]) * marks + kinds
        for sums, weights in ((self.block_nats, nats[counted]), (self.block_counts, None)):
            sums += np.bincount(cells, weights, sums.size).reshape(sums.shape).astype(sums.dtype)

    def _blocks(self, positions: np.ndarray) -> np.ndarray:
        """The segment that each position lies in."""
        if self.segments is None:
            return np.zeros(len(positions), np.int64)
        order = np.argsort(self.segments[:, 0], kind="stable")
        return order[np.searchsorted(self.segments[order, 0], positions, side="right") - 1]

    @property
    def total_bits(self) -> float:
        """The bits of all symbols."""
        return float(self.nats.sum() / np.log(2))

    @property
    def bits(self) -> float:
        """Mean bits per symbol."""
        return self.total_bits / max(1, int(self.counts.sum()))

    @property
    def bits_by_mark(self) -> dict[str, float]:
        """Mean bits per symbol for each mark that occurs."""
        return {
            name: float(nats / count / np.log(2))
            for name, nats, count in zip(self.corpus.mark_names, self.nats, self.counts, strict=False)
            if count
        }


def evaluation_streams(corpus: Corpus, subset: str, most: int | None = None) -> ContiguousStreams:
    """The windows of a split, in which every symbol has all its context.

    Of a split of more than `most` symbols, excerpts that are spread evenly over it.
    """
    segments = corpus.subset_segments(subset)
    if most is not None:
        segments = excerpt_segments(segments, most)
    return ContiguousStreams(corpus.codes, segments, EVALUATION_STREAMS, EVALUATION_TIME)


@torch.inference_mode()
def evaluate(model: nn.Module, corpus: Corpus, subset: str, device: str | torch.device = "cpu") -> Tally:
    """Bits of a model on a split of the corpus; the state is carried through every segment."""
    streams, tally, state = (
        evaluation_streams(corpus, subset),
        Tally(corpus, corpus.subset_segments(subset)),
        None,
    )
    model = model.to(device).eval()
    for window in streams.windows(streams.buckets(None)):
        targets = torch.from_numpy(window.targets).to(device)
        state = None if window.fresh else state
        logits, state = model(torch.from_numpy(window.inputs).to(device), state)
        tally.add(logits, window, targets)
    return tally
