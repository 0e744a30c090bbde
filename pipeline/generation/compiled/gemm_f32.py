"""Matrix products for sampling, compiled: the numbers of a row do not depend on the other rows.

A library's product rounds differently for other shapes, so that a sample would depend on how many are drawn
at once. Here every number of the result is one chain of joined multiplications and additions, in the order of
the weights' rows, whether one row is multiplied or many. Weights lie in panels of `WIDTH` columns, one panel
after the other, so that they are read in the order in which they lie; a tile of `ROWS` rows and a panel's
columns stays in registers (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008).

Read next: `panels`, which chooses between these tiles and those of `dots`.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.runtime.numba_options import BARE

Array = np.ndarray

WIDE = binding.get_host_cpu_features().get("avx512f", False)
LANES = 16 if WIDE else 8
VECTORS = 2
WIDTH = LANES * VECTORS
"""Columns of a panel."""
ROWS = 12 if WIDE else 6
"""Rows of a tile: with `VECTORS` vectors each, as many as registers hold together with the factors."""
ABREAST = 8
"""Panels read side by side for a single row, whose chains would otherwise wait for each other."""


class Panels(NamedTuple):
    """Matrices ``(count, inputs, outputs)`` as `panels.add_product` reads them."""

    weights: Array
    """``(count, panels, inputs, WIDTH)``, float32, or int8 for CPUs that lack the instructions of `dots`; for
    others uint8, as `dots.interleave` lays them out."""
    scales: Array
    """``(count, panels * WIDTH)`` float32: what each column's sum is multiplied by."""
    inputs: int


@njit(**BARE)
def add_tiles(
    rows: Array, column: int, count: int, row_scales: Array, weights: Array, scales: Array, out: Array
) -> None:
    """Add to `out` ``(rows, panels * WIDTH)`` the product of `rows`, from `column` on, and of `weights`
    ``(panels, inputs, WIDTH)``, float32 or int8; of the first `count` rows, and of junk up to the next
    multiple of `ROWS`. Each column's sum is multiplied by its scale and, of int8, its row's."""
    panels = weights.shape[0]
    if count == 1:
        panel = 0
        while panel + ABREAST <= panels:
            _tile(1, ABREAST, rows, 0, column, row_scales, weights, panel, scales, out)
            panel += ABREAST
        while panel < panels:
            _tile(1, 1, rows, 0, column, row_scales, weights, panel, scales, out)
            panel += 1
        return
    for panel in range(panels):
        for row in range(0, count, ROWS):
            _tile(ROWS, 1, rows, row, column, row_scales, weights, panel, scales, out)


@intrinsic(prefer_literal=True)
def _tile(typing, rows, abreast, source, row, column, row_scales, weights, panel, scales, out) -> tuple:  # noqa: ANN001
    """`rows` rows times `abreast` panels, both constants, with all the sums in registers."""
    signature = types.void(rows, abreast, source, row, column, row_scales, weights, panel, scales, out)
    height, breadth = rows.literal_value, abreast.literal_value

    def generate(context, builder, signature, arguments) -> ir.Value:  # noqa: ANN001
        kinds = signature.args
        arrays = [context.make_array(kinds[at])(context, builder, arguments[at]) for at in (2, 5, 6, 8, 9)]
        row, column, panel = (context.cast(builder, arguments[at], kinds[at], types.intp) for at in (3, 4, 7))
        tile = _Tile(context, builder, *arrays, kinds[6].dtype == types.int8)
        tile.generate(height, breadth, row, column, panel)
        return context.get_dummy_value()

    return signature, generate


