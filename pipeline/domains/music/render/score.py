"""Scores of the tunes: MusicXML, engraved as SVG, PNG and a PDF of all, and by LilyPond where asked for."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.plural import format_count
from pipeline.domains.music.render.base import MusicRender, check_max_tunes
from pipeline.domains.music.render.engrave import Score, engrave_all, print_book
from pipeline.domains.music.render.lilypond import engrave_by_lilypond, missing_programs
from pipeline.domains.music.render.notation import (
    describe_generation,
    export_musicxml,
    find_title,
    parse_valid_tune,
)
from pipeline.domains.music.render.piece_record import PieceRecord
from pipeline.domains.music.render.tunebook import write_tunebook
from pipeline.errors import DataError, ToolError
from pipeline.records import RESULTS, DomainOutput, Record, References, Rejection, ReportSection
from pipeline.runtime.progress import track


@dataclass(frozen=True)
class ScoreRender(MusicRender):
    """MusicXML, SVG and PNG of each tune, one PDF of all, and the tune book as a web page."""

    max_tunes: int = 8
    """Render the first tunes only, so many (``render.max_tunes``)."""
    instrument: str | int = "flute"
    lilypond: bool = False
    """Whether LilyPond engraves the scores, too, where it is installed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_max_tunes(self.max_tunes)

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `score/<id>.musicxml`, `.svg` and `.png` of the first tunes, `score/tunes.pdf` and
        `tunebook.html`."""
        chosen, folder = records[: self.max_tunes], out_dir / "score"
        folder.mkdir(parents=True, exist_ok=True)
        scores, rejections = self._prepare(chosen)
        sources = [_write(folder / f"{name}.musicxml", score["source"]) for name, score in scores.items()]
        engraved, failed = _engrave(scores)
        rejections += failed
        pictures = _write_pictures(engraved, folder)
        prints = [path.with_suffix(".png") for path in pictures]
        book, no_book = _write_book(scores, engraved, folder)
        by_lilypond, summary, no_lilypond = self._engrave_by_lilypond(sources)
        formats = ", ".join(["MusicXML, SVG and PNG"] + ["one PDF" for _ in book])
        output = DomainOutput(
            sections=_list_sections(pictures, book),
            summary=(f"{format_count(len(pictures), 'score')} as {formats} in {folder.name}/", *summary),
            figures={"scores": len(pictures), "scores_failed": len(rejections)},
            files=(*sources, *pictures, *prints, *book, *by_lilypond),
            rejections=(*rejections, *no_book, *no_lilypond),
        )
        musicxml = {name: score["source"] for name, score in scores.items()}
        return write_tunebook(chosen, musicxml, self.program, out_dir).combine(output)

    def _prepare(self, records: Sequence[Record]) -> tuple[dict[str, Score], list[Rejection]]:
        scores: dict[str, Score] = {}
        rejections: list[Rejection] = []
        for record in records:
            try:
                scores[record.id] = prepare_score(record, self.program)
            except DataError as error:
                reason, _, detail = str(error).partition(":")
                rejections.append(Rejection(record.id, f"no score: {reason}", detail.strip()))
        return scores, rejections

    def _engrave_by_lilypond(
        self, sources: Sequence[Path]
    ) -> tuple[list[Path], tuple[str, ...], list[Rejection]]:
        """The files, lines of the summary, and rejections."""
        if not self.lilypond:
            return [], (), []
        if missing := missing_programs():
            return [], (f"no scores by LilyPond: {' and '.join(missing)} not found on PATH",), []
        files: list[Path] = []
        failed: list[Rejection] = []
        for path in track(sources, "LilyPond", unit="tune"):
            try:
                files += engrave_by_lilypond(path)
            except ToolError as error:
                failed.append(Rejection(path.stem, "no score by LilyPond", str(error)))
        return files, (f"{format_count(len(files) // 2, 'score')} by LilyPond as .ly and PDF",), failed


def _engrave(scores: Mapping[str, Score]) -> tuple[dict[str, dict[str, Any]], list[Rejection]]:
    engraved: dict[str, dict[str, Any]] = {}
    rejections: list[Rejection] = []
    for name, picture in track(engrave_all(scores), "scores", unit="tune", total=len(scores)):
        if isinstance(picture, str):
            rejections.append(Rejection(name, "engraving failed", picture))
        else:
            engraved[name] = picture
    return engraved, rejections


def _write_pictures(engraved: Mapping[str, Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write an SVG and a PNG for each tune, and return the SVGs."""
    pictures = []
    for name, picture in engraved.items():
        pictures.append(_write(folder / f"{name}.svg", picture["svg"]))
        pictures[-1].with_suffix(".png").write_bytes(base64.b64decode(picture["png"]))
    return pictures


def _write_book(
    scores: Mapping[str, Score], engraved: Mapping[str, Mapping[str, Any]], folder: Path
) -> tuple[list[Path], list[Rejection]]:
    if not engraved:
        return [], []
    tunes = [{"title": scores[name]["title"], "pages": each["pages"]} for name, each in engraved.items()]
    origins = sorted({scores[name]["right"] for name in engraved})
    path = folder / "tunes.pdf"
    try:
        path.write_bytes(print_book(format_count(len(tunes), "tune"), "; ".join(origins[:3]), tunes))
    except ToolError as error:
        return [], [Rejection(path.name, "no tune book as PDF", str(error))]
    return [path], []


def _list_sections(pictures: Sequence[Path], book: Sequence[Path]) -> tuple[ReportSection, ...]:
    scores = ReportSection("Scores", tuple(pictures), "Engraved from MusicXML.", part=RESULTS)
    prints = [
        ReportSection("All scores to print", (path,), "A4, with a table of contents.", part=RESULTS)
        for path in book
    ]
    return (*([scores] if pictures else []), *prints)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def prepare_score(record: Record, program: int) -> Score:
    """The engraver's input for a record. Raises DataError as `export_musicxml` does."""
    kind = "" if isinstance(record, PieceRecord) else describe_tempo(parse_valid_tune(record))
    source = export_musicxml(record, program)
    return {
        "source": source, "title": find_title(record), "left": kind, "right": describe_generation(record),
    }  # fmt: skip


def describe_tempo(tune: Tune) -> str:
    """The line above the first bar: the kind of tune and its tempo, such as "Jig, ♩. = 116"."""
    beat = fields.beat_length(tune.meter)
    number = fields.beats_per_minute(tune.meter, tune.rhythm)
    # Common fonts have a quarter note but no half note, so tempos in half notes are given in quarters.
    number, sign = (number, "♩.") if beat == Fraction(3, 8) else (round(number * beat * 4), "♩")
    return ", ".join(filter(None, (tune.rhythm.capitalize(), f"{sign} = {number}")))
