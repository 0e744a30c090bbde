"""Matrix products for sampling, compiled: the numbers of a row do not depend on the other rows.

The product of a library rounds differently for other shapes, so that a sample would depend on how many are
drawn at once. Here every number of the result is one chain of fused multiplications and additions, in the
order of the weights' rows, whether one row is multiplied or many.

Weights are stored in blocks of `BLOCK_WIDTH` columns, one after the other, so that they are read in the order
in which they lie (`packed_weights.py`). The micro-kernel keeps the sums of `BLOCK_ROWS` rows times one column
block in registers (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008). It is
written in LLVM instructions: numba does not keep an array of sums in registers.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.runtime.numba_options import BARE

Array = np.ndarray

HAS_AVX512 = binding.get_host_cpu_features().get("avx512f", False)
VECTOR_SIZE = 16 if HAS_AVX512 else 8
VECTORS_PER_BLOCK = 2
BLOCK_WIDTH = VECTOR_SIZE * VECTORS_PER_BLOCK
"""Columns of a column block."""
BLOCK_ROWS = 12 if HAS_AVX512 else 6
"""Rows of the micro-kernel: with `VECTORS_PER_BLOCK` vectors each, as many as fit into the registers together
with the factors."""
BLOCKS_AT_ONCE = 8
"""Column blocks that are read together for a single row, whose chains would otherwise wait for each other."""


class PackedWeights(NamedTuple):
    """Matrices ``(count, inputs, outputs)`` as `packed_weights.gemm` reads them."""

    weights: Array
    """``(count, blocks, inputs, BLOCK_WIDTH)``, float32, or int8 for CPUs without VNNI; for CPUs with it
    uint8, in the order of `gemm_int8.interleave_weights`."""
    scales: Array
    """The factor of each column's sum, ``(count, blocks * BLOCK_WIDTH)`` float32."""
    inputs: int


@njit(**BARE)
def gemm_f32(
    rows: Array, column: int, count: int, row_scales: Array, weights: Array, scales: Array, out: Array
) -> None:
    """Add to `out` ``(rows, blocks * BLOCK_WIDTH)`` the product of `rows`, from `column` on, and `weights`
    ``(blocks, inputs, BLOCK_WIDTH)``, float32 or int8.

    The first `count` rows are multiplied; rows up to the next multiple of `BLOCK_ROWS` get undefined numbers.
    Each sum is multiplied by the scale of its column and, for int8, of its row.
    """
    blocks = weights.shape[0]
    if count == 1:
        block = 0
        while block + BLOCKS_AT_ONCE <= blocks:
            _micro_kernel(1, BLOCKS_AT_ONCE, rows, 0, column, row_scales, weights, block, scales, out)
            block += BLOCKS_AT_ONCE
        while block < blocks:
            _micro_kernel(1, 1, rows, 0, column, row_scales, weights, block, scales, out)
            block += 1
        return
    for block in range(blocks):
        for row in range(0, count, BLOCK_ROWS):
            _micro_kernel(BLOCK_ROWS, 1, rows, row, column, row_scales, weights, block, scales, out)


def _type_micro_kernel(  # noqa: ANN202
    typing,  # noqa: ANN001
    rows, blocks_at_once, source, row, column, row_scales, weights, block, scales, out,  # noqa: ANN001
):  # fmt: skip
    """`rows` rows times `blocks_at_once` column blocks, both constants, with all sums in registers."""
    signature = types.void(rows, blocks_at_once, source, row, column, row_scales, weights, block, scales, out)
    height, breadth = rows.literal_value, blocks_at_once.literal_value

    def generate(context, builder, signature, arguments) -> ir.Value:  # noqa: ANN001
        kinds = signature.args
        arrays = [context.make_array(kinds[at])(context, builder, arguments[at]) for at in (2, 5, 6, 8, 9)]
        row, column, block = (context.cast(builder, arguments[at], kinds[at], types.intp) for at in (3, 4, 7))
        is_int8 = kinds[6].dtype == types.int8
        kernel = _MicroKernel(context, builder, *arrays, int8=is_int8)
        kernel.generate(height, breadth, row, column, block)
        return context.get_dummy_value()

    return signature, generate


# Any: numba's stubs keep the signature, but callers leave out `typing`.
_micro_kernel: Any = intrinsic(prefer_literal=True)(_type_micro_kernel)


