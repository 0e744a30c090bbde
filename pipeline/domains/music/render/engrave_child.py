"""Engraving by verovio and printing by typst. Both are native code, so they run in a child process.

See `engrave.py` for the calls.
"""

import base64
import html
import json
import re
from pathlib import Path
from typing import Any, Literal

PAGE_HEIGHT = 2600
"""Height of the music on a page of A4 below a header, at most, in verovio's unit: a tenth of a millimetre."""

SCALE = 40
"""Percent at which verovio draws."""
# A page as wide as A4, as high as its music.
OPTIONS: dict[str, str | int | bool] = {
    "pageWidth": 2100,
    "pageHeight": 60000,
    "adjustPageHeight": True,
    "pageMarginLeft": 90,
    "pageMarginRight": 90,
    "pageMarginTop": 30,
    "pageMarginBottom": 60,
    "scale": SCALE,
    "breaks": "encoded",
    "header": "none",  # `add_header` writes it, because verovio places it by a font that may be missing
    "footer": "none",
    "svgViewBox": True,
    "xmlIdSeed": 1,  # the same score gives the same bytes
}
_HEADER_HEIGHT = 72
_MARGIN = 36  # as the engraver's margins
_FONTS = "Libertinus Serif, Times New Roman, Liberation Serif, DejaVu Serif, serif"
_SIGNS = {"\uea64": "♭", "\uea65": "♮", "\uea66": "♯", "\ued60": "♭", "\ued61": "♮", "\ued62": "♯"}
_SIGN = re.compile(rf'<tspan font-family="Leipzig" font-size="\d+px">([{"".join(_SIGNS)}])</tspan>')
_FONT_FACE = re.compile(r"<style[^>]*>\s*@font-face.*?</style>", re.DOTALL)
# verovio sets the note of a metronome mark in a font that printing programs lack; the header has the tempo.
METRONOME = re.compile(r"<direction\b(?:(?!</direction>).)*<metronome.*?</direction>", re.DOTALL)

_PICTURE = """
#set page(width: 840pt, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), width: 100%)
"""
_BOOK = """
#let book = json(bytes(sys.inputs.book))
#set document(title: book.title, date: none)
#set page(paper: "a4", margin: (x: 8mm, top: 12mm, bottom: 15mm), numbering: "1")
#set text(font: "Libertinus Serif")
#show heading: it => []
#if book.tunes.len() > 1 {
  align(center)[#v(2cm) #text(28pt, book.title) #v(4mm) #text(12pt, book.subtitle) #v(1cm)]
  pad(x: 2cm, outline(title: none))
  pagebreak()
}
#for tune in book.tunes {
  for (number, page) in tune.pages.enumerate() {
    block(breakable: false, width: 100%)[
      #if number == 0 { heading(tune.title) }
      #image(bytes(page), width: 100%)
    ]
  }
}
"""


def engrave(scores: list[dict[str, str]]) -> list[dict[str, Any] | None]:
    """Engrave scores: for each an `svg`, the same as `png` (base64), and `pages`, SVGs for the printed book.

    A score is an `engrave.Score`. Its result is None where verovio refuses the MusicXML.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    return [_engrave(toolkit, **score) for score in scores]


def _engrave(toolkit: Any, source: str, title: str, left: str, right: str) -> dict[str, Any] | None:
    toolkit.setOptions(OPTIONS)
    if not toolkit.loadData(METRONOME.sub("", source)):
        return None
    svg = add_header(replace_fonts(toolkit.renderToSVG(1)), title, left, right)
    pages = [svg]
    if _parse_size(svg)[1] > PAGE_HEIGHT * SCALE / 100 + _HEADER_HEIGHT:
        toolkit.setOptions({**OPTIONS, "pageHeight": PAGE_HEIGHT, "breaks": "auto"})
        toolkit.redoLayout()
        pages = [replace_fonts(toolkit.renderToSVG(number + 1)) for number in range(toolkit.getPageCount())]
        pages[0] = add_header(pages[0], title, left, right)
    png = _typeset(_PICTURE, {"svg": svg}, "png")
    return {"svg": svg, "png": base64.b64encode(png).decode(), "pages": pages}


def print_book(title: str, subtitle: str, tunes: list[dict[str, Any]]) -> str:
    """A PDF (base64) of tunes, each with `title` and `pages`; several have a table of contents."""
    book = {"title": title, "subtitle": subtitle, "tunes": tunes}
    return base64.b64encode(_typeset(_BOOK, {"book": json.dumps(book)}, "pdf")).decode()


def _typeset(source: str, inputs: dict[str, str], file_format: Literal["png", "pdf"]) -> bytes:
    import matplotlib
    import typst

    # Typst brings a font for text, matplotlib one with the notes of a tempo. Those of the machine are left
    # out, because they differ from one machine to the next.
    # The stubs of typst want font paths of the type of the source, which is bytes.
    fonts: Any = [str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")]
    made = typst.compile(
        source.encode(),
        format=file_format,
        ppi=137,
        sys_inputs=inputs,
        font_paths=fonts,
        ignore_system_fonts=True,
    )
    return made if isinstance(made, bytes) else b"".join(made or [])


def add_header(svg: str, title: str, left: str, right: str) -> str:
    """Add a header to a picture: the title, centred, and under it a text on the left and one on the right.

    Raises ValueError where the picture has no size.
    """
    width, height = _parse_size(svg)
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


def _parse_size(svg: str) -> tuple[float, float]:
    match = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if match is None:
        raise ValueError("the engraving has no size")
    return float(match[1]), float(match[2])


def _text(text: str, x: float, y: float, size: float, anchor: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" '
        f'font-family="{_FONTS}">{html.escape(text)}</text>\n'
    )


def replace_fonts(svg: str) -> str:
    """Set words in fonts that viewers have, and the sharps and flats of chord symbols in DejaVu Sans.

    The font of verovio is removed from the picture where nothing else needs it.
    """
    svg = _SIGN.sub(
        lambda match: f'<tspan font-family="DejaVu Sans" font-size="405px">{_SIGNS[match[1]]}</tspan>', svg
    )
    svg = svg.replace('font-family="Times, serif"', f'font-family="{_FONTS}"')
    return svg if '"Leipzig"' in svg else _FONT_FACE.sub("", svg)
