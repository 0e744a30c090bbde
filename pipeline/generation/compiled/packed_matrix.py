"""Matrices laid out for sampling, and their products with rows: `tiles` of floats, `dots` of 8 bits."""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from pipeline.generation.compiled.gemm_f32 import WIDTH, Panels, add_tiles
from pipeline.generation.compiled.gemm_int8 import HERE, MOST, Rounded, add_dots, interleave, round_rows
from pipeline.runtime.numba_options import INNER

Array = np.ndarray
CACHE_LINE = 64


def aligned(shape: tuple[int, ...], dtype: type = np.float32) -> Array:
    """Zeros that begin at a line of the cache, so that no vector lies in two."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(length + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + length].view(dtype).reshape(shape)


def padded(columns: int) -> int:
    """The next multiple of a panel's width."""
    return -(-columns // WIDTH) * WIDTH


def pack(matrices: Array, int8: bool = False, dots: bool = HERE) -> Panels:
    """Panels of float32 matrices ``(count, inputs, outputs)``, the last one filled with zeros; as int8, each
    column is rounded to 255 steps between minus and plus its largest weight."""
    count, inputs, outputs = matrices.shape
    scales = np.ones((count, padded(outputs)), np.float32)
    if int8:
        largest = np.abs(matrices).max(1)
        scales[:, :outputs] = np.where(largest > 0, largest / MOST, 1)
        matrices = np.rint(matrices / scales[:, None, :outputs])
    wide = np.zeros((count, inputs, padded(outputs)), matrices.dtype)
    wide[..., :outputs] = matrices
    laid = wide.reshape(count, inputs, -1, WIDTH).transpose(0, 2, 1, 3)
    laid = interleave(laid) if int8 and dots else laid
    weights = aligned(laid.shape, (np.uint8 if dots else np.int8) if int8 else np.float32)
    weights[:] = laid
    return Panels(weights, scales, inputs)


def add_product(
    rows: Array, column: int, count: int, panels: Panels, which: int, space: Rounded, out: Array
) -> None:
    """Add to `out` ``(rows, panels * WIDTH)`` the product of `rows`, from `column` on, and of matrix number
    `which`; of the first `count` rows, and of junk up to the next multiple of `tiles.ROWS`. Before they meet
    weights of 8 bits, rows are rounded, too. Only for compiled code."""
    raise TypeError("such a product can only be made from compiled code")


@njit(**INNER)
def _exact(
    rows: Array, column: int, count: int, panels: Panels, which: int, space: Rounded, out: Array
) -> None:
    add_tiles(rows, column, count, space.scales, panels.weights[which], panels.scales[which], out)


@njit(**INNER)
def _by_dots(
    rows: Array, column: int, count: int, panels: Panels, which: int, space: Rounded, out: Array
) -> None:
    round_rows(rows, column, count, panels.inputs, space)
    add_dots(space, count, panels.weights[which], panels.scales[which], out)


@njit(**INNER)
def _by_tiles(
    rows: Array, column: int, count: int, panels: Panels, which: int, space: Rounded, out: Array
) -> None:
    round_rows(rows, column, count, panels.inputs, space)
    add_tiles(space.floats, 0, count, space.scales, panels.weights[which], panels.scales[which], out)


@overload(add_product, jit_options=INNER, strict=False)
def _add_product(rows, column, count, panels, which, space, out) -> Any:  # noqa: ANN001
    kind = panels.types[0].dtype
    step = {types.float32: _exact, types.uint8: _by_dots, types.int8: _by_tiles}[kind]
    return step.py_func
