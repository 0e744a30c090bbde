"""The body of a tune as people read it: blanks between beats, a few bars a line."""

import itertools

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.notes import WHOLE, Bar, Ticks, opens_section
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.playback import played_bars

BARS_PER_LINE = 4
_PREFIXES = ("tuplet", "grace", "string", "mark", "decoration", "slur_open")
"""Kinds of tokens that belong to the next note."""


def lay_out(tune: Tune, bars_a_line: int = BARS_PER_LINE) -> str:
    """The body with blanks between beats and a line end after a few bars; the music stays the same.

    Not every program reads all signs of the learned form. So the implied start of a repeat is written, a
    double repeat becomes two signs on two lines, and a change of key or meter gets a line of its own.
    """
    implied = find_implied_repeats(tune.parsed.bars)
    spaced = _find_group_starts(tune)
    line_ends = _find_line_ends(tune.parsed.bars, bars_a_line)
    lines, line, space, bar_start = [], "", "", 0
    for token in tune.tokens:
        if token.kind == "inline" and token.text[1] in "KML":
            lines += [line.rstrip(), token.text.strip("[]")]
            line = space = ""
        elif token.kind == "bar":
            line = f"{line} {':|' if token.text == '::' else token.text}".lstrip()
            space = " "
            if token.start in line_ends:
                lines.append(line)
                line, space = ("|:", " ") if token.text == "::" else ("", "")
            bar_start = token.start + len(token.text)
        elif token.kind == "ending":
            # At the start of a line an ending needs its bracket; after a bar line its number is enough.
            line, space = (line + token.text if line else f"[{token.text.strip('[ ')}"), " "
        else:
            if bar_start in implied and not line:
                line, space, bar_start = "|:", " ", -1
            line += (space or (" " if line and token.start in spaced else "")) + token.text
            space = ""
    return "\n".join(part for part in [*lines, line] if part)


def find_line_starts(tune: Tune) -> list[int]:
    """The bars that start a line, by their numbers from 0."""
    ends = _find_line_ends(tune.parsed.bars, BARS_PER_LINE)
    return [0] + [index + 1 for index, bar in enumerate(tune.parsed.bars[:-1]) if bar.end in ends]


def _find_line_ends(bars: tuple[Bar, ...], bars_a_line: int) -> set[int]:
    """Offsets of the bar lines that end a line: at the end of each part, and after every few full bars."""
    ends: set[int] = set()
    since: list[int] = []  # bar lines of the part's full bars after its last line end
    for bar, following in itertools.zip_longest(bars, bars[1:]):
        if not is_pickup(bar):
            since.append(bar.end)
        between_endings = following is not None and bar.ending and following.ending
        closes = bar.right in (":|", "::", "||", "|]") or (bar.right == "|:" and since)
        if closes and not between_endings:
            # A single bar left over joins the line before it, and a second ending that of the first.
            ends.update(since[bars_a_line - 1 : -2 : bars_a_line])
            ends.add(bar.end)
            since = []
    ends.update(since[bars_a_line - 1 :: bars_a_line])
    return ends


def find_implied_repeats(bars: tuple[Bar, ...]) -> set[int]:
    """Offsets of the first bars of parts that are repeated without a sign at their start."""
    order = played_bars(bars)
    # A jump back leads to the start of a repeat.
    targets = {after for before, after in itertools.pairwise(order) if after <= before}
    return {bars[index].start for index in targets if not bars[index].left.endswith(":")}


def is_pickup(bar: Bar) -> bool:
    """Whether a bar is an upbeat: short, at the start of a part and not at its end.

    The upbeat of the first part may stand before the repeat.
    """
    short = bar.full is not None and bar.duration < bar.full
    return short and opens_section(bar.left) and (bar.right in ("|", "|:") or not opens_section(bar.right))


def beat_offset(bar: Bar, onset: Ticks) -> Ticks:
    """Ticks from the start of the full bar; the empty part of an upbeat counts."""
    missing = bar.full - bar.duration if is_pickup(bar) and bar.full is not None else 0
    return onset - bar.onset + missing


def _find_group_starts(tune: Tune) -> set[int]:
    """Offsets of beamed groups: the first note of every beat, with the signs before it."""
    bars = tune.parsed.bars
    note_starts: set[int] = set()
    last = (-1, -1)
    for note in tune.parsed.notes:
        bar = bars[min(note.bar, len(bars) - 1)]
        beat = fields.beat_length("2/2" if bar.meter == "4/4" else bar.meter) * WHOLE
        group = (note.bar, int(beat_offset(bar, note.onset) // beat))
        if group != last:
            note_starts.add(note.start)
        last = group
    return _include_prefixes(tune, note_starts)


def _include_prefixes(tune: Tune, note_starts: set[int]) -> set[int]:
    """The starts moved before the tuplet sign, grace notes, ornaments and chord symbol of their notes."""
    starts: set[int] = set()
    prefix: int | None = None
    for token in tune.tokens:
        if token.kind in _PREFIXES:
            prefix = token.start if prefix is None else prefix
            continue
        if token.start in note_starts:
            starts.add(token.start if prefix is None else prefix)
        prefix = None
    return starts
