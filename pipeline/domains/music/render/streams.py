"""Tunes as music21 scores of our own reading: as a page shows them, and as they are played.

music21's own reader of ABC is not asked, which misreads some of what the standard allows.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from music21 import bar as m21bar
from music21 import (
    chord,
    clef,
    duration,
    expressions,
    harmony,
    key,
    layout,
    note,
    pitch,
    spanner,
    stream,
)
from music21 import tempo as m21tempo
from music21 import tie as m21tie
from music21.articulations import Staccato

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import Token, parse_note, tokenize
from pipeline.domains.music.abc.layout import implied_repeats, line_starts
from pipeline.domains.music.abc.notes import Note, Ticks
from pipeline.domains.music.abc.reader import tuplet_ratio
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.render.measures import (
    beam_notes,
    ends_ending,
    hidden_meter,
    number_measures,
    quarters,
    time_signature,
)
from pipeline.domains.music.render.playback import played_keys, played_meters, sounding_notes

if TYPE_CHECKING:
    from music21.base import Music21Object

_ORNAMENTS = {"~": expressions.Turn, "T": expressions.Trill, "H": expressions.Fermata}
_BAR_LINES = {"||": "double", "|]": "double", "[|": "double"}


def played_part(tune: Tune) -> "stream.Part":
    """The notes with ties joined and repeats played out, under every meter and key as it sets in, and grace
    notes before their note; ornaments and chord symbols, which have no time of their own, are left out."""
    part = stream.Part()
    part.insert(0, metronome(tune))
    for onset, text in played_meters(tune):
        if text != fields.FREE_METER:
            part.insert(quarters(onset), time_signature(text))
    for onset, text in played_keys(tune):
        part.insert(quarters(onset), _key_signature(text))
    for played in sounding_notes(tune):
        if played.pitches:
            made = chord.Chord(played.pitches) if len(played.pitches) > 1 else note.Note(played.pitches[0])
            made.duration = duration.Duration(quarters(played.duration))
            part.insert(quarters(played.onset), made)
    return part


def written_part(tune: Tune) -> "stream.Part":
    """The measures of the page: repeats, endings, beams, ornaments, grace notes, chord symbols, slurs."""
    return _Page(tune).part()


def metronome(tune: Tune) -> "m21tempo.MetronomeMark":
    """The tempo of the tune's kind, counted in its beats."""
    beat = fields.beat_length(tune.meter)
    number = fields.beats_per_minute(tune.meter, tune.rhythm)
    return m21tempo.MetronomeMark(number=number, referent=duration.Duration(beat * 4))


def _key_signature(text: str) -> "key.KeySignature":
    return key.KeySignature(fields.sharps(text))


