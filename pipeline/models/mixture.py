"""A recurrent network mixed with what can be looked up: counts after contexts of many orders, and copies.

Network and sources meet in the exponent: logits = network + sum of gate × evidence, the gates from a small
network that sees the evidence, its confidences, how right each source was about the last symbol, and the
recurrent state. Sources: Mahoney, "Adaptive weighing of context models for lossless data compression" (2005);
Silva et al., "GeCo3" (2020), a network that mixes context models of DNA. What can be found is
`context_mixing`. Training sees the evidence of a piece as if the piece were not in the training text.
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
from pipeline.models.context_mixing.evidence import Reading, chosen_rows
from pipeline.models.context_mixing.evidence_layout import DENSE, LIKELIEST, SCALE, Layout
from pipeline.models.context_mixing.training_evidence import Study
from pipeline.models.context_mixing.training_index import Library, letters_of
from pipeline.models.model import Model
from pipeline.models.recurrent import Recurrent
from pipeline.models.state import State

FIRST_GATE = 0.1
MAX_LETTERS = 255
ORDERS = (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24)


@dataclass(frozen=True)
class Mixture:
    """The network's sizes, and what is looked up."""

    cell: str = "lstm"
    """lstm or gru."""
    hidden_size: int = 64
    """Units of a layer."""
    num_layers: int = 2
    """Recurrent layers."""
    dropout: float = 0.0
    """Share of units silenced while training, between layers and before the read-out."""
    orders: list[int] = field(default_factory=lambda: list(ORDERS))
    """Lengths of the contexts that are counted, where the alphabet has at most 8 symbols."""
    copy_after: int = 12
    """Symbols that must agree before a place of the training text is followed."""
    repeat_after: int = 12
    """The same of a place of the sequence itself."""
    gate_size: int = 64
    """Units of the network that weighs the sources."""

    def __post_init__(self) -> None:
        check_choice("model.cell", self.cell, ("lstm", "gru"))
        check_model_sizes(self, "hidden_size", "num_layers", "gate_size")
        for order in [*self.orders, self.copy_after, self.repeat_after]:
            if not 1 <= order <= 32:
                raise ConfigError(f"model.orders, copy_after, repeat_after: {order} is not between 1 and 32")

    def __str__(self) -> str:
        return f"mixture of {self.cell} {self.num_layers}x{self.hidden_size} and look-ups"

    def build(self, vocab_size: int) -> "MixtureModel":
        """A freshly initialised model over `vocab_size` codes, which has nothing yet to look things up in."""
        return MixtureModel(self, vocab_size)


