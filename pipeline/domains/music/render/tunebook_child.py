"""Engraving for the tune book, by verovio: called in a child process of its own.

Each score comes in two widths, and with what is needed to light up its notes: which ones start when.
"""

import re
from typing import Any

from pipeline.domains.music.render.engrave import METRONOME, OPTIONS, plain

_OPTIONS = {
    **OPTIONS,
    "svgHtml5": True,  # names of notes as data-id, so that two widths of one score may share them
    "svgRemoveXlink": True,
    "svgFormatRaw": True,
    "expandNever": True,  # repeats are played out by the book
}
NARROW = {"pageWidth": 950, "breaks": "auto", "pageMarginLeft": 20, "pageMarginRight": 20}
"""For a phone: two bars or three a line."""
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
_ROOT = re.compile(r'id="([^"]+)"')
# Only notes are looked for, and a class need not be told twice.
_NAMES = re.compile(r' data-id="[^"]*"(?! data-class="note")| data-class="[^"]*"')


def engrave(scores: list[dict[str, str]]) -> list[dict[str, Any] | None]:
    """For each MusicXML `source`, with a `seed`, a `wide` and a `narrow` SVG, and `times`: for each moment at
    which notes start, in quarters as written, their names; None for what verovio refuses."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    return [_engrave(verovio.toolkit(), score["source"], int(score["seed"])) for score in scores]


def _engrave(toolkit: Any, source: str, seed: int) -> dict[str, Any] | None:
    # A seed of its own for each score, so that names are the same every time and differ within a page.
    toolkit.setOptions({**_OPTIONS, "xmlIdSeed": seed})
    if not toolkit.loadData(METRONOME.sub("", source)):
        return None
    wide = _for_page(toolkit.renderToSVG(1), f"w{seed}")
    moments = [(event["qstamp"], event["on"]) for event in toolkit.renderToTimemap() if event.get("on")]
    toolkit.setOptions(NARROW)
    toolkit.redoLayout()
    return {"wide": wide, "narrow": _for_page(toolkit.renderToSVG(1), f"n{seed}"), "times": moments}


def _for_page(svg: str, name: str) -> str:
    """A picture without a style of its own, which a page may forbid, in the colour of its surroundings; the
    shapes that it draws more than once have names that end in `name`."""
    svg = _NAMES.sub("", _STYLE.sub("", plain(svg)))
    svg = svg[svg.index("<svg") :].replace(' color="black"', "")
    root = _ROOT.search(svg)
    return svg if root is None else svg.replace(f"-{root[1]}", f"-{name}").replace(root[0], f'id="{name}"')
