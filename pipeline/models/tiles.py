"""Matrix products for sampling, compiled: the numbers of a row do not depend on the rows beside it.

A library's product rounds differently for other shapes, so that a sample would depend on how many are drawn
at once. Here every number of the result is one chain of joined multiplications and additions, in the order of
the weights' rows, whether one row is multiplied or many. Weights lie in panels of `WIDTH` columns, one panel
after the other, so that they are read in the order in which they lie; a tile of `ROWS` rows and a panel's
columns stays in registers (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008).

Weights are float32, or int8 with a scale for each column, which read a quarter of the memory.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.models.kernels import COMPILED

BARE = {**COMPILED, "_nrt": False}
"""Arrays are not counted, and none can be made: of small steps the counting would be a third of the time."""

_WIDE = binding.get_host_cpu_features().get("avx512f", False)
LANES = 16 if _WIDE else 8
VECTORS = 2
WIDTH = LANES * VECTORS
"""Columns of a panel."""
ROWS = 12 if _WIDE else 6
"""Rows of a tile: with `VECTORS` vectors each, as many as registers hold beside the factors."""
ABREAST = 8
"""Panels read side by side for a single row, whose chains would otherwise wait for each other."""
INT8_MOST = 127
CACHE_LINE = 64


class Panels(NamedTuple):
    """Matrices ``(count, inputs, outputs)`` as `add_product` reads them."""

    weights: np.ndarray
    """``(count, panels, inputs, WIDTH)``, float32 or int8."""
    scales: np.ndarray
    """``(count, panels * WIDTH)`` float32: what each column's sum is multiplied by."""


