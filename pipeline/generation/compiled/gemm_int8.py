"""Matrix products of whole numbers of 8 bits, for sampling: exact, whatever the order of additions.

Rows are rounded to 255 steps between minus and plus their largest number, as `panels.pack` rounds columns of
weights. A sum of products of whole numbers is exact in 32 bits. CPUs with AVX-512 VNNI or AVX-VNNI add the
products of 64 or 32 pairs of bytes at once, so that reading the weights is all that takes time; one factor
must be without a sign there: to weights `OFFSET` is added, and what it adds is taken off each sum.
"""

from typing import NamedTuple

import numba
import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.generation.compiled.gemm_f32 import LANES, ROWS, VECTORS, WIDE, WIDTH, Writer
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
MOST, OFFSET = np.int32(127), 128
STEP = np.float32(1 / 127)
GROUP = 4
"""Pairs of bytes whose products are added to one sum."""
SPLIT = 4
"""Sums for each column of a single row, which would otherwise wait for each other."""
DEPTH = GROUP * SPLIT
"""Rows are filled with zeros up to a multiple of it."""
LEAST = np.float32(1e-30)
"""A scale below counts as zero: one over it must be finite."""
WITHOUT_SIGN = np.int32(0x7FFFFFFF)
HERE = (
    binding.get_host_cpu_features().get("avx512vnni" if WIDE else "avxvnni", False)
    # Who tells numba of another CPU than the host wants none of the host's instructions.
    and numba.config.CPU_NAME is numba.config.CPU_FEATURES is None
)
"""Whether this CPU has such instructions."""


class Rounded(NamedTuple):
    """Scratch space for rows of whole numbers."""

    bytes: Array
    """``(rows, depth)`` int8."""
    floats: Array
    """The same numbers in float32, for CPUs without such instructions."""
    scales: Array
    """What each row's numbers are multiplied by, ``(rows,)``."""
    starts: Array
    """What the weights' offset adds to each of a row's sums, negated, ``(rows,)`` int32."""


def scratch(rows: int, depth: int) -> Rounded:
    """Space for rows of at most so many numbers."""
    shape = rows, filled(depth)
    return Rounded(
        np.zeros(shape, np.int8), np.zeros(shape, np.float32), np.zeros(rows, np.float32),
        np.zeros(rows, np.int32),
    )  # fmt: skip


