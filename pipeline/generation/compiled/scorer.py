"""How surprising given sequences are, by compiled code, for models that give their weights for it."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numba import njit

from pipeline.data.alphabet import BOS, EOS
from pipeline.generation.compiled.cells import Net, Room, advance, room, state
from pipeline.generation.compiled.sampler import whole_tiles
from pipeline.runtime.numba_options import BARE, INNER

Array = np.ndarray


def surprisals(net: Net, sequences: Sequence[Array], with_end: bool) -> Iterator[Array]:
    """The nats of each code after all before it, float64, of each sequence; where `with_end`, one more for
    the end. All are read side by side, and none changes another's."""
    sizes = np.array([len(codes) + with_end for codes in sequences])
    order = np.argsort(-sizes, kind="stable")
    codes = np.full((sizes.max() + 1, len(sizes)), EOS, np.uint16)
    codes[0] = BOS
    for column, which in enumerate(order):
        codes[1 : len(sequences[which]) + 1, column] = sequences[which]
    rows = whole_tiles(len(sizes))
    found = np.zeros((len(sizes), codes.shape[0] - 1))
    carried = state(net, rows, codes.shape[0])
    _read(net, carried, codes, sizes[order], len(net.frame.embedding), room(net, rows), found)
    for row in np.argsort(order):
        yield found[row, : sizes[order[row]]]


@njit(**BARE)
def _read(net: Net, carried: Array, codes: Array, sizes: Array, size: int, space: Room, found: Array) -> None:
    """The rows come with the longest first, so that those still being read stand together."""
    count = len(sizes)
    for at in range(codes.shape[0] - 1):
        while sizes[count - 1] <= at:
            count -= 1
        advance(net, carried, codes[at], count, space)
        for row in range(count):
            found[row, at] = nats(space.logits[row, :size], codes[at + 1, row])


@njit(**INNER)
def nats(logits: Array, code: int) -> float:
    """Minus the logarithm of a code's probability."""
    top, total = -np.inf, 0.0
    for at in range(len(logits)):
        top = max(top, np.float64(logits[at]))
    for at in range(len(logits)):
        total += math.exp(logits[at] - top)
    return top + math.log(total) - logits[code]
