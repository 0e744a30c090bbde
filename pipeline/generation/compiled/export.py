"""From the weights of a model to the exported weights of its compiled decode step."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pipeline.generation.compiled import markov_step, min_gru_step, mixture_step, recurrent_step
from pipeline.generation.compiled.packed_weights import aligned, pack, padded
from pipeline.models.context_mixing.evidence_state import new_state
from pipeline.models.lookback import LookbackConfig
from pipeline.segments import Segments

if TYPE_CHECKING:
    from pipeline.models.model import Model

# Below, models are Any: torch's stubs give the attributes of modules no types of their own.
Array = np.ndarray


def export_model(model: "Model", int8: bool = False) -> Any:
    """Export the weights of a model for its compiled decode step.

    Parameters
    ----------
    model
        A model on the CPU, in single precision.
    int8
        Round weights to 8 bits where the step allows it.

    Returns
    -------
    ExportedWeights or None
        None where the model has no compiled step.
    """
    return None if model.decode_step is None else EXPORTERS[model.decode_step](model, int8)


@torch.no_grad()
def _recurrent(model: Any, int8: bool) -> Any:
    """An RNN, an LSTM or a GRU; `int8` rounds all matrices except the first and the last."""
    settings, layers = model.settings, model.layers.all_weights
    size, cell = settings.hidden_size, settings.cell
    matrices = [layers[0][1]] + [matrix for layer in layers[1:] for matrix in layer[:2]]
    packed = pack(np.stack([_array(matrix.t()) for matrix in matrices]), int8)
    inputs, hiddens = ([layer[at] for layer in layers] for at in (2, 3))
    if cell == "gru":
        # The hidden state's part of the last gate has a bias of its own.
        candidate = np.stack([_array(bias[2 * size :]) for bias in hiddens])
        hiddens = [torch.cat([bias[: 2 * size], 0 * bias[2 * size :]]) for bias in hiddens]
    biases = [one + other for one, other in zip(inputs, hiddens, strict=True)]
    given = model.norms[0](model.embedding.weight).double() @ layers[0][0].double().t() + biases[0]
    if model.lookback is not None:
        given = torch.cat([given, model.lookback.table.double() @ layers[0][0].double().t()])
    shared = _share(
        model, given, torch.stack(biases), model.norms, settings.residual, settings.layer_norm,
        settings.lookback_segments,
    )  # fmt: skip
    if cell == "gru":
        return recurrent_step.GRU(shared, packed, candidate, np.zeros_like(shared.biases[0]))
    return (recurrent_step.LSTM if cell == "lstm" else recurrent_step.RNN)(shared, packed)


@torch.no_grad()
def _min_gru(model: Any, int8: bool) -> min_gru_step.MinGRU:
    """A minimal GRU; `int8` rounds all matrices except the last."""
    inward, outward = ([getattr(layer, name) for layer in model.layers] for name in ("inward", "outward"))
    biases = torch.stack([linear.bias for linear in inward])
    norms = [*(layer.norm for layer in model.layers), model.norm]
    matrices = (np.stack([_array(linear.weight.t()) for linear in part]) for part in (inward, outward))
    shared = _share(model, biases[:1], biases, norms, True, True)
    return min_gru_step.MinGRU(shared, *(pack(each, int8) for each in matrices))


@torch.no_grad()
def _mixture(model: Any, int8: bool) -> mixture_step.MixtureWeights | None:
    """A mixture with its index; None before it has a text. `int8` rounds the network only."""
    if not len(model.text):
        return None
    layout, seen = model.layout, model.layout.values
    network = _recurrent(model.network, int8)
    inward = model.network.layers.all_weights[0][0]
    network.shared.input_table[:, : len(inward)] += _array(inward @ model.evidence_in.bias)
    names = _wide(torch.zeros(0, len(inward)) if layout.dense else model.letter_in.weight @ inward.t())
    first, _, last = model.gate
    evidence, from_evidence, from_hidden, weighing = (
        pack(_array(matrix.t())[None])
        for matrix in (
            inward @ model.evidence_in.weight, first.weight[:, :seen], first.weight[:, seen:], last.weight
        )
    )  # fmt: skip
    return mixture_step.MixtureWeights(
        network.shared, network, model.training_index.sources(model.copy_weight), new_state(layout, 1, 1),
        evidence, names, from_evidence, from_hidden, _wide(first.bias[None])[0], weighing,
        _wide(last.bias[None])[0],
    )  # fmt: skip


def _markov(model: Any, int8: bool) -> markov_step.MarkovWeights:
    """A Markov model, which has counts and no weights."""
    return markov_step.export_tables(model.tables, model.vocab_size)


EXPORTERS: dict[str, Callable[[Any, bool], Any]] = {
    "recurrent": _recurrent, "min_gru": _min_gru, "mixture": _mixture, "markov": _markov
}  # fmt: skip
"""By `Model.decode_step`, not by class: importing the class of an unused family takes time."""


def _share(
    model: Any, input_table: Tensor, biases: Tensor, norms: Iterable[Any],
    residual: bool, normed: bool, segments: Segments | None = None,
) -> recurrent_step.SharedWeights:  # fmt: skip
    readout, embedding = model.readout, model.embedding.weight
    plain = torch.ones(len(biases) + 1, embedding.shape[1])
    gains = torch.stack([norm.weight for norm in norms]) if normed else plain
    shifts = torch.stack([norm.bias for norm in norms]) if normed else plain
    return recurrent_step.SharedWeights(
        _array(embedding), _wide(input_table), _wide(biases), _array(gains), _array(shifts),
        pack(_array(readout.weight.t())[None]), _wide(readout.bias[None])[0], residual, normed,
        LookbackConfig.from_segments(segments),
    )  # fmt: skip


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _wide(tensor: Tensor) -> Array:
    """The array, filled with zeros up to a whole number of column blocks."""
    rows, columns = tensor.shape
    wide = aligned((rows, padded(columns)))
    wide[:, :columns] = _array(tensor)
    return wide
