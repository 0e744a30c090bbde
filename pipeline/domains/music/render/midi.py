"""MIDI files: of tunes by music21, of polyphonic pieces as they are."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.base import MusicRender, name_records
from pipeline.domains.music.render.notation import export_midi
from pipeline.errors import DataError
from pipeline.records import DomainOutput, Record, References, Rejection
from pipeline.runtime.progress import track

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MidiRender(MusicRender):
    """One MIDI file for each tune, with its repeats, at the usual tempo of its kind."""

    instrument: str | int = "flute"

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `midi/<id>.mid` of every record; a record that music21 cannot export is a rejection."""
        folder = out_dir / "midi"
        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        rejections: list[Rejection] = []
        for record, data in self.convert(track(records, "MIDI", unit=name_records(records))):
            if isinstance(data, Rejection):
                rejections.append(data)
                continue
            path = folder / f"{record.id}.mid"
            path.write_bytes(data)
            files.append(path)
        made = format_count(len(files), "MIDI file")
        wanted = format_count(len(records), name_records(records))
        return DomainOutput(
            summary=(f"{made} of {wanted} in {folder.name}/",),
            figures={"midi_files": len(files), "midi_failed": len(rejections)},
            files=tuple(files),
            rejections=tuple(rejections),
        )

    def convert(self, records: Iterator[Record]) -> Iterator[tuple[Record, bytes | Rejection]]:
        """Yield each record with the bytes of its MIDI file, or with a rejection that says why not."""
        for record in records:
            try:
                yield record, export_midi(record, self.program)
            except DataError as error:
                logger.debug("%s: %s", record.id, error)
                yield record, Rejection(record.id, "MIDI export failed", str(error))
