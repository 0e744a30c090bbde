"""Engraving for the tune book by verovio, in a child process.

Each score has two widths, and a list of its notes by their onsets, so that the page can light up the note
that sounds.
"""

import re
from typing import Any

from pipeline.domains.music.render.engrave_child import METRONOME, OPTIONS, replace_fonts

_OPTIONS = {
    **OPTIONS,
    "svgHtml5": True,  # ids of notes as data-id, so that both widths of a score may share them
    "svgRemoveXlink": True,
    "svgFormatRaw": True,
    "expandNever": True,  # the page follows the repeats
}
NARROW = {"pageWidth": 950, "breaks": "auto", "pageMarginLeft": 20, "pageMarginRight": 20}
"""Options of the narrow width, for phones: two or three bars a line."""
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
_ROOT = re.compile(r'id="([^"]+)"')
# The page looks for notes only, so all other ids, and the classes, are removed.
_IDS = re.compile(r' data-id="[^"]*"(?! data-class="note")| data-class="[^"]*"')


def engrave(scores: list[dict[str, str]]) -> list[dict[str, Any] | None]:
    """Engrave scores, each with a MusicXML `source` and a `seed`.

    A result has a `wide` and a `narrow` SVG, and `times`: each onset, in quarters as notated, with the ids
    of its notes. It is None where verovio refuses the MusicXML.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    return [_engrave(verovio.toolkit(), score["source"], int(score["seed"])) for score in scores]


def _engrave(toolkit: Any, source: str, seed: int) -> dict[str, Any] | None:
    # Each score has its own seed, so that its ids are the same in every run and differ within a page.
    toolkit.setOptions({**_OPTIONS, "xmlIdSeed": seed})
    if not toolkit.loadData(METRONOME.sub("", source)):
        return None
    wide = _prepare_svg(toolkit.renderToSVG(1), f"w{seed}")
    times = [(event["qstamp"], event["on"]) for event in toolkit.renderToTimemap() if event.get("on")]
    toolkit.setOptions(NARROW)
    toolkit.redoLayout()
    return {"wide": wide, "narrow": _prepare_svg(toolkit.renderToSVG(1), f"n{seed}"), "times": times}


def _prepare_svg(svg: str, name: str) -> str:
    """Remove styles, which the page forbids, and the colour of a picture; make its ids unique by `name`."""
    svg = _IDS.sub("", _STYLE.sub("", replace_fonts(svg)))
    svg = svg[svg.index("<svg") :].replace(' color="black"', "")
    root = _ROOT.search(svg)
    return svg if root is None else svg.replace(f"-{root[1]}", f"-{name}").replace(root[0], f'id="{name}"')
