"""The layout of a row of evidence."""

from dataclasses import dataclass

SCALE = 16
"""Steps of the stored evidence in one nat."""
MAX_DENSE_LETTERS = 8
"""Alphabets up to this size have evidence for every letter; larger ones have it for the likeliest."""
TOP_LETTERS = 3
"""Letters of a larger alphabet that have evidence."""
SCALARS = 3
"""Features of a copy channel: gain and hit rate of the best expert, and the number of experts."""


@dataclass(frozen=True)
class EvidenceLayout:
    """The columns of one row of evidence.

    ``values`` int8 has `channels` × `width` log-likelihood ratios, in nats times `SCALE`; then the
    confidences; then each channel's score for the last letter. ``letters`` uint8 names the letters of the
    copy channels where the alphabet is not dense, 0 for none.
    """

    letters: int
    orders: tuple[int, ...]
    copies: tuple[int, ...] = (12, 12)
    """Letters that must match before an expert copies: from the training text, and from the sequence
    itself."""

    @property
    def dense(self) -> bool:
        """Whether every letter has its own column."""
        return self.letters <= MAX_DENSE_LETTERS

    @property
    def width(self) -> int:
        """Letters of a channel."""
        return self.letters if self.dense else TOP_LETTERS

    @property
    def channels(self) -> int:
        """Sources of evidence: one per order, and two of copies."""
        return len(self.orders) + 2

    @property
    def confidences(self) -> int:
        """Features that measure how reliable the channels are."""
        return len(self.orders) + 2 * SCALARS

    @property
    def values(self) -> int:
        """Numbers of one row."""
        return self.channels * self.width + self.confidences + self.channels

    @property
    def depth(self) -> int:
        """The longest context in the index."""
        return max([*self.orders, self.copies[0]])
