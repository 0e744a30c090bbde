"""What stands where in a row of evidence."""

from dataclasses import dataclass

SCALE = 16
"""Steps of the stored evidence in one nat."""
DENSE = 8
"""Alphabets up to this size have evidence for every letter; of larger ones, for the likeliest."""
LIKELIEST = 3
SCALARS = 3  # of a channel of copies: gain and hit rate of the best expert, number of experts


@dataclass(frozen=True)
class Layout:
    """Where what stands in one row of evidence.

    ``values`` int8: `channels` × `width` strengths, in nats times SCALE; then confidences; then each
    channel's last score. ``letters`` uint8: which letters the copies' strengths are for, where the
    alphabet is not dense; 0 for none.
    """

    letters: int
    orders: tuple[int, ...]
    copies: tuple[int, ...] = (12, 12)
    """Letters that must agree before a copy is followed: in the training text, in the sequence itself."""

    @property
    def dense(self) -> bool:
        """Whether every letter has its own place."""
        return self.letters <= DENSE

    @property
    def width(self) -> int:
        """Letters of a channel."""
        return self.letters if self.dense else LIKELIEST

    @property
    def channels(self) -> int:
        """Sources: the orders, and two of copies."""
        return len(self.orders) + 2

    @property
    def confidences(self) -> int:
        """Numbers that say how sure the sources are."""
        return len(self.orders) + 2 * SCALARS

    @property
    def values(self) -> int:
        """All numbers of one row."""
        return self.channels * self.width + self.confidences + self.channels

    @property
    def depth(self) -> int:
        """The longest context that is looked up."""
        return max([*self.orders, self.copies[0]])
