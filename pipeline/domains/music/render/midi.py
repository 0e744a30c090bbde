"""MIDI files: of tunes by music21, of polyphonic pieces as they are."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domains.music.render.base import MusicRender, count, noun
from pipeline.domains.music.render.notation import midi_bytes
from pipeline.errors import DataError
from pipeline.records import DomainOutput, Record, References, Rejection
from pipeline.runtime.progress import track

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MidiRender(MusicRender):
    """One MIDI file a tune, repeats played out, at a tempo that suits its kind."""

    instrument: str | int = "flute"

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `midi/<id>.mid`; what music21 cannot export is a rejection."""
        folder = out_dir / "midi"
        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        rejections: list[Rejection] = []
        for record, data in self.convert(track(records, "MIDI", unit=noun(records))):
            if isinstance(data, Rejection):
                rejections.append(data)
                continue
            path = folder / f"{record.id}.mid"
            path.write_bytes(data)
            files.append(path)
        made, wanted = count(len(files), "MIDI file"), count(len(records), noun(records))
        return DomainOutput(
            summary=(f"{made} of {wanted} in {folder.name}/",),
            figures={"midi_files": len(files), "midi_failed": len(rejections)},
            files=tuple(files),
            rejections=tuple(rejections),
        )

    def convert(self, records: Iterator[Record]) -> Iterator[tuple[Record, bytes | Rejection]]:
        """The bytes of each tune's MIDI file, or why there is none."""
        for record in records:
            try:
                yield record, midi_bytes(record, self.program)
            except DataError as error:
                logger.debug("%s: %s", record.id, error)
                yield record, Rejection(record.id, "MIDI export failed", str(error))
