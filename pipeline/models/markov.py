"""The interpolated Markov model of `ngram/markov.py` as a `Model`, fitted by counting.

Its checkpoint has the training text and the escape weights, as plain tensors; the counts are computed when
they are first needed. So a checkpoint is as large as the text, at most `markov_choice.MAX_COUNTED` symbols.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import BOS
from pipeline.data.corpus import Corpus
from pipeline.errors import ConfigError, DataError
from pipeline.models.model import Model
from pipeline.models.ngram.context_tables import ContextTables, read, start
from pipeline.models.ngram.markov import Markov
from pipeline.models.ngram.markov_choice import SplitCodes, choose_markov, select_counted

MAX_ORDER = 24
DEFAULT_WEIGHT = 16.0
"""Escape weight of a model that has not been fitted."""


@dataclass(frozen=True)
class MarkovChain:
    """An interpolated Markov model of an order, or of the best order."""

    order: int | None = None
    """Symbols that the next one depends on; None chooses the best on the validation split."""
    max_order: int = 16
    """The highest order that is tried where `order` is None."""
    hidden_size: int = 0
    """Not used: data sets set the sizes of networks for every model."""
    num_layers: int = 0
    """Not used."""
    dropout: float = 0.0
    """Not used."""

    def __post_init__(self) -> None:
        for name, value in (("order", self.order), ("max_order", self.max_order)):
            if value is not None and not 0 <= value <= MAX_ORDER:
                raise ConfigError(f"model.{name}={value} is not between 0 and {MAX_ORDER}")

    def __str__(self) -> str:
        return f"markov of order {self.order}" if self.order is not None else "markov"

    def build(self, vocab_size: int) -> "MarkovModel":
        """A model over `vocab_size` codes without counts: all symbols are equally likely."""
        return MarkovModel(self, vocab_size)


class MarkovModel(Model):
    """``(symbols, state) -> (logits, state)``; it has no parameters, and is ready once `prepare` was called.

    The state is ``(batch, orders)`` int64: the context id of each order, -1 where it never occurred.
    """

    decode_step = "markov"

    def __init__(self, settings: MarkovChain, vocab_size: int) -> None:
        super().__init__()
        self.settings, self.vocab_size = settings, vocab_size
        orders = 1 + (settings.max_order if settings.order is None else settings.order)
        self.register_buffer("text", torch.zeros(0, dtype=self._text_type))
        self.register_buffer("complement", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("escape_weights", torch.full((orders,), DEFAULT_WEIGHT))
        self.register_load_state_dict_pre_hook(_resize_buffers)
        self._tables: tuple[Tensor, ContextTables] | None = None

    @property
    def _text_type(self) -> torch.dtype:
        return torch.uint8 if self.vocab_size <= 2**8 else torch.int32

    def prepare(self, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> None:
        """Count the training split, and fit the escape weights on the validation split."""
        settings, train = self.settings, corpus.subset_segments("train")
        orders = range(settings.max_order + 1) if settings.order is None else (settings.order,)
        best = choose_markov(SplitCodes.from_corpus(corpus), orders, complement).best
        parts = [corpus.codes[a:b] for a, b in select_counted(train, best.both_strands)]
        begin = np.array([BOS], corpus.codes.dtype)
        text = np.concatenate([piece for part in parts for piece in (begin, part)])
        self.text = torch.from_numpy(text.astype(np.int32)).to(self._text_type)
        self.escape_weights = torch.tensor(best.escape_weights)
        if best.both_strands:
            self.complement = torch.from_numpy(np.asarray(complement, np.int64))

    @property
    def tables(self) -> ContextTables:
        """The counts, computed when they are first needed."""
        if self._tables is None or self._tables[0] is not self.text:
            self._tables = self.text, ContextTables.from_model(self._count(), self.vocab_size)
        return self._tables[1]

    def _count(self) -> Markov | None:
        text, weights = self.text.cpu().numpy(), self.escape_weights.tolist()
        if not (text != BOS).any():
            return None
        strands = self.complement.cpu().numpy() if len(self.complement) else None
        return Markov.fit(text, [(0, len(text))], self.vocab_size, weights, strands, BOS)

    def forward(self, symbols: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        tables = self.tables
        codes = symbols.cpu().numpy()
        contexts = start(tables, len(codes)) if state is None else state.cpu().numpy().copy()
        logits = np.empty((*codes.shape, self.vocab_size))
        read(tables, contexts, codes, logits)
        found = torch.from_numpy(logits).to(symbols.device, self.escape_weights.dtype)
        return found, torch.from_numpy(contexts).to(symbols.device)


def _resize_buffers(model: MarkovModel, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Give the buffers the length of those in a checkpoint. Raises DataError where they cannot be counted."""
    names = "text", "complement", "escape_weights"
    text, complement, weights = (state_dict.get(prefix + name) for name in names)
    if text is None or complement is None or weights is None:
        return  # load_state_dict reports it
    kinds = text.dtype == model._text_type, complement.dtype == torch.int64, weights.is_floating_point()
    if not all(kinds) or any(tensor.ndim != 1 for tensor in (text, complement, weights)):
        raise DataError("text, complement or escape_weights have another shape or type; train again")
    size = model.vocab_size
    codes = [int(each) for part in (text, complement) if len(part) for each in (part.min(), part.max())]
    if any(not 0 <= code < size for code in codes) or len(complement) not in (0, size):
        raise DataError(f"text or complement has codes outside the alphabet of {size}; train again")
    if not 1 <= len(weights) <= MAX_ORDER + 1 or not bool(((weights > 0) & (weights < 1e6)).all()):
        raise DataError("escape_weights are none; train again")
    model.text, model.complement = torch.empty_like(text), torch.empty_like(complement)
    model.escape_weights = torch.empty(len(weights))
