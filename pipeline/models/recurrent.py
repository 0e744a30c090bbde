"""Recurrent networks: the simple RNN, the LSTM and the GRU, with the project's own kernels on a CPU.

Sources: Elman, "Finding structure in time" (1990); Hochreiter and Schmidhuber, "Long short-term memory"
(1997); Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); the forget gate's
bias of one: Jozefowicz et al., "An empirical exploration of recurrent network architectures" (2015); one
matrix for embedding and read-out: Press and Wolf, "Using the output embedding to improve language models"
(2017); normalised layers: Ba et al., "Layer normalization" (2016).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, embedding

from pipeline.config.checks import check_choice, check_model_sizes
from pipeline.models.model import Model
from pipeline.models.state import State, is_tracing
from pipeline.segments import Segments

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class Recurrent:
    """An embedding, `num_layers` recurrent layers of `hidden_size` units, and a linear read-out."""

    cell: str = "lstm"
    """rnn, lstm or gru."""
    hidden_size: int = 128
    """Units of a layer, and size of an embedding."""
    num_layers: int = 2
    """Layers."""
    dropout: float = 0.0
    """Dropout between layers and before the read-out."""
    residual: bool = False
    """Whether each layer is added to its input."""
    layer_norm: bool = False
    """Whether the input of each layer and of the read-out is normalised."""
    tied: bool = False
    """Whether the read-out shares the matrix of the embedding."""
    lookback: bool = True
    """Whether the first layer also has lookback features, where the domain's sequences have segments."""
    segments: Segments | None = None
    """How symbols divide sequences into segments: filled in by the domain."""

    def __post_init__(self) -> None:
        check_choice("model.cell", self.cell, CELLS)
        check_model_sizes(self, "hidden_size", "num_layers")

    def __str__(self) -> str:
        looking = " with lookback" if self.lookback_segments else ""
        return f"{self.cell} {self.num_layers}x{self.hidden_size}{looking}"

    @property
    def lookback_segments(self) -> Segments | None:
        """The segments of the lookback features; None without such features."""
        return self.segments if self.lookback else None

    def build(self, vocab_size: int) -> "RecurrentModel":
        """A freshly initialised model over `vocab_size` codes."""
        return RecurrentModel(self, vocab_size)


