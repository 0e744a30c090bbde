"""Weights of 8 bits: the same whole numbers by any instructions, and the symbols of a plain reference."""

import functools

import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from pipeline.data.alphabet import Alphabet
from pipeline.generation.compiled import export
from pipeline.generation.compiled.gemm_f32 import BLOCK_ROWS
from pipeline.generation.compiled.gemm_int8 import HAS_VNNI, new_quantized_rows
from pipeline.generation.compiled.packed_weights import gemm, pack, padded
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.model import Model
from pipeline.models.recurrent import Recurrent

ALPHABET = Alphabet("ACGT")
REQUEST = Request(count=150, length=40, seed=7, prime="GAT", open_ended=True, int8=True)
needs_vnni = pytest.mark.skipif(
    not HAS_VNNI, reason="this CPU has no products of bytes (AVX-512 VNNI, AVX-VNNI)"
)


@njit
def multiplied(rows, column, count, packed, which, space, out):
    gemm(rows, column, count, packed, which, space, out)


def rounded(numbers: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, and the scales that give the original ones back."""
    scales = np.abs(numbers).max(axis, keepdims=True) * np.float32(1 / 127)
    return np.rint(numbers * (1 / scales)), scales


@pytest.mark.parametrize("vnni", [pytest.param(True, marks=needs_vnni), False])
@pytest.mark.parametrize(
    ("count", "inputs", "outputs"), [(1, 512, 700), (1, 7, 3), (5, 50, 40), (30, 99, 70)]
)
def test_sums_are_exact(vnni, count, inputs, outputs):
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(2, inputs, outputs)).astype(np.float32)
    rows = np.zeros((1 if count == 1 else -(-count // BLOCK_ROWS) * BLOCK_ROWS, 3 + inputs), np.float32)
    rows[:count] = rng.normal(size=(count, 3 + inputs))
    out = np.ones((len(rows), padded(outputs)), np.float32)
    multiplied(rows, 3, count, pack(matrices, True, vnni), 1, new_quantized_rows(len(rows), inputs), out)
    whole, scales = rounded(rows[:count, 3:], 1)
    weights = np.rint(matrices[1] / (np.abs(matrices[1]).max(0) / np.float32(127)))
    exact = (whole.astype(np.int64) @ weights.astype(np.int64)).astype(np.float32)
    expected = 1 + exact * (scales * (np.abs(matrices[1]).max(0) / np.float32(127))).astype(np.float64)
    assert np.array_equal(out[:count, :outputs], expected.astype(np.float32))


def test_a_row_of_zeros_adds_nothing_and_one_that_is_not_finite_gives_no_numbers():
    packed = pack(np.ones((1, 20, 4), np.float32), True)
    for value in (0.0, 1e-40, np.nan, np.inf):
        rows, out = np.full((1, 20), value, np.float32), np.full((1, padded(4)), 2.0, np.float32)
        multiplied(rows, 0, 1, packed, 0, new_quantized_rows(1, 20), out)
        assert (out[0, :4] == 2.0).all() if abs(value) < 1 else not np.isfinite(out[0, :4]).any()


class PlainInt8(Model):
    """An LSTM in numpy, step by step, by the definition of the rounding."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        numbers = {name: value.numpy() for name, value in model.state_dict().items()}
        self.embedding, self.readout = numbers["embedding.weight"], numbers["readout.weight"]
        self.readout_bias, self.layers = numbers["readout.bias"], []
        for layer in range(model.settings.num_layers):
            inward, hidden = (numbers[f"layers.weight_{kind}_l{layer}"] for kind in ("ih", "hh"))
            one, other = (numbers[f"layers.bias_{kind}_l{layer}"] for kind in ("ih", "hh"))
            self.layers.append((inward, hidden, one + other))

    def forward(self, symbols, state=None):
        shape = len(self.layers), len(symbols), self.embedding.shape[1]
        hidden, cell = state or (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        for step in symbols.numpy().T:
            below = self.embedding[step]
            for layer, (inward, weights, bias) in enumerate(self.layers):
                given = below @ inward.T if layer == 0 else self.product(below, inward)
                gates = given + bias + self.product(hidden[layer], weights)
                let_in, forget, fresh, out = np.split(gates, 4, -1)
                cell[layer] = cell[layer] / (1 + np.exp(-forget)) + np.tanh(fresh) / (1 + np.exp(-let_in))
                hidden[layer] = below = np.tanh(cell[layer]) / (1 + np.exp(-out))
        logits = hidden[-1] @ self.readout.T + self.readout_bias
        return torch.from_numpy(logits)[:, None], (hidden, cell)

    def product(self, rows, weights):
        if not rows.any():
            return np.zeros((len(rows), len(weights)), np.float32)
        (whole, row_scales), (columns, scales) = rounded(rows, 1), rounded(weights, 1)
        return (whole @ columns.T * (row_scales * scales.T)).astype(np.float32)


def built(settings) -> nn.Module:
    torch.manual_seed(1)
    model = settings.build(len(ALPHABET)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.mark.parametrize("vnni", [pytest.param(True, marks=needs_vnni), False])
def test_samples_are_those_of_a_plain_reference(monkeypatch, vnni):
    monkeypatch.setattr(export, "pack", functools.partial(pack, vnni=vnni))
    model = built(Recurrent("lstm", 40, 2))
    fast, slow = list(draw(model, ALPHABET, REQUEST)), list(draw(PlainInt8(model), ALPHABET, REQUEST))
    assert [each.symbols for each in fast] == [each.symbols for each in slow]
    # Where a number lies between two whole ones, its last bit may decide for either.
    expected = [each.log_probability for each in slow]
    assert [each.log_probability for each in fast] == pytest.approx(expected, abs=0.05)
    assert np.mean([a.log_probability - b for a, b in zip(fast, expected, strict=True)]) < 1e-3
    assert len({each.symbols for each in fast}) > 100


@needs_vnni
def test_the_same_bytes_by_any_instructions(monkeypatch):
    model = built(Recurrent("lstm", 40, 2))
    fast = list(draw(model, ALPHABET, REQUEST))
    monkeypatch.setattr(export, "pack", functools.partial(pack, vnni=False))
    assert list(draw(model, ALPHABET, REQUEST)) == fast
