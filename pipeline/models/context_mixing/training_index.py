"""The index of a training text, in which the contexts of sequences are looked up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.data.alphabet import SPECIALS
from pipeline.models.context_mixing.context_index import ContextIndex, build_index, join_strands
from pipeline.models.context_mixing.evidence import EvidenceSources, read
from pipeline.models.context_mixing.evidence_layout import EvidenceLayout
from pipeline.models.context_mixing.evidence_state import EvidenceState, grow_history, new_state

FIRST_CAPACITY = 1_024


@dataclass(frozen=True)
class Exclusion:
    """A part of the text that is treated as absent: its own index, and its intervals ``(n, 2)`` of the
    text."""

    contexts: ContextIndex
    intervals: np.ndarray


@dataclass(frozen=True)
class TrainingIndex:
    """Pieces of a training text as letters 1, 2, …, with their reverse complements where there are any.

    `complement` maps letter to letter. `text` has a break, letter 0, before and after every piece.
    """

    layout: EvidenceLayout
    text: np.ndarray
    complement: np.ndarray | None

    @classmethod
    def from_pieces(
        cls, layout: EvidenceLayout, pieces: list[np.ndarray], complement: np.ndarray | None
    ) -> "TrainingIndex":
        """The index of pieces of letters."""
        return cls(layout, join_strands(pieces, complement), complement)

    def with_piece(self, piece: np.ndarray) -> "TrainingIndex":
        """The index with one more piece of letters."""
        forward = self.text if self.complement is None else self.text[: len(self.text) // 2 + 1]
        return TrainingIndex.from_pieces(self.layout, [forward[1:-1], piece], self.complement)

    @cached_property
    def contexts(self) -> ContextIndex:
        """The index of the whole text."""
        return build_index(self.text, self.layout.letters, self.layout.depth)

    @cached_property
    def _no_exclusion(self) -> Exclusion:
        contexts = build_index(np.zeros(1, np.uint8), self.layout.letters, self.layout.depth)
        return Exclusion(contexts, np.zeros((0, 2), np.int64))

    def read(
        self, state: EvidenceState, letters: np.ndarray, copy_weight: float = 1.0,
        exclusion: Exclusion | None = None,
    ) -> tuple[EvidenceState, np.ndarray, np.ndarray]:  # fmt: skip
        """Read ``(rows, time)`` letters after those of `state`, which is used up.

        Returns the state after them, and the evidence for the letter after each: values
        ``(rows, time, layout.values)`` int8 and letters ``(rows, time, 2, layout.width)`` uint8.
        """
        rows, time = letters.shape
        needed = int(state.length.max()) + time + 1
        if needed > state.history.shape[1]:
            state = grow_history(state, max(needed, 2 * state.history.shape[1]))
        values = np.zeros((rows, time, self.layout.values), np.int8)
        likeliest = np.zeros((rows, time, 2, self.layout.width), np.uint8)
        letters = np.ascontiguousarray(letters, np.uint8)
        read(self.sources(copy_weight, exclusion), state, letters, values, likeliest)
        return state, values, likeliest

    def sources(self, copy_weight: float = 1.0, exclusion: Exclusion | None = None) -> EvidenceSources:
        """The text and the parameters for `evidence.read`."""
        without = exclusion or self._no_exclusion
        orders = np.array(self.layout.orders, np.int64)
        return EvidenceSources(
            self.contexts, without.contexts, without.intervals, orders, self._smoothing, self.layout.copies,
            float(copy_weight),
        )  # fmt: skip

    def new_state(self, rows: int, capacity: int = FIRST_CAPACITY) -> EvidenceState:
        """The state of `rows` sequences before their first letter."""
        return new_state(self.layout, rows, capacity)

    def exclude(self, start: int, stop: int) -> Exclusion:
        """The exclusion of the text from `start` to `stop`, and of its reverse complement."""
        piece = self.text[start:stop]
        intervals = [(start, stop)]
        if self.complement is not None:
            middle = (len(self.text) - 1) // 2
            intervals.append((2 * middle - stop + 1, 2 * middle - start + 1))
        text = join_strands([piece], self.complement)
        contexts = build_index(text, self.layout.letters, self.layout.depth)
        return Exclusion(contexts, np.array(intervals, np.int64))

    @property
    def _smoothing(self) -> np.ndarray:
        """The pseudocount of each order: 1, and less where few contexts can have occurred twice."""
        usual = self.layout.letters ** np.array(self.layout.orders, np.float64) < len(self.text)
        return np.where(usual, 1.0, 1 / 16)


def encode_letters(codes: np.ndarray) -> np.ndarray:
    """Codes as letters 1, 2, …; the special codes become breaks."""
    return np.maximum(codes.astype(np.int64) - (len(SPECIALS) - 1), 0).astype(np.uint8)


def leave_one_out_evidence(
    index: TrainingIndex, intervals: np.ndarray, workers: int
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """The evidence for intervals ``(n, 2)`` of the index's own text, each excluded while it is read.

    Yields number, direction (1, or -1 for the reverse complement), values and letters. A model that learns
    from such evidence generalises, because each interval has the evidence that a new sequence would have.
    """

    def one(number: int) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
        start, stop = intervals[number]
        exclusion, forward = index.exclude(start, stop), index.text[start:stop]
        strands = [(1, forward)]
        if index.complement is not None:
            strands.append((-1, index.complement[forward[::-1]]))
        found = []
        for direction, letters in strands:
            shifted = np.concatenate([[0], letters[:-1]]).astype(np.uint8)[None]
            state = index.new_state(1, len(letters) + 2)
            _, values, likeliest = index.read(state, shifted, exclusion=exclusion)
            found.append((number, direction, values[0], likeliest[0]))
        return found

    index.contexts  # noqa: B018  built before the workers share it
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(one, range(len(intervals))):
            yield from found
