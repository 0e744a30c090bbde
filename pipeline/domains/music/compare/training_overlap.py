"""The overlap of tunes with the training tunes: the longest common fragment, and the nearest tune.

Melodies are compared by their codes (see `melody.py`), so key, octave, unit of length and bar lines do not
matter. A fragment of n codes has n + 1 notes. The distance of two tunes is the Levenshtein distance of their
codes over the length of the longer one, from 0 to 1 (V. Levenshtein, Soviet Physics Doklady 10 (1966) 707).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from pipeline.domains.music.compare.melody import MELODY_CODES, encode_melody
from pipeline.evaluation.exact_matches import find_matches
from pipeline.records import Record, References

BATCH_SIZE = 256
"""Tunes whose distances to all training tunes are in memory at once."""


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """The overlap of one tune with the training tunes.

    `fragment_notes` notes from note `start` (from 1) on are also in the tune `fragment_in`. Of all training
    tunes, `nearest` is the nearest, at `distance`.
    """

    tune: Record
    notes: int
    fragment_notes: int
    start: int
    fragment_in: Record | None
    nearest: Record
    distance: float


@dataclass(frozen=True, slots=True)
class MelodyEncoding:
    """How the records of a domain are compared, and what they are called.

    Parameters
    ----------
    encode
        The codes of a record's melody, uint8 ``(notes - 1,)``, each below `code_count`; none where the record
        has no melody.
    kind
        The noun for a record, such as "tune".
    code_count
        The number of codes.
    note
        The noun for a note of the melody.
    """

    encode: Callable[[Record], np.ndarray]
    kind: str
    code_count: int = MELODY_CODES
    note: str = "note"

    @property
    def notes(self) -> str:
        """The noun for several notes."""
        return f"{self.note}s"


TUNES = MelodyEncoding(lambda record: encode_melody(record.text), "tune")


Overlaps = Mapping[str, Sequence[TrainingOverlap]]
"""The overlaps of all tunes by the name of their group."""


def encode_training(references: References, encoding: MelodyEncoding) -> Iterator[tuple[Record, np.ndarray]]:
    """Yield the training tunes that have a melody, without those that have the codes of one before."""
    seen: set[bytes] = set()
    for record in references.training():
        codes = encoding.encode(record)
        if len(codes) and codes.tobytes() not in seen:
            seen.add(codes.tobytes())
            yield record, codes


def find_overlaps(
    group: Sequence[Record], training: Sequence[tuple[Record, np.ndarray]], encoding: MelodyEncoding
) -> list[TrainingOverlap]:
    queries = [encoding.encode(record) for record in group]
    melodies = [codes for _, codes in training]
    batches = list(find_matches(queries, lambda: melodies, encoding.code_count))
    lengths, starts, texts = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("length", "start", "text")
    )
    overlaps = []
    for number, (nearest, distance) in enumerate(_find_nearest(queries, melodies)):
        text, length = int(texts[number]), int(lengths[number])
        overlaps.append(TrainingOverlap(
            tune=group[number], notes=len(queries[number]) + 1, fragment_notes=length + 1 if length else 0,
            start=int(starts[number]) + 1, fragment_in=training[text][0] if text >= 0 else None,
            nearest=training[nearest][0], distance=distance,
        ))  # fmt: skip
    return overlaps


def _find_nearest(
    queries: Sequence[np.ndarray], melodies: Sequence[np.ndarray]
) -> Iterator[tuple[int, float]]:
    """Yield for each query the number of the nearest melody, and the distance."""
    choices = [melody.tobytes() for melody in melodies]
    for first in range(0, len(queries), BATCH_SIZE):
        batch = [query.tobytes() for query in queries[first : first + BATCH_SIZE]]
        distances = cdist(
            batch, choices, scorer=Levenshtein.normalized_distance, dtype=np.float32, workers=-1
        )
        for row in distances:
            best = int(row.argmin())
            yield best, float(row[best])
