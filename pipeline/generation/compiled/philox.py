"""The random numbers of a sample, computed where they are used: number n of a key is a function of both.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), Philox-4x64 with ten rounds; the
numbers are those of `numpy.random.Philox`.
"""

import numpy as np
from numba import njit

from pipeline.runtime.numba_options import BARE, INNER

MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
HALF_BITS, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
UNUSED_BITS = np.uint64(11)
STEP = 2.0**-53
BLOCK = 4
"""Numbers that one count gives."""


@njit(**BARE)
def fill(seed: np.uint64, index: np.uint64, block: int, numbers: np.ndarray) -> None:
    """The numbers ``(BLOCK,)`` in [0, 1) from number ``BLOCK * block`` on, of a seed and an index."""
    first, second = np.uint64(block + 1), np.uint64(0)
    third, fourth = np.uint64(0), np.uint64(0)
    key, other = seed, index
    for _ in range(ROUNDS):
        high, low = _product(MULTIPLIERS[0], first)
        high_2, low_2 = _product(MULTIPLIERS[1], third)
        first, second, third, fourth = high_2 ^ second ^ key, low_2, high ^ fourth ^ other, low
        key, other = key + WEYL[0], other + WEYL[1]
    for at, bits in enumerate((first, second, third, fourth)):
        numbers[at] = np.float64(bits >> UNUSED_BITS) * STEP


@njit(**INNER)
def _product(one: np.uint64, other: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Both halves of a product, of 128 bits."""
    a, b, c, d = one >> HALF_BITS, one & LOW, other >> HALF_BITS, other & LOW
    middle = a * d + ((b * d) >> HALF_BITS)
    cross = b * c + (middle & LOW)
    return a * c + (middle >> HALF_BITS) + (cross >> HALF_BITS), one * other
