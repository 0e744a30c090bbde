"""A minimal GRU, whose training is parallel over time: every matrix product takes all steps at once.

The gates depend on the layer's input, never on its state. So the state is a linear recurrence, which a scan
computes without matrix products (`kernels/linear_scan.py`). A layer is a residual block: layer norm, a
convolution two steps wide for gates and candidate, the scan, a gate on its output, and a projection back.

Sources: Feng et al., "Were RNNs all we needed?" (2024); the convolution: Bradbury et al., "Quasi-recurrent
neural networks" (2017); biases that spread the memory: Tallec and Ollivier, "Can recurrent neural networks
warp time?" (2018).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from pipeline.config.checks import check_model_sizes
from pipeline.models.kernels.bf16_linear import Linear
from pipeline.models.kernels.linear_scan import gated_scan
from pipeline.models.model import Model

MAX_MEMORY = 256
"""The memory of the slowest unit at the start of training, in steps."""

MinGruState = tuple[tuple[Tensor, Tensor], ...]
"""For each layer its state ``(batch, expansion * hidden_size)`` and its last normalised input
``(batch, 1, hidden_size)``."""


@dataclass(frozen=True)
class MinGru:
    """An embedding, `num_layers` blocks whose state has `expansion` times `hidden_size` units, a read-out."""

    hidden_size: int = 128
    """Units of a layer."""
    num_layers: int = 2
    """Recurrent layers."""
    expansion: int = 1
    """Size of the state, in multiples of `hidden_size`."""
    dropout: float = 0.0
    """Share of the activations that dropout sets to zero in training."""

    def __post_init__(self) -> None:
        check_model_sizes(self, "hidden_size", "num_layers", "expansion")

    def __str__(self) -> str:
        return f"min_gru {self.num_layers}x{self.hidden_size}"

    def build(self, vocab_size: int) -> "MinGruModel":
        """A freshly initialised model over `vocab_size` codes."""
        return MinGruModel(self, vocab_size)


class MinGruModel(Model):
    """``(symbols, state) -> (logits, state)``.

    Symbols are ``(batch, time)`` int64, logits ``(batch, time, vocab_size)``; the state is None at a
    sequence's start, else what the last call gave, a `MinGruState`.
    """

    decode_step = "min_gru"

    def __init__(self, settings: MinGru, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, settings.hidden_size)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.num_layers))
        self.norm = nn.LayerNorm(settings.hidden_size)
        self.dropout = nn.Dropout(settings.dropout)
        self.readout = Linear(settings.hidden_size, vocab_size)
        nn.init.zeros_(self.readout.bias)

    def forward(self, symbols: Tensor, state: MinGruState | None = None) -> tuple[Tensor, MinGruState]:
        hidden, carried = self.embedding(symbols), []
        for number, layer in enumerate(self.layers):
            hidden, last = layer(hidden, state[number] if state else None)
            carried.append(last)
        return self.readout(self.dropout(self.norm(hidden))), tuple(carried)


class Layer(nn.Module):
    """One residual block, ``(batch, time, hidden_size)`` in and out."""

    def __init__(self, settings: MinGru) -> None:
        super().__init__()
        size, inner = settings.hidden_size, settings.hidden_size * settings.expansion
        self.norm = nn.LayerNorm(size)
        self.inward = Linear(2 * size, 3 * inner)
        self.outward = Linear(inner, size, bias=False)
        self.dropout = nn.Dropout(settings.dropout)
        nn.init.zeros_(self.inward.bias)
        # A unit that forgets 1/(1+n) of itself at each step remembers n steps: logarithms of n evenly spread.
        nn.init.uniform_(self.inward.bias.data[:inner], 0.0, math.log(MAX_MEMORY))
        nn.init.normal_(self.outward.weight, std=(2 * settings.num_layers * inner) ** -0.5)

    def forward(
        self, hidden: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The block's output, and its state after the last step."""
        inputs = self.norm(hidden)
        if state is None:
            start = inputs.new_zeros(len(inputs), self.outward.in_features)
            state = start, torch.zeros_like(inputs[:, :1])
        outputs, last = gated_scan(self.inward(_BesidePrevious.apply(inputs, state[1])), state[0])
        return hidden + self.dropout(self.outward(outputs)), (last, inputs[:, -1:])


class _BesidePrevious(torch.autograd.Function):
    """Each step joined with the one before it: ``(batch, time, size)`` to ``(batch, time, 2 * size)``.

    Written by hand because slices and concatenations would copy the gradient five times.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, inputs: Tensor, before: Tensor) -> Tensor:
        size = inputs.shape[-1]
        both = inputs.new_empty(*inputs.shape[:-1], 2 * size)
        both[..., :size] = inputs
        both[:, :1, size:] = before
        both[:, 1:, size:] = inputs[:, :-1]
        return both

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, both_grad: Tensor) -> tuple[Tensor, Tensor]:
        own, previous = both_grad.chunk(2, -1)
        inputs_grad = own.contiguous()
        inputs_grad[:, :-1] += previous[:, 1:]
        return inputs_grad, previous[:, :1]
