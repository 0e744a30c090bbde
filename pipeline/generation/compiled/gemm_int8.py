"""Matrix products of 8-bit integers for sampling: exact, whatever the order of additions.

A large model is limited by reading its weights, and bytes are read four times as fast as floats. The kernel
makes sampling from large models 4 to 7 times as fast (`python -m benchmarks.sampling`).

Quantization. Each row is rounded to 255 steps between minus and plus its largest number (`quantize_rows`), as
each column of the weights is (`packed_weights.pack`). A sum of products of such integers is exact in 32 bits;
one multiplication by the scales of row and column gives the float. So the result does not depend on the CPU,
the number of rows or the order of additions.

Instructions. CPUs with AVX-512 VNNI or AVX-VNNI have ``vpdpbusd``: it multiplies 64 or 32 pairs of bytes and
adds the products of each group of four to one 32-bit sum. One factor must be unsigned: `OFFSET` is added to
the weights, and `QuantizedRows.offsets` takes its contribution off each sum. Other CPUs compute the same
integers as floats with `gemm_f32`.

Layout. ``vpdpbusd`` reads four inputs of one column side by side, so that packed weights are
``(blocks, groups, BLOCK_WIDTH, GROUP)`` (`interleave_weights`): a load of one vector has `GROUP` inputs of
`VECTOR_SIZE` columns. Rows are padded with zeros to a multiple of `DEPTH` inputs.

Tests. `tests/generation/test_int8.py` compares the integers with numpy's, for all three kinds of weights, and
samples with those of a plain model with rounded weights.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils, config
from numba.extending import intrinsic

from pipeline.generation.compiled.gemm_f32 import (
    BLOCK_ROWS,
    BLOCK_WIDTH,
    HAS_AVX512,
    VECTOR_SIZE,
    VECTORS_PER_BLOCK,
    VectorBuilder,
)
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
MAX_INT8, OFFSET = np.int32(127), 128
STEP = np.float32(1 / 127)
GROUP = 4
"""Pairs of bytes whose products one instruction adds to a sum."""
SPLIT = 4
"""Sums for each column of a single row: one sum would wait for itself."""
DEPTH = GROUP * SPLIT
"""Rows are padded with zeros up to a multiple of this."""
MIN_SCALE = np.float32(1e-30)
"""Smaller scales count as zero: the inverse of a scale must be finite."""
MAGNITUDE_BITS = np.int32(0x7FFFFFFF)
HAS_VNNI = (
    binding.get_host_cpu_features().get("avx512vnni" if HAS_AVX512 else "avxvnni", False)
    # A user who sets numba's CPU wants none of the other instructions of the host.
    and vars(config)["CPU_NAME"] is vars(config)["CPU_FEATURES"] is None
)
"""Whether this CPU has products of bytes."""


class QuantizedRows(NamedTuple):
    """Scratch space for quantized rows."""

    bytes: Array
    """``(rows, depth)`` int8."""
    floats: Array
    """The same integers as float32, for CPUs without VNNI."""
    scales: Array
    """The factor of each row, ``(rows,)``."""
    offsets: Array
    """Minus the contribution of the weights' offset to each sum of a row, ``(rows,)`` int32."""


def new_quantized_rows(rows: int, depth: int) -> QuantizedRows:
    """Scratch space for rows of at most `depth` numbers."""
    shape = rows, pad_depth(depth)
    return QuantizedRows(
        np.zeros(shape, np.int8), np.zeros(shape, np.float32), np.zeros(rows, np.float32),
        np.zeros(rows, np.int32),
    )  # fmt: skip


