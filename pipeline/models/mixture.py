"""A recurrent network mixed with evidence from context models: counts after many contexts, and copies.

The mixture is a sum of logits: those of the network, and for each source of evidence its log-likelihood
ratios times a gate. A small network computes the gates from the evidence, its confidences, the scores of the
sources for the last symbol, and the recurrent state. The evidence is that of `context_mixing`. In training,
the evidence of a piece is that of a text without the piece.

Sources: Mahoney, "Adaptive weighing of context models for lossless data compression" (2005); Silva et al.,
"GeCo3" (2020), a network that mixes context models of DNA.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.config.checks import check_choice, check_model_sizes
from pipeline.data.alphabet import SPECIALS
from pipeline.data.corpus import Corpus
from pipeline.errors import ConfigError, DataError
from pipeline.models.context_mixing.evidence_layout import (
    MAX_DENSE_LETTERS,
    SCALE,
    TOP_LETTERS,
    EvidenceLayout,
)
from pipeline.models.context_mixing.evidence_state import EvidenceState, select_rows
from pipeline.models.context_mixing.training_evidence import StoredEvidence
from pipeline.models.context_mixing.training_index import TrainingIndex, encode_letters
from pipeline.models.model import Model
from pipeline.models.recurrent import Recurrent
from pipeline.models.state import State, is_tracing

INITIAL_GATE = 0.1
MAX_LETTERS = 255
ORDERS = (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24)


@dataclass(frozen=True)
class Mixture:
    """The sizes of the network, and the contexts that are looked up."""

    cell: str = "lstm"
    """lstm or gru."""
    hidden_size: int = 64
    """Units of a layer."""
    num_layers: int = 2
    """Recurrent layers."""
    dropout: float = 0.0
    """Dropout between layers and before the read-out."""
    orders: list[int] = field(default_factory=lambda: list(ORDERS))
    """Lengths of the contexts that are counted, where the alphabet has at most 8 symbols."""
    copy_after: int = 12
    """Symbols that must match before an expert copies from the training text."""
    repeat_after: int = 12
    """Symbols that must match before an expert copies from the sequence itself."""
    gate_size: int = 64
    """Units of the network that computes the gates."""

    def __post_init__(self) -> None:
        check_choice("model.cell", self.cell, ("lstm", "gru"))
        check_model_sizes(self, "hidden_size", "num_layers", "gate_size")
        for order in [*self.orders, self.copy_after, self.repeat_after]:
            if not 1 <= order <= 32:
                raise ConfigError(f"model.orders, copy_after, repeat_after: {order} is not between 1 and 32")

    def __str__(self) -> str:
        return f"mixture of {self.cell} {self.num_layers}x{self.hidden_size} and look-ups"

    def build(self, vocab_size: int) -> "MixtureModel":
        """A freshly initialised model over `vocab_size` codes, without a text."""
        return MixtureModel(self, vocab_size)


class MixtureState:
    """The evidence state of a batch, part of the model's state; a call that receives one uses it up."""

    def __init__(self, evidence: EvidenceState) -> None:
        self.evidence = evidence

    def select(self, rows: Tensor) -> "MixtureState":
        """The state of these rows ``(n,)`` of a batch."""
        return MixtureState(select_rows(self.evidence, rows.cpu().numpy()))