class RecurrentModel(Model):
    """``(symbols, state) -> (logits, state)``.

    Symbols are ``(batch, time)`` int64, logits ``(batch, time, vocab_size)``; the state is None at a
    sequence's start, else that of the last call: h, or (h, c) for an LSTM, each
    ``(num_layers, batch, hidden_size)``; with lookback features (h, states) or (h, c, states).
    """

    decode_step = "recurrent"

    def __init__(self, settings: Recurrent, vocab_size: int) -> None:
        super().__init__()
        size, layers = settings.hidden_size, settings.num_layers
        self.settings = settings
        self.embedding = nn.Embedding(vocab_size, size)
        self.lookback = None
        if settings.lookback_segments:
            # Start-up: numba takes half a second to import, and most domains have no segments.
            from pipeline.models.lookback import Lookback

            self.lookback = Lookback(settings.lookback_segments, vocab_size, size)
        self.layers = CELLS[settings.cell](
            size, size, layers, batch_first=True, dropout=settings.dropout if layers > 1 else 0.0
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(size) if settings.layer_norm else nn.Identity() for _ in range(layers + 1)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.readout = nn.Linear(size, vocab_size)
        self._initialise(settings)

    def forward(self, symbols: Tensor, state: State = None) -> tuple[Tensor, State]:
        if self.lookback is not None:
            return self._with_lookback(self.lookback, symbols, state)
        plain = not (self.settings.residual or self.settings.layer_norm)
        if plain and not self._by_kernels(symbols):
            hidden, state = self.layers(self.embedding(symbols), state)
            return self.readout(self.dropout(hidden)), state
        hidden, state = self._by_layers(self.embedding.weight, symbols.t().contiguous(), state)
        # Read out time-major, as the hidden states lie, and transpose the logits, which are smaller.
        return self.readout(self.dropout(self.norms[-1](hidden))).transpose(0, 1), state

    def hidden(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Hidden states of the last layer, and the next state, for any inputs ``(batch, time,
        hidden_size)``."""
        if not (self.settings.residual or self.settings.layer_norm or self._by_kernels(inputs)):
            return self.layers(inputs, state)
        hidden, state = self._by_layers(inputs.transpose(0, 1).contiguous(), None, state)
        return self.norms[-1](hidden).transpose(0, 1), state

    def load_start(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights; lookback features that the other model does not have begin at zero."""
        own = {} if self.lookback is None else {"lookback.table": torch.zeros_like(self.lookback.table)}
        super().load_start({**own, **weights})

    def _with_lookback(self, lookback: nn.Module, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        *carried, lookback_states = state if isinstance(state, tuple) else (None,)
        features, lookback_states = lookback(symbols, lookback_states)
        state = carried[0] if len(carried) == 1 else tuple(carried) or None
        inputs = embedding(symbols.t(), self.embedding.weight)
        hidden, state = self._by_layers(inputs, None, state, features)
        state = (*state, lookback_states) if isinstance(state, tuple) else (state, lookback_states)
        return self.readout(self.dropout(self.norms[-1](hidden))).transpose(0, 1), state

    def _by_kernels(self, inputs: Tensor) -> bool:
        """Whether the project's kernels are faster than torch's, as on a CPU for more than one step."""
        return inputs.device.type == "cpu" and inputs.shape[1] > 1 and not is_tracing()

    def _by_layers(
        self, inputs: Tensor, codes: Tensor | None, state: State, features: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Hidden states ``(time, batch, hidden_size)`` of the last layer, and the next state.

        The inputs are time-major too, or with codes ``(time, batch)`` the embedding's matrix. `features` are
        added to the input of the first layer.
        """
        steps = inputs if codes is None else codes
        run = self._kernel if self._by_kernels(steps.transpose(0, 1)) else self._torch_layer
        parts = self._state_parts(state, steps.shape[1])
        hidden, lasts = inputs, []
        for layer in range(self.settings.num_layers):
            first_codes = codes if layer == 0 else None
            normed = self.norms[layer](hidden)
            if layer == 0 and features is not None:
                normed = normed + features
            out, last = run(layer, normed, first_codes, tuple(part[layer] for part in parts))
            if self.settings.residual:
                out = out + (hidden if first_codes is None else embedding(first_codes, hidden))
            between_layers = self.training and layer + 1 < self.settings.num_layers
            hidden = dropout(out, self.settings.dropout, between_layers)
            lasts.append(last)
        stacked = tuple(torch.stack(part) for part in zip(*lasts, strict=True))
        return hidden, stacked if self.settings.cell == "lstm" else stacked[0]

    def _state_parts(self, state: State, batch: int) -> tuple[Tensor, ...]:
        """h, or for an LSTM h and c, each ``(num_layers, batch, hidden_size)``."""
        if state is None:
            shape = self.settings.num_layers, batch, self.settings.hidden_size
            count = 2 if self.settings.cell == "lstm" else 1
            return tuple(self.embedding.weight.new_zeros(shape) for _ in range(count))
        parts = state if isinstance(state, tuple) else (state,)
        return tuple(part for part in parts if isinstance(part, Tensor))

    def _kernel(
        self, layer: int, inputs: Tensor, codes: Tensor | None, before: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        # Start-up: numba takes half a second to import, and sampling does not need these kernels.
        from pipeline.models.kernels import layers as recurrence

        run = {"rnn": recurrence.RNNLayer, "lstm": recurrence.LSTMLayer, "gru": recurrence.GRULayer}
        out = run[self.settings.cell].apply(inputs, codes, *before, *self.layers.all_weights[layer])
        out, *cell = out if isinstance(out, tuple) else (out,)
        return out, (out[-1], *cell)

    def _torch_layer(
        self, layer: int, inputs: Tensor, codes: Tensor | None, before: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        run = {"rnn": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}[self.settings.cell]
        inputs = inputs if codes is None else embedding(codes, inputs)
        states = tuple(part[None].contiguous() for part in before)
        out, *last = run(
            inputs, states if self.settings.cell == "lstm" else states[0], self.layers.all_weights[layer],
            True, 1, 0.0, self.training, False, False,
        )  # fmt: skip
        return out, tuple(part[0] for part in last)

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
        if settings.tied:
            # As small as a read-out's weights, or the first logits would exceed 10.
            nn.init.normal_(self.embedding.weight, std=settings.hidden_size**-0.5)
            self.readout.weight = self.embedding.weight