def filled(depth: int) -> int:
    """The next multiple of `DEPTH`."""
    return -(-depth // DEPTH) * DEPTH


def interleave(panels: Array) -> Array:
    """Whole weights ``(count, panels, inputs, WIDTH)`` as `add_dots` reads them, groups of inputs side by
    side: ``(count, panels, groups, WIDTH, GROUP)``, with the offset."""
    count, across, inputs, width = panels.shape
    deep = np.zeros((count, across, filled(inputs), width), np.int16)
    deep[:, :, :inputs] = panels
    groups = (deep + OFFSET).astype(np.uint8).reshape(count, across, -1, GROUP, width)
    return groups.transpose(0, 1, 2, 4, 3)


@njit(**INNER)
def round_rows(source: Array, column: int, count: int, depth: int, given: Rounded) -> None:
    """Round `depth` numbers, from `column` on, of each of the first `count` rows."""
    for row in range(count):
        numbers, small, whole = source[row, column : column + depth], given.bytes[row], given.floats[row]
        largest = np.int32(0)
        for i in range(depth):
            # The bits of floats without a sign are in the floats' order, what is not finite last.
            largest = max(largest, np.float32(numbers[i]).view(np.int32) & WITHOUT_SIGN)
        scale = np.int32(largest).view(np.float32) * STEP
        if scale < LEAST:
            scale = np.float32(0)
        inverse = np.float32(1) / scale if scale != 0 else scale
        total = np.int32(0)
        for i in range(depth):
            whole[i] = np.rint(numbers[i] * inverse)
            number = np.int32(min(max(np.int32(whole[i]), -MOST), MOST))
            small[i] = np.int8(number)
            total += number
        for i in range(depth, -(-depth // DEPTH) * DEPTH):
            small[i] = np.int8(0)
        given.scales[row], given.starts[row] = scale, -OFFSET * total


@njit(**INNER)
def add_dots(given: Rounded, count: int, weights: Array, scales: Array, out: Array) -> None:
    """Add to `out` ``(rows, panels * WIDTH)`` the product of the first `count` rows, and of junk up to the
    next multiple of `ROWS`, and of `weights` ``(panels, groups, WIDTH, GROUP)``."""
    for panel in range(weights.shape[0]):
        if count == 1:
            _dot_tile(1, given, 0, weights, panel, scales, out)
        else:
            for row in range(0, count, ROWS):
                _dot_tile(ROWS, given, row, weights, panel, scales, out)


@intrinsic(prefer_literal=True)
def _dot_tile(typing, rows, given, row, weights, panel, scales, out) -> tuple:  # noqa: ANN001
    """`rows` rows, a constant, times one panel, with all the sums in registers."""
    signature = types.void(rows, given, row, weights, panel, scales, out)
    height = rows.literal_value

    def generate(context, builder, signature, arguments) -> ir.Value:  # noqa: ANN001
        kinds = signature.args
        parts = zip(kinds[1].types, cgutils.unpack_tuple(builder, arguments[1]), strict=True)
        rounded = Rounded(*(context.make_array(kind)(context, builder, part) for kind, part in parts))
        arrays = [context.make_array(kinds[at])(context, builder, arguments[at]) for at in (3, 5, 6)]
        row, panel = (context.cast(builder, arguments[at], kinds[at], types.intp) for at in (2, 4))
        _DotTile(context, builder, rounded, *arrays).generate(height, row, panel)
        return context.get_dummy_value()

    return signature, generate


class _DotTile(Writer):
    """Writes the instructions of one tile."""

    def __init__(self, context, builder, given, weights, scales, out) -> None:  # noqa: ANN001
        super().__init__(context, builder)
        self.given, self.weights, self.scales, self.out = given, weights, scales, out
        self.dot = self.function(f"llvm.x86.avx512.vpdpbusd.{32 * LANES}", self.integers)

    def generate(self, height: int, row: ir.Value, panel: ir.Value) -> None:
        builder, number = self.builder, self.number
        groups = cgutils.unpack_tuple(builder, self.weights.shape)[1]
        line = cgutils.unpack_tuple(builder, self.given.bytes.shape)[1]
        split = SPLIT if height == 1 else 1
        rows = [builder.add(row, number(r)) for r in range(height)]
        begins = [builder.mul(each, line) for each in rows]
        first = builder.mul(panel, groups)
        sums = [[self.begin(each, part) for part in range(split)] for each in rows]
        with cgutils.for_range(builder, builder.udiv(groups, number(split))) as loop:
            for part in range(split):
                group = builder.add(self.times(loop.index, split), number(part))
                at = self.times(builder.add(first, group), WIDTH * GROUP)
                factors = [
                    self.read(self.weights.data, builder.add(at, number(v * LANES * GROUP)), self.integers)
                    for v in range(VECTORS)
                ]
                for begin, parts in zip(begins, sums, strict=True):
                    four = self.read(
                        self.given.bytes.data, builder.add(begin, self.times(group, GROUP)), ir.IntType(32)
                    )
                    many = self.splat(four, self.integers)
                    for factor, place in zip(factors, parts[part], strict=True):
                        builder.store(builder.call(self.dot, [builder.load(place), factor, many]), place)
        for each, parts in zip(rows, sums, strict=True):
            self.add_up(each, panel, parts)

    def begin(self, row: ir.Value, part: int) -> list[ir.Value]:
        """A sum for each vector; the first part's take the offset off."""
        zero = ir.Constant(self.integers, [0] * LANES)
        start = self.splat(self.element(self.given.starts.data, row), self.integers) if part == 0 else zero
        places = [cgutils.alloca_once_value(self.builder, zero) for _ in range(VECTORS)]
        for place in places:
            self.builder.store(start, place)
        return places

    def add_up(self, row: ir.Value, panel: ir.Value, parts: list[list[ir.Value]]) -> None:
        builder = self.builder
        stride = cgutils.unpack_tuple(builder, self.out.shape)[1]
        row_scale = self.splat(self.element(self.given.scales.data, row), self.floats)
        for v, places in enumerate(zip(*parts, strict=True)):
            total = builder.load(places[0])
            for place in places[1:]:
                total = builder.add(total, builder.load(place))
            at = builder.add(self.times(panel, WIDTH), self.number(v * LANES))
            scale = builder.fmul(row_scale, self.read(self.scales.data, at))
            target = builder.add(builder.mul(row, stride), at)
            self.add_scaled(builder.sitofp(total, self.floats), scale, self.out.data, target)