class MixtureModel(Model):
    """``(symbols, state) -> (logits, state)``; in training also with the evidence of `prepare`.

    The training text is a buffer, and so part of every checkpoint.
    """

    decode_step = "mixture"
    text: Tensor
    complement: Tensor

    def __init__(self, settings: Mixture, vocab_size: int) -> None:
        super().__init__()
        letters = vocab_size - len(SPECIALS)
        if letters > MAX_LETTERS:
            raise ConfigError(
                f"model: this one indexes texts of at most {MAX_LETTERS} symbols, and the data have "
                f"{letters}; choose another model"
            )
        orders = tuple(settings.orders) if letters <= MAX_DENSE_LETTERS else ()
        self.layout = EvidenceLayout(letters, orders, (settings.copy_after, settings.repeat_after))
        self.copy_weight = 1.0
        size, values = settings.hidden_size, self.layout.values
        network = Recurrent(settings.cell, size, settings.num_layers, settings.dropout).build(vocab_size)
        self.network = network
        self.evidence_in = nn.Linear(values, size)
        if not self.layout.dense:
            self.letter_in = nn.EmbeddingBag(2 * letters + 1, size, mode="sum")
        first, last = (
            nn.Linear(values + size, settings.gate_size),
            nn.Linear(settings.gate_size, self.layout.channels),
        )
        self.gate = nn.Sequential(first, nn.Tanh(), last)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.constant_(last.bias, INITIAL_GATE)
        self.register_buffer("text", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("complement", torch.zeros(0, dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_resize_buffers)
        self._index: TrainingIndex | None = None

    def prepare(self, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> StoredEvidence:
        """Index the training split, and compute its evidence for training."""
        stored = StoredEvidence.compute(self.layout, corpus, complement, folder)
        self._use(stored.index)
        return stored

    def _use(self, index: TrainingIndex) -> None:
        self._index, self.text = index, torch.from_numpy(index.text)
        if index.complement is not None:
            self.complement = torch.from_numpy(index.complement)

    def add_text(self, codes: np.ndarray) -> None:
        """Add a sequence to the indexed text."""
        self._use(self.training_index.with_piece(encode_letters(codes)))

    def set_copy_weight(self, weight: float) -> None:
        """Scale the evidence of long contexts and copies of the training text: 1 as learned, 0 none."""
        self.copy_weight = weight

    @property
    def training_index(self) -> TrainingIndex:
        """The index of the text, built when it is first needed."""
        if self._index is None:
            complement = self.complement.cpu().numpy() if len(self.complement) else None
            self._index = TrainingIndex(self.layout, self.text.cpu().numpy(), complement)
        return self._index

    def forward(
        self, symbols: Tensor, state: State = None, evidence: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, State]:
        before, reader = state if isinstance(state, tuple) else (None, None)
        embedded = self.network.embedding(symbols)  # first, because it refuses codes outside the vocabulary
        if evidence is None:
            evidence, reader = self._find_evidence(symbols, reader)
        values = evidence[0].to(symbols.device, self.evidence_in.weight.dtype) / SCALE
        letters = evidence[1].to(symbols.device)
        inputs = embedded + self.evidence_in(values)
        if not self.layout.dense:
            inputs = inputs + self._embed_letters(values, letters)
        hidden, after = self.network.hidden(inputs, before)
        gates = self.gate(torch.cat([values, hidden], -1))
        logits = self.network.readout(self.network.dropout(hidden))
        state = after if is_tracing() else (after, reader)
        return self._mix(logits, gates, values, letters), state

    def _mix(self, logits: Tensor, gates: Tensor, values: Tensor, letters: Tensor) -> Tensor:
        layout, specials = self.layout, len(SPECIALS)
        ratios = values[..., : layout.channels * layout.width]
        weighted = gates.unsqueeze(-1) * ratios.unflatten(-1, (layout.channels, layout.width))
        if layout.dense:
            none = weighted.new_zeros(*weighted.shape[:2], specials)
            return logits + torch.cat([none, weighted.sum(-2)], -1)
        # A letter of 0 has a ratio of 0, so it may be added to any code.
        codes = (letters.long() + specials - 1).flatten(-2)
        return logits.scatter_add(-1, codes, weighted.flatten(-2))

    def _embed_letters(self, values: Tensor, letters: Tensor) -> Tensor:
        """The letters of copies, as a weighted sum of embeddings, which differ by channel."""
        shape = letters.shape[:2]
        offset = torch.tensor([0, self.layout.letters], device=letters.device).view(1, 1, 2, 1)
        rows = torch.where(letters > 0, letters.long() + offset, 0).flatten(2).flatten(0, 1)
        weights = values[..., : 2 * TOP_LETTERS].flatten(0, 1)
        return self.letter_in(rows, per_sample_weights=weights).unflatten(0, shape)

    def _find_evidence(
        self, symbols: Tensor, state: State
    ) -> tuple[tuple[Tensor, Tensor], MixtureState | None]:
        rows, time = symbols.shape
        if not len(self.text):
            values = torch.zeros(rows, time, self.layout.values, dtype=torch.int8)
            return (values, torch.zeros(rows, time, 2, self.layout.width, dtype=torch.uint8)), None
        evidence = state.evidence if isinstance(state, MixtureState) else self.training_index.new_state(rows)
        letters = encode_letters(symbols.cpu().numpy())
        evidence, values, names = self.training_index.read(evidence, letters, self.copy_weight)
        return (torch.from_numpy(values), torch.from_numpy(names)), MixtureState(evidence)


def _resize_buffers(model: MixtureModel, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Give the buffers the length of those in a checkpoint.

    Raises DataError where they cannot be indexed: compiled code would read beyond its tables.
    """
    text, complement = (state_dict.get(prefix + name) for name in ("text", "complement"))
    if text is None or complement is None:
        return  # load_state_dict reports it
    letters = model.layout.letters
    for name, held, allowed in (("text", text, None), ("complement", complement, (0, letters + 1))):
        if held.dtype != torch.uint8 or held.ndim != 1 or (allowed and len(held) not in allowed):
            raise DataError(f"{name} of shape {tuple(held.shape)} and type {held.dtype} is none; train again")
        if len(held) and int(held.max()) > letters:
            raise DataError(f"{name} has letter {int(held.max())}, of {letters}; train again")
    mirrored = complement.long()
    if not torch.equal(mirrored[mirrored], torch.arange(len(mirrored), device=mirrored.device)):
        raise DataError("complement does not map back to each letter; train again")
    model.text, model.complement = torch.empty_like(text), torch.empty_like(complement)
    model._index = None
