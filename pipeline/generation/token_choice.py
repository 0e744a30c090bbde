"""From logits to the next symbol: temperature, top-k, top-p, min-p, typical and greedy sampling.

`compiled/token_choice.py` does the same in compiled code and is tested against this. Sources: top-k, Fan et
al., "Hierarchical neural story generation" (2018); top-p (nucleus), Holtzman et al., "The curious case of
neural text degeneration" (2020); min-p, Nguyen et al., "Turning up the heat" (2024); typical, Meister et al.,
"Locally typical sampling" (2023).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingParams:
    """The parameters of token choice. Each filter sees what the filters before it have left.

    Parameters
    ----------
    temperature
        Divides the logits; 0 is greedy.
    top_k
        Keep the most likely codes, this many.
    top_p
        Keep the most likely codes until they have this probability together.
    forbidden
        Codes that are never chosen.
    min_p
        Keep codes with at least this share of the largest probability.
    typical_p
        Keep codes whose surprisal is nearest to the entropy until they have this probability together.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    forbidden: tuple[int, ...] = ()
    min_p: float | None = None
    typical_p: float | None = None

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution that is drawn from, float64 ``(batch, vocab_size)`` as the logits."""
        logits = logits.clone()
        logits[:, list(self.forbidden)] = -torch.inf
        if self.temperature == 0:
            return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
        # With a largest logit of 0 the division overflows at no temperature.
        logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            kept = logits.topk(self.top_k, dim=-1).indices
            logits = torch.full_like(logits, -torch.inf).scatter(-1, kept, logits.gather(-1, kept))
        probabilities = logits.softmax(-1)
        if self.top_p is not None and self.top_p < 1:
            probabilities = _keep_first(self.top_p, probabilities, -probabilities)
        if self.min_p is not None:
            threshold = self.min_p * probabilities.amax(-1, keepdim=True)
            probabilities = _normalize(torch.where(probabilities >= threshold, probabilities, 0.0))
        if self.typical_p is not None and self.typical_p < 1:
            surprisal = -probabilities.log()
            entropy = torch.special.entr(probabilities).sum(-1, keepdim=True)
            probabilities = _keep_first(self.typical_p, probabilities, (surprisal - entropy).abs())
        return probabilities

    def choose(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Codes ``(batch,)`` for logits ``(batch, vocab_size)`` and numbers in [0, 1) ``(batch,)``."""
        cumulative = self.probabilities(logits).cumsum(-1)
        # The last sum is 1 except for rounding; the scaled number always lies below it.
        drawn = (uniforms * cumulative[:, -1]).unsqueeze(-1)
        return torch.searchsorted(cumulative, drawn, right=True).squeeze(-1)


def _keep_first(share: float, probabilities: Tensor, order_by: Tensor) -> Tensor:
    """Keep the codes with the lowest `order_by` until they have this probability; the first always stays."""
    order = order_by.argsort(dim=-1, stable=True)
    ordered = probabilities.gather(-1, order)
    # A code is dropped if the codes before it have the share already.
    ordered[(ordered.cumsum(-1) - ordered) >= share] = 0.0
    return _normalize(torch.zeros_like(probabilities).scatter(-1, order, ordered))


def _normalize(probabilities: Tensor) -> Tensor:
    return probabilities / probabilities.sum(-1, keepdim=True)
