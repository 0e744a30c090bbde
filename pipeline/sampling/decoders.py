"""From logits to the next symbol: temperature, top-k, top-p, greedy.

Sources: top-k, Fan et al., "Hierarchical neural story generation" (2018); top-p (nucleus), Holtzman et al.,
"The curious case of neural text degeneration" (2020).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decoder:
    """Chooses one symbol in each row; `forbidden` codes are never chosen. Temperature 0 is greedy."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    forbidden: tuple[int, ...] = ()

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution drawn from, float64 like the logits ``(batch, vocab_size)`` given."""
        logits = logits.clone()
        logits[:, list(self.forbidden)] = -torch.inf
        if self.temperature == 0:
            return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
        # Before the division, the largest becomes 0: a tiny temperature then overflows nothing.
        logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            kept = logits.topk(self.top_k, dim=-1).indices
            logits = torch.full_like(logits, -torch.inf).scatter(-1, kept, logits.gather(-1, kept))
        probabilities = logits.softmax(-1)
        if self.top_p is not None and self.top_p < 1:
            ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
            # What lies before a symbol decides: the likeliest is always kept.
            ordered[(ordered.cumsum(-1) - ordered) >= self.top_p] = 0.0
            probabilities = torch.zeros_like(probabilities).scatter(-1, order, ordered)
            probabilities /= probabilities.sum(-1, keepdim=True)
        return probabilities

    def choose(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Codes ``(batch,)`` for logits ``(batch, vocab_size)`` and one uniform number in [0, 1) a row."""
        cumulative = self.probabilities(logits).cumsum(-1)
        # The last sum is 1 but for rounding: scale, so that the drawn number always lies below it.
        drawn = (uniforms * cumulative[:, -1]).unsqueeze(-1)
        return torch.searchsorted(cumulative, drawn, right=True).squeeze(-1)
