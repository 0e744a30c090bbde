"""Everything at once: MIDI, scores, performances and the sound of the performances."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domains.music.render.audio import AudioRender, join_outputs
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.domains.music.render.score import ScoreRender
from pipeline.records import DomainOutput, Record, References


@dataclass(frozen=True)
class AllRenders(AudioRender):
    """The four renders, where the sound is that of the SCAMP performance."""

    accompaniment: str | int | None = None
    lilypond: bool = False

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write the files of all four renders."""
        midi = MidiRender(self.instrument)(records, references, out_dir, seed)
        engraver = ScoreRender(self.max_tunes, self.instrument, self.lilypond)
        score = engraver(records, references, out_dir, seed)
        performer = ScampRender(
            self.max_tunes, self.instrument, accompaniment=self.accompaniment, sound=False
        )
        scamp = performer(records, references, out_dir, seed)
        # What SCAMP does not perform, such as a performance, sounds as it is.
        played = [path for path in scamp.files or midi.files[: self.max_tunes] if path.suffix == ".mid"]
        audio = self.sound_of([(path.stem, path.read_bytes()) for path in played], out_dir)
        return join_outputs([midi, score, audio, scamp])
