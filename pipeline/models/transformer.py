"""A small causal transformer: every symbol attends to itself and to the `context - 1` symbols before it.

The keys and values of those are its state, so a sequence may be cut into calls anywhere: the logits are the
same, a step at a time costs no more than one step, and memory never grows beyond `context`. Training windows
carry the state on as recurrent networks do.

Sources: Vaswani et al., "Attention is all you need" (2017); norms before the parts: Xiong et al., "On layer
normalization in the transformer architecture" (2020); positions as rotations: Su et al., "RoFormer" (2021);
keys and values carried over windows: Dai et al., "Transformer-XL" (2019); SwiGLU: Shazeer, "GLU variants
improve transformer" (2020).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from pipeline.config.checks import check_model_sizes
from pipeline.errors import ConfigError
from pipeline.models.kernels.bf16_linear import Linear
from pipeline.models.model import Model

MAX_WAVE = 10_000.0
"""Steps per radian of the slowest rotation."""

TransformerState = tuple[Tensor, Tensor]
"""Keys and values ``(num_layers, 2, batch, heads, past, head_size)`` of at most `context - 1` steps,
the keys rotated; and how many steps there were in all, a scalar."""


@dataclass(frozen=True)
class Transformer:
    """An embedding, `num_layers` blocks of attention and a gated perceptron, a linear read-out."""

    hidden_size: int = 128
    """Units of a layer."""
    num_layers: int = 2
    """Blocks of attention and perceptron."""
    heads: int = 4
    """Attention heads of a block."""
    context: int = 256
    """Symbols that attention sees, at most."""
    dropout: float = 0.0
    """Share of the activations that dropout sets to zero in training."""

    def __post_init__(self) -> None:
        check_model_sizes(self, "hidden_size", "num_layers", "heads", "context")
        if self.hidden_size % (2 * self.heads):
            raise ConfigError(
                f"model.hidden_size={self.hidden_size} is not a multiple of twice model.heads={self.heads}: "
                "every head needs an even share; change either"
            )

    def __str__(self) -> str:
        return f"transformer {self.num_layers}x{self.hidden_size}"

    def build(self, vocab_size: int) -> "TransformerModel":
        """A freshly initialised model over `vocab_size` codes."""
        return TransformerModel(self, vocab_size)


class TransformerModel(Model):
    """``(symbols, state) -> (logits, state)``.

    Symbols are ``(batch, time)`` int64, logits ``(batch, time, vocab_size)``; the state is None at a
    sequence's start, else what the last call gave, a `TransformerState`.
    """

    def __init__(self, settings: Transformer, vocab_size: int) -> None:
        super().__init__()
        size = settings.hidden_size
        self.settings = settings
        self.embedding = nn.Embedding(vocab_size, size)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.num_layers))
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(settings.dropout)
        self.readout = Linear(size, vocab_size)
        nn.init.zeros_(self.readout.bias)

    def forward(
        self, symbols: Tensor, state: TransformerState | None = None
    ) -> tuple[Tensor, TransformerState]:
        if state is None:
            state = self._start(len(symbols))
        logits = []
        # In parts, so that attention over a long sequence needs no more memory than over a short one.
        for part in symbols.split(self.settings.context, 1):
            hidden, state = self._part(self.embedding(part), *state)
            logits.append(self.readout(self.dropout(self.norm(hidden))))
        return torch.cat(logits, 1), state

    def _start(self, batch: int) -> TransformerState:
        heads, size = self.settings.heads, self.settings.hidden_size
        shape = len(self.layers), 2, batch, heads, 0, size // heads
        return self.embedding.weight.new_empty(shape), torch.zeros((), dtype=torch.int64)

    def _part(self, hidden: Tensor, cache: Tensor, steps: Tensor) -> tuple[Tensor, TransformerState]:
        time, past, context = hidden.shape[1], cache.shape[-2], self.settings.context
        turn = _rotations(int(steps), time, cache)
        seen = _within_reach(time, past, context, hidden.device)
        kept = []
        for layer, before in zip(self.layers, cache, strict=True):
            hidden, both = layer(hidden, before, turn, seen)
            kept.append(both[..., max(0, past + time - (context - 1)) :, :])
        return hidden, (torch.stack(kept), steps + time)


class Layer(nn.Module):
    """One block, ``(batch, time, hidden_size)`` in and out."""

    def __init__(self, settings: Transformer) -> None:
        super().__init__()
        size = settings.hidden_size
        # Two thirds of four times the size: as many weights as a perceptron without gates; whole vectors.
        inner = -(-8 * size // 3 // 16) * 16
        self.heads, self.rate = settings.heads, settings.dropout
        self.attention_norm, self.perceptron_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.inward = Linear(size, 3 * size, bias=False)
        self.outward = Linear(size, size, bias=False)
        self.expand = Linear(size, 2 * inner, bias=False)
        self.contract = Linear(inner, size, bias=False)
        self.dropout = nn.Dropout(settings.dropout)
        for weight in (self.inward.weight, self.expand.weight):
            nn.init.normal_(weight, std=size**-0.5)
        for weight in (self.outward.weight, self.contract.weight):
            nn.init.normal_(weight, std=(2 * settings.num_layers * weight.shape[1]) ** -0.5)

    def forward(
        self, hidden: Tensor, before: Tensor, turn: Tensor, seen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The block's output, and the keys and values of `before` and of these steps, joined."""
        mixed = self.inward(self.attention_norm(hidden)).unflatten(-1, (3, self.heads, -1))
        query, key = _rotate(mixed[:, :, :2], turn).permute(2, 0, 3, 1, 4)
        both = torch.cat([before, torch.stack([key, mixed[:, :, 2].transpose(1, 2)])], -2)
        keys, values = both.unbind(0)
        found = scaled_dot_product_attention(query, keys, values, seen, self.rate if self.training else 0.0)
        hidden = hidden + self.dropout(self.outward(found.transpose(1, 2).flatten(2)))
        gate, content = self.expand(self.perceptron_norm(hidden)).chunk(2, -1)
        return hidden + self.dropout(self.contract(silu(gate) * content)), both


def _within_reach(time: int, past: int, context: int, device: torch.device) -> Tensor | None:
    """Which of `past` and `time` keys each of `time` steps may see: ``(time, past + time)``, None for all."""
    if time == 1 and past < context:
        return None
    distance = torch.arange(past, past + time, device=device)[:, None] - torch.arange(
        past + time, device=device
    )
    return (distance >= 0) & (distance < context)


def _rotations(first: int, time: int, like: Tensor) -> Tensor:
    """The steps from `first` on as complex numbers of length one, ``(time, head_size / 2)``."""
    half = like.shape[-1] // 2
    # In double precision: after a million steps single precision has lost the fast angles.
    speeds = MAX_WAVE ** -(torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(first, first + time, dtype=torch.float64)[:, None] * speeds
    single = torch.complex64 if like.dtype != torch.float64 else torch.complex128
    return torch.polar(torch.ones_like(angles), angles).to(like.device, single)


def _rotate(vectors: Tensor, turn: Tensor) -> Tensor:
    """Vectors ``(batch, time, 2, heads, head_size)``, each pair of numbers turned as a complex one."""
    pairs = vectors.to(turn.dtype.to_real()).unflatten(-1, (-1, 2))
    return torch.view_as_real(torch.view_as_complex(pairs) * turn[:, None, None]).flatten(-2)