def pad_depth(depth: int) -> int:
    """The next multiple of `DEPTH`."""
    return -(-depth // DEPTH) * DEPTH


def interleave_weights(blocks: Array) -> Array:
    """Integer weights ``(count, blocks, inputs, BLOCK_WIDTH)`` in the order of `gemm_int8`, with the offset:
    ``(count, blocks, groups, BLOCK_WIDTH, GROUP)``."""
    count, across, inputs, width = blocks.shape
    deep = np.zeros((count, across, pad_depth(inputs), width), np.int16)
    deep[:, :, :inputs] = blocks
    groups = (deep + OFFSET).astype(np.uint8).reshape(count, across, -1, GROUP, width)
    return groups.transpose(0, 1, 2, 4, 3)


@njit(**INNER)
def quantize_rows(source: Array, column: int, count: int, depth: int, quantized: QuantizedRows) -> None:
    """Quantize `depth` numbers, from `column` on, of each of the first `count` rows."""
    for row in range(count):
        numbers = source[row, column : column + depth]
        small, floats = quantized.bytes[row], quantized.floats[row]
        largest = np.int32(0)
        for i in range(depth):
            # Without the sign, the bits of floats order as the floats do; infinities and NaN come last.
            largest = max(largest, np.float32(numbers[i]).view(np.int32) & MAGNITUDE_BITS)
        scale = np.int32(largest).view(np.float32) * STEP
        if scale < MIN_SCALE:
            scale = np.float32(0)
        inverse = np.float32(1) / scale if scale != 0 else scale
        total = np.int32(0)
        for i in range(depth):
            floats[i] = np.rint(numbers[i] * inverse)
            number = np.int32(min(max(np.int32(floats[i]), -MAX_INT8), MAX_INT8))
            small[i] = np.int8(number)
            total += number
        for i in range(depth, -(-depth // DEPTH) * DEPTH):
            small[i] = np.int8(0)
        quantized.scales[row], quantized.offsets[row] = scale, -OFFSET * total


@njit(**INNER)
def gemm_int8(quantized: QuantizedRows, count: int, weights: Array, scales: Array, out: Array) -> None:
    """Add to `out` ``(rows, blocks * BLOCK_WIDTH)`` the product of the first `count` quantized rows and
    `weights` ``(blocks, groups, BLOCK_WIDTH, GROUP)``.

    Rows up to the next multiple of `BLOCK_ROWS` get undefined numbers.
    """
    for block in range(weights.shape[0]):
        if count == 1:
            _micro_kernel(1, quantized, 0, weights, block, scales, out)
        else:
            for row in range(0, count, BLOCK_ROWS):
                _micro_kernel(BLOCK_ROWS, quantized, row, weights, block, scales, out)


def _type_micro_kernel(typing, rows, quantized, row, weights, block, scales, out) -> tuple:  # noqa: ANN001
    """`rows` rows, a constant, times one column block, with all sums in registers."""
    signature = types.void(rows, quantized, row, weights, block, scales, out)
    height = rows.literal_value

    def generate(context, builder, signature, arguments) -> ir.Value:  # noqa: ANN001
        kinds = signature.args
        parts = zip(kinds[1].types, cgutils.unpack_tuple(builder, arguments[1]), strict=True)
        rounded = QuantizedRows(*(context.make_array(kind)(context, builder, part) for kind, part in parts))
        arrays = [context.make_array(kinds[at])(context, builder, arguments[at]) for at in (3, 5, 6)]
        row, block = (context.cast(builder, arguments[at], kinds[at], types.intp) for at in (2, 4))
        _MicroKernel(context, builder, rounded, *arrays).generate(height, row, block)
        return context.get_dummy_value()

    return signature, generate


# Any: numba's stubs keep the signature, but callers leave out `typing`.
_micro_kernel: Any = intrinsic(prefer_literal=True)(_type_micro_kernel)


class _MicroKernel(VectorBuilder):
    """Builds the instructions of one micro-kernel."""

    def __init__(self, context, builder, quantized, weights, scales, out) -> None:  # noqa: ANN001
        super().__init__(context, builder)
        self.quantized, self.weights, self.scales, self.out = quantized, weights, scales, out
        self.dot = self.function(f"llvm.x86.avx512.vpdpbusd.{32 * VECTOR_SIZE}", self.integers)

    def generate(self, height: int, row: ir.Value, block: ir.Value) -> None:
        builder, number = self.builder, self.number
        groups = cgutils.unpack_tuple(builder, self.weights.shape)[1]
        line = cgutils.unpack_tuple(builder, self.quantized.bytes.shape)[1]
        split = SPLIT if height == 1 else 1
        rows = [builder.add(row, number(r)) for r in range(height)]
        begins = [builder.mul(each, line) for each in rows]
        first = builder.mul(block, groups)
        sums = [[self.begin(each, part) for part in range(split)] for each in rows]
        with cgutils.for_range(builder, builder.udiv(groups, number(split))) as loop:
            for part in range(split):
                group = builder.add(self.times(loop.index, split), number(part))
                at = self.times(builder.add(first, group), BLOCK_WIDTH * GROUP)
                factors = [
                    self.read(
                        self.weights.data, builder.add(at, number(v * VECTOR_SIZE * GROUP)), self.integers
                    )
                    for v in range(VECTORS_PER_BLOCK)
                ]
                for begin, parts in zip(begins, sums, strict=True):
                    four = self.read(
                        self.quantized.bytes.data,
                        builder.add(begin, self.times(group, GROUP)),
                        ir.IntType(32),
                    )
                    many = self.splat(four, self.integers)
                    for factor, place in zip(factors, parts[part], strict=True):
                        builder.store(builder.call(self.dot, [builder.load(place), factor, many]), place)
        for each, parts in zip(rows, sums, strict=True):
            self.add_up(each, block, parts)

    def begin(self, row: ir.Value, part: int) -> list[ir.Value]:
        """A sum for each vector; those of the first part start with the offset."""
        zero = ir.Constant(self.integers, [0] * VECTOR_SIZE)
        start = (
            self.splat(self.element(self.quantized.offsets.data, row), self.integers) if part == 0 else zero
        )
        places = [cgutils.alloca_once_value(self.builder, zero) for _ in range(VECTORS_PER_BLOCK)]
        for place in places:
            self.builder.store(start, place)
        return places

    def add_up(self, row: ir.Value, block: ir.Value, parts: list[list[ir.Value]]) -> None:
        builder = self.builder
        stride = cgutils.unpack_tuple(builder, self.out.shape)[1]
        row_scale = self.splat(self.element(self.quantized.scales.data, row), self.floats)
        for v, places in enumerate(zip(*parts, strict=True)):
            total = builder.load(places[0])
            for place in places[1:]:
                total = builder.add(total, builder.load(place))
            at = builder.add(self.times(block, BLOCK_WIDTH), self.number(v * VECTOR_SIZE))
            scale = builder.fmul(row_scale, self.read(self.scales.data, at))
            target = builder.add(builder.mul(row, stride), at)
            self.add_scaled(builder.sitofp(total, self.floats), scale, self.out.data, target)
