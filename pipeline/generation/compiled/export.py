"""From a model's weights to those of its compiled decode step."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pipeline.generation.compiled import cells, markov_cell, mixture_cell
from pipeline.generation.compiled.packed_matrix import aligned, pack, padded
from pipeline.models.context_mixing.evidence_state import new_state
from pipeline.models.lookback import LookbackConfig
from pipeline.segments import Segments

if TYPE_CHECKING:
    from pipeline.models.markov import MarkovModel
    from pipeline.models.min_gru import MinGruModel
    from pipeline.models.mixture import MixtureModel
    from pipeline.models.model import Model
    from pipeline.models.recurrent import RecurrentModel

Array = np.ndarray


def export_model(model: "Model", int8: bool = False) -> Any:
    """The weights of a model as its compiled decode step reads them, with `int8` in 8 bits where that step
    can; None where a model has no such step. The model lies on the CPU, in single precision."""
    return None if model.decode_step is None else EXPORTERS[model.decode_step](model, int8)


@torch.no_grad()
def _recurrent(model: "RecurrentModel", int8: bool) -> cells.Net:
    """The network of an RNN, an LSTM or a GRU; with `int8` all but the first and the last matrix are."""
    settings, layers = model.settings, model.layers.all_weights
    size, cell = settings.hidden_size, settings.cell
    matrices = [layers[0][1]] + [matrix for layer in layers[1:] for matrix in layer[:2]]
    panels = pack(np.stack([_array(matrix.t()) for matrix in matrices]), int8)
    inputs, hiddens = ([layer[at] for layer in layers] for at in (2, 3))
    if cell == "gru":
        # The hidden state's part in the last gate has a bias of its own.
        fresh = np.stack([_array(bias[2 * size :]) for bias in hiddens])
        hiddens = [torch.cat([bias[: 2 * size], 0 * bias[2 * size :]]) for bias in hiddens]
    biases = [one + other for one, other in zip(inputs, hiddens, strict=True)]
    given = model.norms[0](model.embedding.weight).double() @ layers[0][0].double().t() + biases[0]
    if model.lookback is not None:
        given = torch.cat([given, model.lookback.table.double() @ layers[0][0].double().t()])
    frame = _frame(
        model, given, torch.stack(biases), model.norms, settings.residual, settings.layer_norm,
        settings.lookback_segments,
    )  # fmt: skip
    if cell == "gru":
        return cells.GRU(frame, panels, fresh, np.zeros_like(frame.biases[0]))
    return {"lstm": cells.LSTM, "rnn": cells.RNN}[cell](frame, panels)


@torch.no_grad()
def _min_gru(model: "MinGruModel", int8: bool) -> cells.Net:
    """The network of a minimal GRU; with `int8` all but the last matrix are."""
    inward, outward = ([getattr(layer, name) for layer in model.layers] for name in ("inward", "outward"))
    biases = torch.stack([linear.bias for linear in inward])
    norms = [*(layer.norm for layer in model.layers), model.norm]
    matrices = (np.stack([_array(linear.weight.t()) for linear in part]) for part in (inward, outward))
    frame = _frame(model, biases[:1], biases, norms, True, True)
    return cells.MinGRU(frame, *(pack(each, int8) for each in matrices))


@torch.no_grad()
def _mixture(model: "MixtureModel", int8: bool) -> mixture_cell.Mixing | None:
    """The step of a mixture, None before it has a text to look things up in; with `int8` its network is as
    above, and nothing else."""
    if not len(model.text):
        return None
    layout, seen = model.layout, model.layout.values
    network = _recurrent(model.network, int8)
    inward = model.network.layers.all_weights[0][0]
    network.frame.looked_up[:, : len(inward)] += _array(inward @ model.evidence_in.bias)
    names = _wide(torch.zeros(0, len(inward)) if layout.dense else model.letter_in.weight @ inward.t())
    first, _, last = model.gate
    evidence, from_evidence, from_hidden, weighing = (
        pack(_array(matrix.t())[None])
        for matrix in (
            inward @ model.evidence_in.weight, first.weight[:, :seen], first.weight[:, seen:], last.weight
        )
    )  # fmt: skip
    return mixture_cell.Mixing(
        network.frame, network, model.training_index.sources(model.copy_weight), new_state(layout, 1, 1),
        evidence, names, from_evidence, from_hidden, _wide(first.bias[None])[0], weighing,
        _wide(last.bias[None])[0],
    )  # fmt: skip


def _markov(model: "MarkovModel", int8: bool) -> markov_cell.MarkovCell:
    """The step of a Markov model, which has counts and no weights."""
    return markov_cell.markov_cell(model.tables, model.vocab_size)


EXPORTERS: dict[str, Callable[[Any, bool], Any]] = {
    "recurrent": _recurrent, "min_gru": _min_gru, "mixture": _mixture, "markov": _markov
}  # fmt: skip
"""By `Model.decode_step`, not by class: the class of an unused family would take time to import."""


def _frame(
    model: torch.nn.Module, looked_up: Tensor, biases: Tensor, norms: Sequence[torch.nn.Module],
    residual: bool, normed: bool, segments: Segments | None = None,
) -> cells.Frame:  # fmt: skip
    readout, embedding = model.readout, model.embedding.weight
    plain = torch.ones(len(biases) + 1, embedding.shape[1])
    gains = torch.stack([norm.weight for norm in norms]) if normed else plain
    shifts = torch.stack([norm.bias for norm in norms]) if normed else plain
    return cells.Frame(
        _array(embedding), _wide(looked_up), _wide(biases), _array(gains), _array(shifts),
        pack(_array(readout.weight.t())[None]), _wide(readout.bias[None])[0], residual, normed,
        LookbackConfig.from_segments(segments),
    )  # fmt: skip


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _wide(tensor: Tensor) -> Array:
    """Filled with zeros up to a whole number of panels."""
    rows, columns = tensor.shape
    wide = aligned((rows, padded(columns)))
    wide[:, :columns] = _array(tensor)
    return wide
