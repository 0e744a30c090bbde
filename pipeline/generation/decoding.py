"""From logits to the next symbol: temperature, top-k, top-p, min-p, typical, greedy.

Sources: top-k, Fan et al., "Hierarchical neural story generation" (2018); top-p (nucleus), Holtzman et al.,
"The curious case of neural text degeneration" (2020); min-p, Nguyen et al., "Turning up the heat" (2024);
typical, Meister et al., "Locally typical sampling" (2023).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decoder:
    """Chooses one symbol in each row; `forbidden` codes are never chosen. Temperature 0 is greedy.

    What is left out is decided in the order of the fields, each time among what the last has left.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    forbidden: tuple[int, ...] = ()
    min_p: float | None = None
    typical_p: float | None = None

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
            probabilities = _first_that_hold(self.top_p, probabilities, -probabilities)
        if self.min_p is not None:
            least = self.min_p * probabilities.amax(-1, keepdim=True)
            probabilities = _scaled(torch.where(probabilities >= least, probabilities, 0.0))
        if self.typical_p is not None and self.typical_p < 1:
            surprisal = -probabilities.log()
            entropy = torch.special.entr(probabilities).sum(-1, keepdim=True)
            probabilities = _first_that_hold(self.typical_p, probabilities, (surprisal - entropy).abs())
        return probabilities

    def choose(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Codes ``(batch,)`` for logits ``(batch, vocab_size)`` and one uniform number in [0, 1) a row."""
        cumulative = self.probabilities(logits).cumsum(-1)
        # The last sum is 1 but for rounding: scale, so that the drawn number always lies below it.
        drawn = (uniforms * cumulative[:, -1]).unsqueeze(-1)
        return torch.searchsorted(cumulative, drawn, right=True).squeeze(-1)


def _first_that_hold(share: float, probabilities: Tensor, order_by: Tensor) -> Tensor:
    """The symbols that come first, the lowest first, until they hold this share; the first always stays."""
    order = order_by.argsort(dim=-1, stable=True)
    ordered = probabilities.gather(-1, order)
    # What lies before a symbol decides.
    ordered[(ordered.cumsum(-1) - ordered) >= share] = 0.0
    return _scaled(torch.zeros_like(probabilities).scatter(-1, order, ordered))


def _scaled(probabilities: Tensor) -> Tensor:
    return probabilities / probabilities.sum(-1, keepdim=True)