class Writer:
    """Writes instructions on vectors of `LANES` numbers."""

    # Any: the stubs of llvmlite say that its decorated methods return None.
    def __init__(self, context: Any, builder: Any) -> None:
        self.context, self.builder = context, builder
        self.floats = ir.VectorType(ir.FloatType(), LANES)
        self.integers = ir.VectorType(ir.IntType(32), LANES)
        self.fma = self.function(f"llvm.fmuladd.v{LANES}f32", self.floats)

    def function(self, name: str, kind: ir.Type) -> ir.Function:
        """One that takes three vectors and gives one, all of this kind."""
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind] * 3), name)

    def number(self, value: int) -> ir.Constant:
        return self.context.get_constant(types.intp, value)

    def times(self, value: ir.Value, factor: int) -> ir.Value:
        return self.builder.mul(value, self.number(factor))

    def read(self, data: ir.Value, at: ir.Value, kind: ir.Type | None = None, align: int = 4) -> ir.Value:
        """The vector, of floats if nothing else is said, that begins at an element."""
        pointer = self.builder.gep(data, [at])
        loaded = self.builder.load(self.builder.bitcast(pointer, (kind or self.floats).as_pointer()))
        loaded.align = align
        return loaded

    def element(self, data: ir.Value, at: ir.Value) -> ir.Value:
        return self.builder.load(self.builder.gep(data, [at]))

    def splat(self, one: ir.Value, kind: ir.VectorType) -> ir.Value:
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, one, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(self.integers, [0] * LANES)
        return self.builder.shuffle_vector(first, undefined, mask)

    def add_scaled(self, total: ir.Value, scale: ir.Value, data: ir.Value, at: ir.Value) -> None:
        """Add to the floats that begin at an element."""
        result = self.builder.call(self.fma, [total, scale, self.read(data, at)])
        pointer = self.builder.bitcast(self.builder.gep(data, [at]), self.floats.as_pointer())
        self.builder.store(result, pointer).align = 4


class _Tile(Writer):
    """Writes the instructions of one tile."""

    def __init__(self, context, builder, source, row_scales, weights, scales, out, int8) -> None:  # noqa: ANN001
        super().__init__(context, builder)
        self.source, self.row_scales, self.weights, self.int8 = source, row_scales, weights, int8
        self.scales, self.out = scales, out

    def generate(self, height: int, breadth: int, row: ir.Value, column: ir.Value, panel: ir.Value) -> None:
        builder, number = self.builder, self.number
        depth = cgutils.unpack_tuple(builder, self.weights.shape)[1]
        stride = cgutils.unpack_tuple(builder, self.source.shape)[1]
        rows = [builder.add(row, number(r)) for r in range(height)]
        places = [
            self.times(builder.mul(builder.add(panel, number(p)), depth), WIDTH) for p in range(breadth)
        ]
        zero = ir.Constant(self.floats, [0.0] * LANES)
        across = range(breadth * VECTORS)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in across] for _ in rows]
        for line in sums:
            for place in line:
                builder.store(zero, place)
        with cgutils.for_range(builder, depth) as loop:
            at = self.times(loop.index, WIDTH)
            factors = [
                self.factor(builder.add(builder.add(begin, at), number(v * LANES)))
                for begin in places for v in range(VECTORS)
            ]  # fmt: skip
            # One place after the other: with a pointer for each row, all would have to be kept.
            begin = builder.add(builder.add(builder.mul(row, stride), column), loop.index)
            for line in sums:
                one = self.element(self.source.data, begin)
                begin = builder.add(begin, stride)
                many = self.splat(one, self.floats)
                for factor, place in zip(factors, line, strict=True):
                    builder.store(builder.call(self.fma, [many, factor, builder.load(place)]), place)
        for each, line in zip(rows, sums, strict=True):
            self.add_up(each, panel, line)

    def add_up(self, row: ir.Value, panel: ir.Value, line: list[ir.Value]) -> None:
        builder = self.builder
        stride = cgutils.unpack_tuple(builder, self.out.shape)[1]
        for v, place in enumerate(line):
            at = builder.add(self.times(panel, WIDTH), self.number(v * LANES))
            scale = self.read(self.scales.data, at)
            if self.int8:
                row_scale = self.splat(self.element(self.row_scales.data, row), self.floats)
                scale = builder.fmul(row_scale, scale)
            target = builder.add(builder.mul(row, stride), at)
            self.add_scaled(builder.load(place), scale, self.out.data, target)

    def factor(self, at: ir.Value) -> ir.Value:
        if not self.int8:
            return self.read(self.weights.data, at)
        small = self.read(self.weights.data, at, ir.VectorType(ir.IntType(8), LANES), align=1)
        return self.builder.sitofp(self.builder.sext(small, self.integers), self.floats)
