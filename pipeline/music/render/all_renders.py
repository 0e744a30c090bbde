"""Everything at once: MIDI, scores, performances and the sound of the performances."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import Findings, Record, References
from pipeline.music.render.audio import AudioRender, join_findings
from pipeline.music.render.base import MusicRender
from pipeline.music.render.midi import MidiRender
from pipeline.music.render.scamp_render import ScampRender
from pipeline.music.render.score import ScoreRender


@dataclass(frozen=True)
class AllRenders(MusicRender):
    """The four renders, where the sound is that of the SCAMP performance."""

    max_tunes: int = 8
    instrument: str | int = "flute"
    accompaniment: str | int | None = None
    soundfont: str | None = None
    synth: str = "auto"
    audio_format: str | None = "mp3"
    live: bool = False
    lilypond: bool = False

    def _scamp(self) -> ScampRender:
        return ScampRender(self.max_tunes, self.instrument, self.accompaniment, sound=False)

    def _audio(self) -> AudioRender:
        return AudioRender(
            self.max_tunes, self.instrument, self.soundfont, self.synth, self.audio_format, self.live
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._audio()

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write the files of all four renders."""
        midi = MidiRender(self.instrument)(records, references, out_dir, seed)
        engraver = ScoreRender(self.max_tunes, self.instrument, self.lilypond)
        score = engraver(records, references, out_dir, seed)
        scamp = self._scamp()(records, references, out_dir, seed)
        # What SCAMP does not perform, such as a performance, sounds as it is.
        played = [path for path in scamp.files or midi.files[: self.max_tunes] if path.suffix == ".mid"]
        audio = self._audio().render([(path.stem, path.read_bytes()) for path in played], out_dir)
        return join_findings([midi, score, audio, scamp])