class VectorBuilder:
    """Builds LLVM instructions on vectors of `VECTOR_SIZE` numbers."""

    # Any: the stubs of llvmlite say that its decorated methods return None.
    def __init__(self, context: Any, builder: Any) -> None:
        self.context, self.builder = context, builder
        self.floats = ir.VectorType(ir.FloatType(), VECTOR_SIZE)
        self.integers = ir.VectorType(ir.IntType(32), VECTOR_SIZE)
        self.fma = self.function(f"llvm.fmuladd.v{VECTOR_SIZE}f32", self.floats)

    def function(self, name: str, kind: ir.Type) -> ir.Function:
        """A function of three vectors that returns one, all of this kind."""
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind] * 3), name)

    def number(self, value: int) -> ir.Constant:
        return self.context.get_constant(types.intp, value)

    def times(self, value: ir.Value, factor: int) -> ir.Value:
        return self.builder.mul(value, self.number(factor))

    def read(self, data: ir.Value, at: ir.Value, kind: ir.Type | None = None, align: int = 4) -> ir.Value:
        """The vector that begins at an element; of floats without a `kind`."""
        pointer = self.builder.gep(data, [at])
        loaded = self.builder.load(self.builder.bitcast(pointer, (kind or self.floats).as_pointer()))
        loaded.align = align
        return loaded

    def element(self, data: ir.Value, at: ir.Value) -> ir.Value:
        return self.builder.load(self.builder.gep(data, [at]))

    def splat(self, one: ir.Value, kind: ir.VectorType) -> ir.Value:
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, one, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(self.integers, [0] * VECTOR_SIZE)
        return self.builder.shuffle_vector(first, undefined, mask)

    def add_scaled(self, total: ir.Value, scale: ir.Value, data: ir.Value, at: ir.Value) -> None:
        """Add to the floats that begin at an element."""
        result = self.builder.call(self.fma, [total, scale, self.read(data, at)])
        pointer = self.builder.bitcast(self.builder.gep(data, [at]), self.floats.as_pointer())
        self.builder.store(result, pointer).align = 4


class _MicroKernel(VectorBuilder):
    """Builds the instructions of one micro-kernel."""

    def __init__(self, context, builder, source, row_scales, weights, scales, out, int8) -> None:  # noqa: ANN001
        super().__init__(context, builder)
        self.source, self.row_scales, self.weights, self.int8 = source, row_scales, weights, int8
        self.scales, self.out = scales, out

    def generate(self, height: int, breadth: int, row: ir.Value, column: ir.Value, block: ir.Value) -> None:
        builder, number = self.builder, self.number
        depth = cgutils.unpack_tuple(builder, self.weights.shape)[1]
        stride = cgutils.unpack_tuple(builder, self.source.shape)[1]
        rows = [builder.add(row, number(r)) for r in range(height)]
        places = [
            self.times(builder.mul(builder.add(block, number(p)), depth), BLOCK_WIDTH) for p in range(breadth)
        ]
        zero = ir.Constant(self.floats, [0.0] * VECTOR_SIZE)
        across = range(breadth * VECTORS_PER_BLOCK)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in across] for _ in rows]
        for line in sums:
            for place in line:
                builder.store(zero, place)
        with cgutils.for_range(builder, depth) as loop:
            at = self.times(loop.index, BLOCK_WIDTH)
            factors = [
                self.factor(builder.add(builder.add(begin, at), number(v * VECTOR_SIZE)))
                for begin in places for v in range(VECTORS_PER_BLOCK)
            ]  # fmt: skip
            # One pointer moves from row to row; a pointer for each row would take a register each.
            begin = builder.add(builder.add(builder.mul(row, stride), column), loop.index)
            for line in sums:
                one = self.element(self.source.data, begin)
                begin = builder.add(begin, stride)
                many = self.splat(one, self.floats)
                for factor, place in zip(factors, line, strict=True):
                    builder.store(builder.call(self.fma, [many, factor, builder.load(place)]), place)
        for each, line in zip(rows, sums, strict=True):
            self.add_up(each, block, line)

    def add_up(self, row: ir.Value, block: ir.Value, line: list[ir.Value]) -> None:
        builder = self.builder
        stride = cgutils.unpack_tuple(builder, self.out.shape)[1]
        for v, place in enumerate(line):
            at = builder.add(self.times(block, BLOCK_WIDTH), self.number(v * VECTOR_SIZE))
            scale = self.read(self.scales.data, at)
            if self.int8:
                row_scale = self.splat(self.element(self.row_scales.data, row), self.floats)
                scale = builder.fmul(row_scale, scale)
            target = builder.add(builder.mul(row, stride), at)
            self.add_scaled(builder.load(place), scale, self.out.data, target)

    def factor(self, at: ir.Value) -> ir.Value:
        if not self.int8:
            return self.read(self.weights.data, at)
        small = self.read(self.weights.data, at, ir.VectorType(ir.IntType(8), VECTOR_SIZE), align=1)
        return self.builder.sitofp(self.builder.sext(small, self.integers), self.floats)
