"""Scores of the tunes: MusicXML by music21, engraved as SVG by verovio and as PNG by resvg."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.domain import Exhibit, Findings, Record, References, Rejection
from pipeline.errors import DataError, ToolError
from pipeline.isolation import call_isolated
from pipeline.music import fields
from pipeline.music.abc_domain import tune_of
from pipeline.music.notation import how_made, musicxml_text, title_of
from pipeline.music.piece import PieceRecord
from pipeline.music.render import MusicRender, count
from pipeline.music.tune import Tune
from pipeline.progress import track

_TIME_LIMIT_S = 60.0
_PNG_WIDTH_PX = 1600
_HEADER_HEIGHT = 72
_MARGIN = 36  # as the engraver's margins
_FONTS = "Times New Roman, Liberation Serif, DejaVu Serif, serif"
_SIGNS = {"\uea64": "♭", "\uea65": "♮", "\uea66": "♯", "\ued60": "♭", "\ued61": "♮", "\ued62": "♯"}
_SIGN = re.compile(rf'<tspan font-family="Leipzig" font-size="\d+px">([{"".join(_SIGNS)}])</tspan>')
_FONT_FACE = re.compile(r"<style[^>]*>\s*@font-face.*?</style>", re.DOTALL)
# verovio prints the note of a metronome mark in a font that resvg cannot find.
_METRONOME = re.compile(r"<direction\b(?:(?!</direction>).)*<metronome.*?</direction>", re.DOTALL)


@dataclass(frozen=True)
class ScoreRender(MusicRender):
    """MusicXML, SVG and PNG of each tune."""

    max_tunes: int = 8
    instrument: str | int = "flute"

    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> Findings:
        """Write `score/<id>.musicxml`, `.svg` and `.png` for the first tunes."""
        folder = out_dir / "score"
        folder.mkdir(parents=True, exist_ok=True)
        rejections: list[Rejection] = []
        sources: dict[str, str] = {}
        for record in track(records[: self.max_tunes], "scores", unit="tune"):
            try:
                sources[record.id] = musicxml_text(record, self.program)
            except DataError as error:
                reason, _, detail = str(error).partition(":")
                rejections.append(Rejection(record.id, f"no score: {reason}", detail.strip()))
        files = [_write(folder / f"{name}.musicxml", text) for name, text in sources.items()]
        headers = {record.id: header_of(record) for record in records if record.id in sources}
        pictures, refused = self._pictures(sources, headers, folder)
        return Findings(
            exhibits=(Exhibit("Scores", tuple(pictures), "Engraved from MusicXML."),) if pictures else (),
            summary=(f"{count(len(pictures), 'score')} as MusicXML, SVG and PNG in {folder.name}/",),
            figures={"scores": len(pictures), "scores_failed": len(rejections) + len(refused)},
            files=(*files, *pictures, *(path.with_suffix(".png") for path in pictures)),
            rejections=(*rejections, *refused),
        )

    def _pictures(
        self, sources: Mapping[str, str], headers: Mapping[str, tuple[str, str, str]], folder: Path
    ) -> tuple[list[Path], list[Rejection]]:
        engraved = engrave_all({name: _METRONOME.sub("", text) for name, text in sources.items()})
        pictures, refused = [], []
        for name, (svg, why) in engraved.items():
            if not svg:
                refused.append(Rejection(name, "engraving failed", why))
                continue
            svg = add_header(_plain_signs(svg), *headers[name])
            pictures.append(_write(folder / f"{name}.svg", svg))
            (folder / f"{name}.png").write_bytes(_png(svg))
        return pictures, refused


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def add_header(svg: str, title: str, left: str, right: str) -> str:
    """The picture with its title above, centred, and under it a line as on printed music: on the left what
    kind of tune and how fast, on the right who made it. Raises ValueError where the picture has no size."""
    match = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if match is None:
        raise ValueError("the engraving has no size")
    width, height = float(match[1]), float(match[2])
    inner = svg[svg.index("<svg") :].replace(
        "<svg", f'<svg y="{_HEADER_HEIGHT}" width="{width}" height="{height}"', 1
    )
    size = min(22.0, 1.6 * width / max(len(title), 1))
    texts = (
        _text(title, width / 2, 36, size, "middle"),
        _text(left, _MARGIN, 62, 13, "start"),
        _text(right, width - _MARGIN, 62, 13, "end"),
    )
    box = f'viewBox="0 0 {width:g} {height + _HEADER_HEIGHT:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{"".join(texts)}{inner}</svg>\n'


def _text(text: str, x: float, y: float, size: float, anchor: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" '
        f'font-family="{_FONTS}">{html.escape(text)}</text>\n'
    )


def header_of(record: Record) -> tuple[str, str, str]:
    """Title, kind and tempo, and how it was made."""
    kind = "" if isinstance(record, PieceRecord) else kind_and_tempo(tune_of(record.text))
    return title_of(record), kind, how_made(record)


def kind_and_tempo(tune: Tune) -> str:
    """What stands above the first bar, such as "Jig, ♩. = 116"."""
    beat = fields.beat_length(tune.meter)
    number = fields.beats_per_minute(tune.meter, tune.rhythm)
    # Fonts have a quarter note, but no half note: its tempo is told in quarters.
    number, sign = (number, "♩.") if beat == Fraction(3, 8) else (round(number * beat * 4), "♩")
    return ", ".join(filter(None, (tune.rhythm.capitalize(), f"{sign} = {number}")))


def _plain_signs(svg: str) -> str:
    """Sharps and flats of chord symbols in any font instead of verovio's own, which viewers do not have."""
    svg = _SIGN.sub(
        lambda match: f'<tspan font-family="DejaVu Sans" font-size="405px">{_SIGNS[match[1]]}</tspan>', svg
    )
    svg = svg.replace('font-family="Times, serif"', f'font-family="{_FONTS}"')
    return svg if '"Leipzig"' in svg else _FONT_FACE.sub("", svg)


def engrave_all(sources: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """SVG and "", or "" and why, by name: in one child process, or each in its own where that one dies."""
    if not sources:
        return {}
    arguments = {"sources": list(sources.values())}
    try:
        svgs = call_isolated("pipeline.music.engrave:engrave", arguments, _TIME_LIMIT_S)
        return {
            name: (svg, "" if svg else "verovio refused it") for name, svg in zip(sources, svgs, strict=True)
        }
    except ToolError as error:
        if len(sources) == 1:
            return {name: ("", str(error)) for name in sources}
    results: dict[str, tuple[str, str]] = {}
    for name, source in sources.items():
        results |= engrave_all({name: source})
    return results


def _png(svg: str) -> bytes:
    import matplotlib

    from pipeline.music.engrave import rasterise

    # A machine without fonts still prints titles: matplotlib brings one.
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return rasterise(svg, [str(path) for path in sorted(fonts.glob("DejaVuS*.ttf"))], _PNG_WIDTH_PX)
