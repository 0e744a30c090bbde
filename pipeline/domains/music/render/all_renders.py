"""Everything at once: MIDI, scores, performances and the sound of the performances."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pipeline.domains.music.render.audio import AudioRender
from pipeline.domains.music.render.base import check_accompaniment
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.scamp_render import ScampRender
from pipeline.domains.music.render.score import ScoreRender
from pipeline.records import DomainOutput, Record, References


@dataclass(frozen=True)
class AllRenders(AudioRender):
    """The four renders, where the sound is that of the SCAMP performance."""

    accompaniment: str | int | None = None
    """The instrument that accompanies tunes, as in `ScampRender`."""
    lilypond: bool = False
    """Whether LilyPond engraves the scores, too, as in `ScoreRender`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_accompaniment(self.accompaniment)

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
        # SCAMP does not perform a performance: its sound is that of its own MIDI file.
        played = [path for path in scamp.files or midi.files[: self.max_tunes] if path.suffix == ".mid"]
        audio = self.synthesise_all([(path.stem, path.read_bytes()) for path in played], out_dir)
        return reduce(DomainOutput.combine, [midi, score, audio, scamp])
