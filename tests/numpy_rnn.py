"""A recurrent network from scratch: the oracle that the PyTorch models are held against.

Every step and every derivative by hand, in float64, no automatic differentiation: embedding, one layer of
plain tanh units, read-out, mean cross-entropy. Weights have PyTorch's names and shapes.
"""

import numpy as np

Weights = dict[str, np.ndarray]


def forward(weights: Weights, inputs: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits ``(batch, time, vocab_size)`` and all hidden states, the first being the one given."""
    states, logits = [hidden], []
    for time in range(inputs.shape[1]):
        seen = weights["embedding.weight"][inputs[:, time]]
        pre = (
            seen @ weights["layers.weight_ih_l0"].T + weights["layers.bias_ih_l0"]
            + states[-1] @ weights["layers.weight_hh_l0"].T + weights["layers.bias_hh_l0"]
        )  # fmt: skip
        states.append(np.tanh(pre))
        logits.append(states[-1] @ weights["readout.weight"].T + weights["readout.bias"])
    return np.stack(logits, axis=1), states


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def loss(weights: Weights, inputs: np.ndarray, targets: np.ndarray, hidden: np.ndarray) -> float:
    """Mean nats per target."""
    logits, _ = forward(weights, inputs, hidden)
    return float(-np.take_along_axis(log_softmax(logits), targets[..., None], -1).mean())


def gradients(weights: Weights, inputs: np.ndarray, targets: np.ndarray, hidden: np.ndarray) -> Weights:
    """Derivatives of `loss`, by back-propagation through time from the last step to the first."""
    logits, states = forward(weights, inputs, hidden)
    error = np.exp(log_softmax(logits))
    np.put_along_axis(error, targets[..., None], np.take_along_axis(error, targets[..., None], -1) - 1, -1)
    error /= targets.size
    grads = {name: np.zeros_like(value) for name, value in weights.items()}
    from_later = np.zeros_like(hidden)
    for time in reversed(range(inputs.shape[1])):
        now, before, at = states[time + 1], states[time], error[:, time]
        grads["readout.weight"] += at.T @ now
        grads["readout.bias"] += at.sum(0)
        pre = (at @ weights["readout.weight"] + from_later) * (1 - now**2)
        grads["layers.weight_ih_l0"] += pre.T @ weights["embedding.weight"][inputs[:, time]]
        grads["layers.weight_hh_l0"] += pre.T @ before
        grads["layers.bias_ih_l0"] += pre.sum(0)
        grads["layers.bias_hh_l0"] += pre.sum(0)
        np.add.at(grads["embedding.weight"], inputs[:, time], pre @ weights["layers.weight_ih_l0"])
        from_later = pre @ weights["layers.weight_hh_l0"]
    return grads