class Place:
    """Where a reading stands, carried in a model's state; a call that is given one uses it up."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def select(self, rows: Tensor) -> "Place":
        """The place of these rows of a batch."""
        return Place(chosen_rows(self.reading, rows.cpu().numpy()))


class MixtureModel(Model):
    """``(symbols, state) -> (logits, state)``; in training also with the evidence of a study.

    The text that it looks things up in is a buffer, part of every checkpoint.
    """

    decode_step = "mixture"

    def __init__(self, settings: Mixture, vocab_size: int) -> None:
        super().__init__()
        letters = vocab_size - len(SPECIALS)
        if letters > MAX_LETTERS:
            raise ConfigError(
                f"model: this one looks things up among at most {MAX_LETTERS} symbols, and the data have "
                f"{letters}; choose another model"
            )
        orders = tuple(settings.orders) if letters <= DENSE else ()
        self.layout = Layout(letters, orders, (settings.copy_after, settings.repeat_after))
        self.leaning = 1.0
        size, seen = settings.hidden_size, self.layout.values
        network = Recurrent(settings.cell, size, settings.num_layers, settings.dropout).build(vocab_size)
        self.network = network
        self.evidence_in = nn.Linear(seen, size)
        if not self.layout.dense:
            self.letter_in = nn.EmbeddingBag(2 * letters + 1, size, mode="sum")
        self.gate = nn.Sequential(
            nn.Linear(seen + size, settings.gate_size), nn.Tanh(),
            nn.Linear(settings.gate_size, self.layout.channels),
        )  # fmt: skip
        nn.init.normal_(self.gate[2].weight, std=0.01)
        nn.init.constant_(self.gate[2].bias, FIRST_GATE)
        self.register_buffer("text", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("complement", torch.zeros(0, dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_make_room)
        self._library: Library | None = None

    def prepare(self, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> Study:
        """Take the training split as the text to look things up in; its evidence, for training."""
        study = Study.of(self.layout, corpus, complement, folder)
        self._keep(study.library)
        return study

    def _keep(self, library: Library) -> None:
        self._library, self.text = library, torch.from_numpy(library.text)
        if library.complement is not None:
            self.complement = torch.from_numpy(library.complement)

    def remember(self, codes: np.ndarray) -> None:
        """Add a sequence to the text that things are looked up in."""
        self._keep(self.library.extended(letters_of(codes)))

    def set_copy_weight(self, weight: float) -> None:
        """Set how far long contexts and copies of the training text are believed: 1 as learned, 0 not at
        all."""
        self.leaning = weight

    @property
    def library(self) -> Library:
        """The text, indexed when it is first asked for."""
        if self._library is None:
            complement = self.complement.cpu().numpy() if len(self.complement) else None
            self._library = Library(self.layout, self.text.cpu().numpy(), complement)
        return self._library

    def forward(
        self, symbols: Tensor, state: State = None, evidence: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, State]:
        before, place = state if state is not None else (None, None)
        embedded = self.network.embedding(symbols)  # first, because it refuses codes that are none
        if evidence is None:
            evidence, place = self._look_up(symbols, place)
        values = evidence[0].to(symbols.device, self.evidence_in.weight.dtype) / SCALE
        letters = evidence[1].to(symbols.device)
        inputs = embedded + self.evidence_in(values)
        if not self.layout.dense:
            inputs = inputs + self._letters_in(values, letters)
        hidden, after = self.network.hidden(inputs, before)
        gates = self.gate(torch.cat([values, hidden], -1))
        logits = self.network.readout(self.network.dropout(hidden))
        # A trace, as TensorBoard makes one, knows of tensors only.
        state = after if torch.jit.is_tracing() else (after, place)
        return self._mixed(logits, gates, values, letters), state

    def _mixed(self, logits: Tensor, gates: Tensor, values: Tensor, letters: Tensor) -> Tensor:
        layout, specials = self.layout, len(SPECIALS)
        strengths = values[..., : layout.channels * layout.width]
        weighed = gates.unsqueeze(-1) * strengths.unflatten(-1, (layout.channels, layout.width))
        if layout.dense:
            none = weighed.new_zeros(*weighed.shape[:2], specials)
            return logits + torch.cat([none, weighed.sum(-2)], -1)
        # A letter of 0 stands for none found: its strength is 0, so that it may go anywhere.
        codes = (letters.long() + specials - 1).flatten(-2)
        return logits.scatter_add(-1, codes, weighed.flatten(-2))

    def _letters_in(self, values: Tensor, letters: Tensor) -> Tensor:
        """What was found in copies, as a weighed sum of embeddings: one set a channel."""
        shape = letters.shape[:2]
        offset = torch.tensor([0, self.layout.letters], device=letters.device).view(1, 1, 2, 1)
        names = torch.where(letters > 0, letters.long() + offset, 0).flatten(2).flatten(0, 1)
        weights = values[..., : 2 * LIKELIEST].flatten(0, 1)
        return self.letter_in(names, per_sample_weights=weights).unflatten(0, shape)

    def _look_up(self, symbols: Tensor, place: Place | None) -> tuple[tuple[Tensor, Tensor], Place | None]:
        rows, time = symbols.shape
        if not len(self.text):
            values = torch.zeros(rows, time, self.layout.values, dtype=torch.int8)
            return (values, torch.zeros(rows, time, 2, self.layout.width, dtype=torch.uint8)), None
        reading = place.reading if place is not None else self.library.begin(rows)
        letters = letters_of(symbols.cpu().numpy())
        reading, values, names = self.library.read_on(reading, letters, self.leaning)
        return (torch.from_numpy(values), torch.from_numpy(names)), Place(reading)


def _make_room(model: MixtureModel, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
    """The text of a checkpoint is as long as it is. Raises DataError where nothing can be looked up in it:
    compiled code would read beyond its tables."""
    text, complement = (state_dict.get(prefix + name) for name in ("text", "complement"))
    if text is None or complement is None:
        return  # which loading itself reports
    letters = model.layout.letters
    for name, held, allowed in (("text", text, None), ("complement", complement, (0, letters + 1))):
        if held.dtype != torch.uint8 or held.ndim != 1 or (allowed and len(held) not in allowed):
            raise DataError(f"{name} of shape {tuple(held.shape)} and type {held.dtype} is none; train again")
        if len(held) and int(held.max()) > letters:
            raise DataError(f"{name} has letter {int(held.max())}, of {letters}; train again")
    mirrored = complement.long()
    if not torch.equal(mirrored[mirrored], torch.arange(len(mirrored), device=mirrored.device)):
        raise DataError("complement does not lead back to each letter; train again")
    model.text, model.complement = torch.empty_like(text), torch.empty_like(complement)
    model._library = None
