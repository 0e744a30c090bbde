"""Scores of the tunes: MusicXML, engraved as SVG, PNG and a book to print, and by LilyPond where wanted."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.piece import PieceRecord
from pipeline.domains.music.render.audio import join_outputs
from pipeline.domains.music.render.base import MusicRender, count
from pipeline.domains.music.render.lilypond import engrave_by_lilypond, missing_programs
from pipeline.domains.music.render.notation import how_made, musicxml_text, title_of, valid_tune
from pipeline.errors import DataError, ToolError
from pipeline.records import RESULTS, DomainOutput, Record, References, Rejection, ReportSection
from pipeline.runtime.progress import track
from pipeline.runtime.subprocess_call import call_isolated

_TIME_LIMIT_S = 60.0
_AT_ONCE = 8
"""Scores that one child process engraves."""

Score = dict[str, str]
"""What the engraver is given: source, title, left, right."""


@dataclass(frozen=True)
class ScoreRender(MusicRender):
    """MusicXML, SVG and PNG of each tune, and one PDF of all."""

    max_tunes: int = 8
    instrument: str | int = "flute"
    lilypond: bool = False

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write `score/<id>.musicxml`, `.svg` and `.png` for the first tunes, `score/tunes.pdf`, and
        all of them, to be heard too, in `tunebook.html`."""
        from pipeline.domains.music.render.tunebook import write_tunebook

        folder = out_dir / "score"
        folder.mkdir(parents=True, exist_ok=True)
        rejections: list[Rejection] = []
        scores: dict[str, Score] = {}
        for record in records[: self.max_tunes]:
            try:
                scores[record.id] = score_of(record, self.program)
            except DataError as error:
                reason, _, detail = str(error).partition(":")
                rejections.append(Rejection(record.id, f"no score: {reason}", detail.strip()))
        sources = [_write(folder / f"{name}.musicxml", score["source"]) for name, score in scores.items()]
        engraved: dict[str, dict[str, Any]] = {}
        for name, picture in track(engrave_all(scores), "scores", unit="tune", total=len(scores)):
            if isinstance(picture, str):
                rejections.append(Rejection(name, "engraving failed", picture))
            else:
                engraved[name] = picture
        pictures = [_write(folder / f"{name}.svg", picture["svg"]) for name, picture in engraved.items()]
        prints = [path.with_suffix(".png") for path in pictures]
        for path, picture in zip(prints, engraved.values(), strict=True):
            path.write_bytes(base64.b64decode(picture["png"]))
        book, refused = self._book(scores, engraved, folder)
        by_lilypond, said, failed = self._lilypond(sources)
        printed = ", ".join(["MusicXML, SVG and PNG"] + ["one PDF" for _ in book])
        made = DomainOutput(
            sections=_sections(pictures, book),
            summary=(f"{count(len(pictures), 'score')} as {printed} in {folder.name}/", *said),
            figures={"scores": len(pictures), "scores_failed": len(rejections)},
            files=(*sources, *pictures, *prints, *book, *by_lilypond),
            rejections=(*rejections, *refused, *failed),
        )
        musicxml = {name: score["source"] for name, score in scores.items()}
        return join_outputs(
            [write_tunebook(records[: self.max_tunes], musicxml, self.program, out_dir), made]
        )

    def _book(
        self, scores: Mapping[str, Score], engraved: Mapping[str, dict[str, Any]], folder: Path
    ) -> tuple[list[Path], list[Rejection]]:
        if not engraved:
            return [], []
        tunes = [{"title": scores[name]["title"], "pages": each["pages"]} for name, each in engraved.items()]
        made = sorted({scores[name]["right"] for name in engraved})
        arguments = {"title": count(len(tunes), "tune"), "subtitle": "; ".join(made[:3]), "tunes": tunes}
        try:
            target = "pipeline.domains.music.render.engrave:bind_book"
            data = call_isolated(target, arguments, _TIME_LIMIT_S + len(tunes))
        except ToolError as error:
            return [], [Rejection("tunes.pdf", "no tune book as PDF", str(error))]
        path = folder / "tunes.pdf"
        path.write_bytes(base64.b64decode(data))
        return [path], []

    def _lilypond(self, sources: Sequence[Path]) -> tuple[list[Path], tuple[str, ...], list[Rejection]]:
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
        return files, (f"{count(len(files) // 2, 'score')} by LilyPond as .ly and PDF",), failed


def _sections(pictures: list[Path], book: list[Path]) -> tuple[ReportSection, ...]:
    shown = (
        [ReportSection("Scores", tuple(pictures), "Engraved from MusicXML.", part=RESULTS)]
        if pictures
        else []
    )
    shown += [
        ReportSection("All scores to print", (path,), "A4, with a table of contents.", part=RESULTS)
        for path in book
    ]
    return tuple(shown)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def score_of(record: Record, program: int) -> Score:
    """MusicXML and the header of its page. Raises DataError as `musicxml_text` does."""
    kind = "" if isinstance(record, PieceRecord) else kind_and_tempo(valid_tune(record))
    source = musicxml_text(record, program)
    return {"source": source, "title": title_of(record), "left": kind, "right": how_made(record)}


def kind_and_tempo(tune: Tune) -> str:
    """What stands above the first bar, such as "Jig, ♩. = 116"."""
    beat = fields.beat_length(tune.meter)
    number = fields.beats_per_minute(tune.meter, tune.rhythm)
    # Fonts have a quarter note, but no half note: its tempo is told in quarters.
    number, sign = (number, "♩.") if beat == Fraction(3, 8) else (round(number * beat * 4), "♩")
    return ", ".join(filter(None, (tune.rhythm.capitalize(), f"{sign} = {number}")))


def engrave_all(
    scores: Mapping[str, Score], target: str = "pipeline.domains.music.render.engrave:engrave"
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """What `target` makes of each score by name, or why it made nothing: several in one child process, or
    each in one of its own where that one dies."""
    all_names = list(scores)
    for start in range(0, len(all_names), _AT_ONCE):
        names = all_names[start : start + _AT_ONCE]
        arguments = {"scores": [scores[name] for name in names]}
        try:
            made = call_isolated(target, arguments, _TIME_LIMIT_S)
            yield from ((name, each or "verovio refused it") for name, each in zip(names, made, strict=True))
        except ToolError as error:
            if len(names) == 1:
                yield names[0], str(error)
            else:
                for name in names:
                    yield from engrave_all({name: scores[name]}, target)