def _clef(tune: Tune) -> "clef.Clef":
    """Treble, or bass for what would stand far below that staff."""
    pitches = sorted(pitch for read in tune.parsed.notes for pitch in read.pitches)
    return clef.BassClef() if pitches and pitches[len(pitches) // 2] < 55 else clef.TrebleClef()


class _Page:
    """The state while the tokens are set, one measure for each bar of the reading."""

    def __init__(self, tune: Tune) -> None:
        self.tune = tune
        self.bars = tune.parsed.bars
        self.notes = iter(tune.parsed.notes)
        self.alterations = iter(tune.parsed.alterations)
        self.measures = [stream.Measure() for _ in self.bars]
        self.symbols: list[str] = []
        self.graces: list[tuple[str, list[Any]]] = []
        self.changes: list[Music21Object] = [_clef(tune), _key_signature(tune.key)]
        self.tuplet: tuple[int, int] | None = None
        self.tuplet_left = self.tuplet_reach = 0
        self.tied: set[int] = set()  # pitches that a tie leads to
        self.slurs: list[list[Any]] = []  # the first and last note of each
        self.opening = 0
        self.open_slurs: list[list[Any]] = []
        self._change(f"M:{tune.meter}")

    def part(self) -> "stream.Part":
        """Set all tokens, then what belongs to whole bars."""
        for token in self.tune.tokens:
            self._set(token)
        part = stream.Part()
        self._bar_lines()
        number_measures(self.bars, self.measures)
        for place in line_starts(self.tune):
            if 0 < place < len(self.measures):
                self.measures[place].insert(0, layout.SystemLayout(isNew=True))
        for measure in self.measures:
            part.append(measure)
        if self.measures:
            self.measures[0].insert(0, metronome(self.tune))
        for bracket in self._endings():
            part.insert(0, bracket)
        for first, last in self.slurs:
            if first is not last:
                part.insert(0, spanner.Slur([first, last]))
        for bar, measure in zip(self.bars, self.measures, strict=True):
            if bar.full is None:
                measure.insert(0, hidden_meter(bar.duration))
            beam_notes(bar, measure, self.tune.rhythm)
        return part

    def _set(self, token: Token) -> None:
        kind, text = token.kind, token.text
        if kind in ("note", "rest", "chord"):
            self._sound(token)
        elif kind == "string":
            self.symbols.append(text.strip('"'))
        elif kind == "grace":
            self._grace(text)
        elif kind == "tuplet":
            self.tuplet, self.tuplet_reach = tuplet_ratio(text, self.meter)
            self.tuplet_left = self.tuplet_reach
        elif kind in ("inline", "field"):
            self._change(text.strip("[]"))
        elif kind == "slur_open":
            self.opening += 1
        elif kind == "slur_close" and self.open_slurs:
            self.slurs.append(self.open_slurs.pop())

    def _change(self, text: str) -> None:
        if text.startswith("K:"):
            self.changes.append(_key_signature(fields.normalise_key(text[2:])))
        elif text.startswith("M:"):
            self.meter = fields.normalise_meter(text[2:])
            if self.meter != fields.FREE_METER:
                self.changes.append(time_signature(self.meter))

    def _sound(self, token: Token) -> None:
        """Set a note, chord or rest, with what waited for it."""
        read = next(self.notes)
        bar, measure = self.bars[read.bar], self.measures[read.bar]
        offset = quarters(read.onset - bar.onset)
        for change in self.changes:
            measure.insert(offset, change)
        for symbol in self.symbols:
            measure.insert(offset, _chord_symbol(symbol))
        for text, pitches in self.graces:
            for number, place in enumerate(pitches):
                measure.insert(offset, _grace_note(place, "/" in text[:2], number, len(pitches)))
        self.changes, self.symbols, self.graces = [], [], []
        made = self._element(token, read)
        made.duration = self._duration(read.duration)
        measure.insert(offset, made)
        self._slur(made)

    def _element(self, token: Token, read: Note) -> Any:
        if token.kind == "rest":
            rest = note.Rest()
            rest.style.hideObjectOnPrint = token.text[0] in "xX"
            return rest
        parts = tokenize(token.text[1 : token.text.rindex("]")]) if token.kind == "chord" else [token]
        made = [note.Note(self._pitch(part.text)) for part in parts if part.kind == "note"]
        for one in made:
            held, holds = one.pitch.midi in self.tied, read.tied
            if held or holds:
                one.tie = m21tie.Tie("continue" if held and holds else ("start" if holds else "stop"))
        self.tied = {one.pitch.midi for one in made} if read.tied else set()
        whole = made[0] if len(made) == 1 else chord.Chord(made)
        for mark in read.marks:
            if mark in _ORNAMENTS:
                sign = _ORNAMENTS[mark]()
                if mark != "H":  # MusicXML lets a fermata stand where it will
                    sign.placement = "above"
                whole.expressions.append(sign)
            elif mark == ".":
                whole.articulations.append(Staccato())
        return whole

    def _pitch(self, text: str) -> "pitch.Pitch":
        written = parse_note(text)
        alteration = next(self.alterations)
        made = pitch.Pitch(step=written.step, octave=4 + written.octave)
        if alteration or written.accidental:
            made.accidental = pitch.Accidental(alteration)
        return made

    def _grace(self, text: str) -> None:
        inside = [part.text for part in tokenize(text[1:-1]) if part.kind == "note"]
        self.graces.append((text, [self._pitch(part) for part in inside]))

    def _duration(self, ticks: Ticks) -> "duration.Duration":
        if not self.tuplet_left or self.tuplet is None:
            return duration.Duration(quarters(ticks))
        count, time = self.tuplet
        made = duration.Duration(quarters(ticks) * count / time)
        bracket = duration.Tuplet(count, time, made.type if made.type != "complex" else "eighth")
        if self.tuplet_left == self.tuplet_reach:
            bracket.type = "start"
        self.tuplet_left -= 1
        if not self.tuplet_left:
            bracket.type = "stop" if bracket.type is None else "startStop"
        made.appendTuplet(bracket)
        return made

    def _slur(self, made: Any) -> None:
        self.open_slurs += [[made, made] for _ in range(self.opening)]
        self.opening = 0
        for slur in self.open_slurs:
            slur[1] = made

    def _bar_lines(self) -> None:
        implied = implied_repeats(self.bars)
        for index, (bar, measure) in enumerate(zip(self.bars, self.measures, strict=True)):
            last = index + 1 == len(self.bars)
            if bar.left.endswith(":") or bar.start in implied:
                measure.leftBarline = m21bar.Repeat(direction="start")
            if bar.right.startswith(":"):
                measure.rightBarline = m21bar.Repeat(direction="end")
            elif last:
                measure.rightBarline = m21bar.Barline("final")
            elif bar.right in _BAR_LINES:
                measure.rightBarline = m21bar.Barline(_BAR_LINES[bar.right])

    def _endings(self) -> Iterator["spanner.RepeatBracket"]:
        for index, bar in enumerate(self.bars):
            if not bar.ending:
                continue
            end = index
            while not ends_ending(self.bars, end):
                end += 1
            number = bar.ending.rstrip(",-")
            yield spanner.RepeatBracket(self.measures[index : end + 1], number=number)


def _grace_note(place: "pitch.Pitch", slashed: bool, number: int, count: int) -> "note.Note":
    made = note.Note(place, type="eighth" if count == 1 else "16th").getGrace()
    made.duration.slash = slashed
    if count > 1:
        kind = "start" if number == 0 else ("stop" if number + 1 == count else "continue")
        made.beams.fill("16th", kind)
    return made


def _chord_symbol(text: str) -> "Music21Object":
    """A chord symbol that programs can read, or its words where music21 does not know it."""
    root = text[:1] + text[1:].replace("b", "-", 1) if text[1:2] == "b" else text
    try:
        symbol = harmony.ChordSymbol(root)
    except Exception:  # music21 raises errors of many kinds, plain Exception among them
        return expressions.TextExpression(text)
    symbol.writeAsChord = False
    return symbol
