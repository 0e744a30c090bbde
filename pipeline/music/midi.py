"""MIDI files: of tunes by music21, of polyphonic pieces as they are."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import Findings, Record, References, Rejection
from pipeline.errors import DataError
from pipeline.music.abc_domain import tune_of
from pipeline.music.midi_files import write_midi
from pipeline.music.notation import midi_bytes, parse_score, struck_pitches
from pipeline.music.piece import PieceRecord
from pipeline.music.playing import played_notes
from pipeline.music.render import MusicRender, count
from pipeline.progress import track

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MidiRender(MusicRender):
    """One MIDI file a tune, repeats played out, at a tempo that suits the meter."""

    program: int = 73

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `midi/<id>.mid`; what music21 cannot export is a rejection."""
        folder = out_dir / "midi"
        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        rejections: list[Rejection] = []
        for record, data in self.convert(track(records, "MIDI", unit="tune")):
            if isinstance(data, Rejection):
                rejections.append(data)
                continue
            path = folder / f"{record.id}.mid"
            path.write_bytes(data)
            files.append(path)
        return Findings(
            summary=(f"{count(len(files), 'MIDI file')} of {count(len(records), 'tune')} in {folder.name}/",),
            figures={"midi_files": len(files), "midi_failed": len(rejections)},
            files=tuple(files),
            rejections=tuple(rejections),
        )

    def convert(self, records: Iterator[Record]) -> Iterator[tuple[Record, bytes | Rejection]]:
        """The bytes of each tune's MIDI file, or why there is none."""
        for record in records:
            try:
                yield record, self._convert(record)
            except DataError as error:
                logger.debug("%s: %s", record.id, error)
                yield record, Rejection(record.id, "MIDI export failed", str(error))

    def _convert(self, record: Record) -> bytes:
        if isinstance(record, PieceRecord):
            return write_midi(record.piece)
        data = midi_bytes(parse_score(record, self.program))
        tune = tune_of(record.text)
        joined, written = (
            [pitch for note in played_notes(tune, join_ties=join) for pitch in sorted(note.pitches)]
            for join in (True, False)
        )
        found = struck_pitches(data)
        # music21 strikes some tied notes, those of chords, again.
        if not (_is_part(joined, found) and _is_part(found, written)):
            raise DataError(f"other notes are struck: {len(found)} instead of {len(joined)}")
        return data


def _is_part(some: Iterable[int], all_of_them: Iterable[int]) -> bool:
    """Whether the first are among the second, in the same order."""
    rest = iter(all_of_them)
    return all(pitch in rest for pitch in some)