def aligned(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Zeros that begin at a line of the cache, so that no vector lies in two."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(length + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + length].view(dtype).reshape(shape)


def padded(columns: int) -> int:
    """The next multiple of a panel's width."""
    return -(-columns // WIDTH) * WIDTH


def pack(matrices: np.ndarray, int8: bool = False) -> Panels:
    """Panels of float32 matrices ``(count, inputs, outputs)``, the last one filled with zeros; as int8, each
    column is rounded to 255 steps between minus and plus its largest weight."""
    count, inputs, outputs = matrices.shape
    scales = np.ones((count, padded(outputs)), np.float32)
    if int8:
        largest = np.abs(matrices).max(1)
        scales[:, :outputs] = np.where(largest > 0, largest / INT8_MOST, 1)
        matrices = np.rint(matrices / scales[:, None, :outputs])
    wide = np.zeros((count, inputs, padded(outputs)), matrices.dtype)
    wide[..., :outputs] = matrices
    weights = aligned((count, padded(outputs) // WIDTH, inputs, WIDTH), np.int8 if int8 else np.float32)
    weights[:] = wide.reshape(count, inputs, -1, WIDTH).transpose(0, 2, 1, 3)
    return Panels(weights, scales)


@njit(**BARE)
def add_product(
    rows: np.ndarray, column: int, count: int, weights: np.ndarray, scales: np.ndarray, out: np.ndarray
) -> None:
    """Add to `out` ``(rows, panels * WIDTH)`` the product of `rows`, from `column` on, and of `weights`
    ``(panels, inputs, WIDTH)``; of the first `count` rows, and of junk up to the next multiple of `ROWS`."""
    panels = weights.shape[0]
    if count == 1:
        panel = 0
        while panel + ABREAST <= panels:
            _tile(1, ABREAST, rows, 0, column, weights, panel, scales, out)
            panel += ABREAST
        while panel < panels:
            _tile(1, 1, rows, 0, column, weights, panel, scales, out)
            panel += 1
        return
    for panel in range(panels):
        for row in range(0, count, ROWS):
            _tile(ROWS, 1, rows, row, column, weights, panel, scales, out)


@intrinsic(prefer_literal=True)
def _tile(typing, rows, abreast, source, row, column, weights, panel, scales, out) -> tuple:  # noqa: ANN001
    """`rows` rows times `abreast` panels, both constants, with all the sums in registers."""
    signature = types.void(rows, abreast, source, row, column, weights, panel, scales, out)
    height, breadth = rows.literal_value, abreast.literal_value

    def generate(context, builder, signature, arguments) -> ir.Value:  # noqa: ANN001
        kinds = signature.args
        source, weights, scales, out = (
            context.make_array(kinds[at])(context, builder, arguments[at]) for at in (2, 5, 7, 8)
        )
        row, column, panel = (context.cast(builder, arguments[at], kinds[at], types.intp) for at in (3, 4, 6))
        _Tile(context, builder, kinds[5].dtype == types.int8).generate(
            height, breadth, source, row, column, weights, panel, scales, out
        )
        return context.get_dummy_value()

    return signature, generate


class _Tile:
    """Writes the instructions of one tile."""

    def __init__(self, context: object, builder: ir.IRBuilder, int8: bool) -> None:
        self.context, self.builder, self.int8 = context, builder, int8
        self.vector = ir.VectorType(ir.FloatType(), LANES)
        self.fma = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fmuladd.v{LANES}f32",
        )

    def generate(self, height, breadth, source, row, column, weights, panel, scales, out) -> None:  # noqa: ANN001
        builder, number = self.builder, self.number
        depth = cgutils.unpack_tuple(builder, weights.shape)[1]
        stride, out_stride = (cgutils.unpack_tuple(builder, a.shape)[1] for a in (source, out))
        begins = [
            builder.add(builder.mul(builder.add(row, number(r)), stride), column) for r in range(height)
        ]
        places = [
            builder.mul(builder.mul(builder.add(panel, number(p)), depth), number(WIDTH))
            for p in range(breadth)
        ]
        zero = ir.Constant(self.vector, [0.0] * LANES)
        across = breadth * VECTORS
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(across)] for _ in range(height)]
        for line in sums:
            for place in line:
                builder.store(zero, place)
        with cgutils.for_range(builder, depth) as loop:
            at = builder.mul(loop.index, number(WIDTH))
            factors = [
                self.weights(weights.data, builder.add(builder.add(begin, at), number(v * LANES)))
                for begin in places for v in range(VECTORS)
            ]  # fmt: skip
            for begin, line in zip(begins, sums, strict=True):
                one = builder.load(builder.gep(source.data, [builder.add(begin, loop.index)]))
                many = self.splat(one)
                for factor, place in zip(factors, line, strict=True):
                    builder.store(builder.call(self.fma, [many, factor, builder.load(place)]), place)
        for r, line in enumerate(sums):
            begin = builder.mul(builder.add(row, number(r)), out_stride)
            for v, place in enumerate(line):
                at = builder.add(builder.mul(panel, number(WIDTH)), number(v * LANES))
                target = self.pointer(out.data, builder.add(begin, at))
                before, scale = self.read(target), self.read(self.pointer(scales.data, at))
                result = builder.call(self.fma, [builder.load(place), scale, before])
                builder.store(result, target).align = 4

    def number(self, value: int) -> ir.Constant:
        return self.context.get_constant(types.intp, value)

    def pointer(self, data: ir.Value, at: ir.Value) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(data, [at]), self.vector.as_pointer())

    def read(self, pointer: ir.Value) -> ir.Value:
        loaded = self.builder.load(pointer)
        loaded.align = 4
        return loaded

    def weights(self, data: ir.Value, at: ir.Value) -> ir.Value:
        if not self.int8:
            return self.read(self.pointer(data, at))
        small = ir.VectorType(ir.IntType(8), LANES)
        pointer = self.builder.bitcast(self.builder.gep(data, [at]), small.as_pointer())
        loaded = self.builder.load(pointer)
        loaded.align = 1
        whole = self.builder.sext(loaded, ir.VectorType(ir.IntType(32), LANES))
        return self.builder.sitofp(whole, self.vector)

    def splat(self, one: ir.Value) -> ir.Value:
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, one, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(first, undefined, mask)
