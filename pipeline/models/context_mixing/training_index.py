"""The training text, indexed: what sequences are looked up in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.data.alphabet import SPECIALS
from pipeline.models.context_mixing.context_index import ContextIndex, both_strands, build_index
from pipeline.models.context_mixing.evidence import Reading, enlarged, new_reading, read
from pipeline.models.context_mixing.evidence_layout import Layout

FIRST_CAPACITY = 1_024


@dataclass(frozen=True)
class Library:
    """Pieces of a training text, as letters 1, 2, …, and their reverse complements where there are such.

    `complement` is letter to letter. Positions are those of `text`: every piece stands between breaks.
    """

    layout: Layout
    text: np.ndarray
    complement: np.ndarray | None

    @classmethod
    def of(cls, layout: Layout, pieces: list[np.ndarray], complement: np.ndarray | None) -> "Library":
        """The library of some pieces of letters."""
        return cls(layout, both_strands(pieces, complement), complement)

    def extended(self, piece: np.ndarray) -> "Library":
        """The same with one more piece of letters."""
        forward = self.text if self.complement is None else self.text[: len(self.text) // 2 + 1]
        return Library.of(self.layout, [forward[1:-1], piece], self.complement)

    @cached_property
    def index(self) -> ContextIndex:
        """All of the text."""
        return build_index(self.text, self.layout.letters, self.layout.depth)

    @cached_property
    def nothing(self) -> ContextIndex:
        """The index of no text: where nothing is left out."""
        return build_index(np.zeros(1, np.uint8), self.layout.letters, self.layout.depth)

    def read_on(
        self, reading: Reading, letters: np.ndarray, leaning: float = 1.0, part: "Part | None" = None
    ) -> tuple[Reading, np.ndarray, np.ndarray]:
        """Read ``(rows, time)`` letters on from where `reading` stands, which is used up.

        Gives where it stands now, and the evidence for the letter after each: values
        ``(rows, time, layout.values)`` int8 and letters ``(rows, time, 2, layout.width)``.
        """
        rows, time = letters.shape
        needed = int(reading.length.max()) + time + 1
        if needed > reading.history.shape[1]:
            reading = enlarged(reading, max(needed, 2 * reading.history.shape[1]))
        values = np.zeros((rows, time, self.layout.values), np.int8)
        likeliest = np.zeros((rows, time, 2, self.layout.width), np.uint8)
        letters = np.ascontiguousarray(letters, np.uint8)
        read(*self.sources(leaning, part), reading, letters, values, likeliest)
        return reading, values, likeliest

    def sources(self, leaning: float = 1.0, part: "Part | None" = None) -> tuple:
        """What `reader.read` reads with: its first arguments."""
        part = part or Part(self.nothing, np.zeros((0, 2), np.int64))
        orders = np.array(self.layout.orders, np.int64)
        copies = self.layout.copies
        return self.index, part.index, part.banned, orders, self._smoothing, copies, float(leaning)

    def begin(self, rows: int, capacity: int = FIRST_CAPACITY) -> Reading:
        """A reading of so many sequences that has read nothing."""
        return new_reading(self.layout, rows, capacity)

    def without(self, start: int, stop: int) -> "Part":
        """The stretch of the text from `start` to `stop`, which a reading is to leave out."""
        piece = self.text[start:stop]
        banned = [(start, stop)]
        if self.complement is not None:
            middle = (len(self.text) - 1) // 2
            banned.append((2 * middle - stop + 1, 2 * middle - start + 1))
        text = both_strands([piece], self.complement)
        return Part(build_index(text, self.layout.letters, self.layout.depth), np.array(banned, np.int64))

    @property
    def _smoothing(self) -> np.ndarray:
        """What is added to every count: 1, but little where few contexts can have been seen twice."""
        usual = self.layout.letters ** np.array(self.layout.orders, np.float64) < len(self.text)
        return np.where(usual, 1.0, 1 / 16)


@dataclass(frozen=True)
class Part:
    """A part of the text that a reading leaves out: its index, and its stretches ``(n, 2)``."""

    index: ContextIndex
    banned: np.ndarray


def letters_of(codes: np.ndarray) -> np.ndarray:
    """Codes as letters 1, 2, …; the special codes are breaks."""
    return np.maximum(codes.astype(np.int64) - (len(SPECIALS) - 1), 0).astype(np.uint8)


def read_left_out(
    library: Library, stretches: np.ndarray, workers: int
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """The evidence for stretches ``(n, 2)`` of the library's own text, each read as if it were not in it.

    Yields number, direction (1, and -1 for the reverse complement, where there is one), values and letters.
    What is learned from such evidence holds for sequences never seen, because each has the evidence that it
    would have if it were new.
    """

    def one(number: int) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
        start, stop = stretches[number]
        part, forward = library.without(start, stop), library.text[start:stop]
        found = []
        for direction in (1, -1) if library.complement is not None else (1,):
            letters = forward if direction == 1 else library.complement[forward[::-1]]
            shifted = np.concatenate([[0], letters[:-1]]).astype(np.uint8)[None]
            reading = library.begin(1, len(letters) + 2)
            _, values, likeliest = library.read_on(reading, shifted, part=part)
            found.append((number, direction, values[0], likeliest[0]))
        return found

    library.index  # noqa: B018  built before the workers share it
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(one, range(len(stretches))):
            yield from found
