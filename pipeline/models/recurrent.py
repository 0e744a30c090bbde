"""Recurrent networks with fused kernels: the simple RNN, the LSTM and the GRU.

Sources: Elman, "Finding structure in time" (1990); Hochreiter and Schmidhuber, "Long short-term memory"
(1997); Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); the forget gate's
bias of one: Jozefowicz et al., "An empirical exploration of recurrent network architectures" (2015).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from pipeline.config import one_of
from pipeline.errors import ConfigError
from pipeline.models.state import State

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class Recurrent:
    """An embedding, `num_layers` recurrent layers of `hidden_size` units, and a linear read-out."""

    cell: str = "lstm"
    hidden_size: int = 128
    num_layers: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        one_of("model.cell", self.cell, CELLS)
        for name in ("hidden_size", "num_layers"):
            if not 1 <= getattr(self, name) <= 65_536:
                raise ConfigError(f"model.{name}={getattr(self, name)} is not between 1 and 65536")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"model.dropout={self.dropout} is not at least 0 and below 1")

    def __str__(self) -> str:
        return f"{self.cell} {self.num_layers}x{self.hidden_size}"

    def build(self, vocab_size: int) -> "RecurrentModel":
        """A freshly initialised model over `vocab_size` codes."""
        return RecurrentModel(self, vocab_size)


class RecurrentModel(nn.Module):
    """``(symbols, state) -> (logits, state)``.

    Symbols are ``(batch, time)`` int64, logits ``(batch, time, vocab_size)``; the state is None at a
    sequence's start, else what the last call gave: h, or (h, c) for an LSTM, each
    ``(num_layers, batch, hidden_size)``.
    """

    def __init__(self, settings: Recurrent, vocab_size: int) -> None:
        super().__init__()
        size, layers = settings.hidden_size, settings.num_layers
        self.embedding = nn.Embedding(vocab_size, size)
        self.layers = CELLS[settings.cell](
            size, size, layers, batch_first=True, dropout=settings.dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.readout = nn.Linear(size, vocab_size)
        self._initialise(settings)

    def forward(self, symbols: Tensor, state: State = None) -> tuple[Tensor, State]:
        hidden, state = self.layers(self.embedding(symbols), state)
        return self.readout(self.dropout(hidden)), state

    def _initialise(self, settings: Recurrent) -> None:
        for name, parameter in self.layers.named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.data.split(settings.hidden_size):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                for gate in parameter.data.split(settings.hidden_size):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(parameter)
                if settings.cell == "lstm" and name.startswith("bias_hh"):
                    # PyTorch's order of gates is input, forget, cell, output.
                    parameter.data[settings.hidden_size : 2 * settings.hidden_size] = 1.0
        nn.init.zeros_(self.readout.bias)
