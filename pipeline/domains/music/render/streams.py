"""Tunes as parts of music21: as notated, and as played.

The parts are built by our own ABC parser, because music21 misreads some of what the standard allows.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

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
from pipeline.domains.music.abc.layout import find_implied_repeats, find_line_starts
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
    from music21.common.types import StepName

_ORNAMENTS = {"~": expressions.Turn, "T": expressions.Trill, "H": expressions.Fermata}
_BAR_LINES = {"||": "double", "|]": "double", "[|": "double"}


def played_part(tune: Tune) -> "stream.Part":
    """A tune as played: repeats followed, ties joined, grace notes as notes, each change of meter and key.

    Ornaments and chord symbols have no time of their own and are left out.
    """
    part = stream.Part()
    part.insert(0, metronome(tune))
    for onset, text in played_meters(tune):
        if text != fields.FREE_METER:
            part.insert(quarters(onset), time_signature(text))
    for onset, text in played_keys(tune):
        part.insert(quarters(onset), _key_signature(text))
    for played in sounding_notes(tune):
        if played.pitches:
            pitches = list(played.pitches)
            made = chord.Chord(pitches) if len(pitches) > 1 else note.Note(pitches[0])
            made.duration = duration.Duration(quarters(played.duration))
            part.insert(quarters(played.onset), made)
    return part


def written_part(tune: Tune) -> "stream.Part":
    """A tune as notated: repeats, endings, beams, ornaments, grace notes, chord symbols and slurs."""
    return _PartWriter(tune).write()


def metronome(tune: Tune) -> "m21tempo.MetronomeMark":
    """The usual tempo of the tune's kind, in its beats a minute."""
    beat = fields.beat_length(tune.meter)
    number = fields.beats_per_minute(tune.meter, tune.rhythm)
    return m21tempo.MetronomeMark(number=number, referent=duration.Duration(beat * 4))


def _key_signature(text: str) -> "key.KeySignature":
    return key.KeySignature(fields.sharps(text))


def _clef(tune: Tune) -> "clef.Clef":
    """The treble clef, or the bass clef for tunes whose median pitch is below G3."""
    pitches = sorted(pitch for read in tune.parsed.notes for pitch in read.pitches)
    return clef.BassClef() if pitches and pitches[len(pitches) // 2] < 55 else clef.TrebleClef()


class _PartWriter:
    """Writes the tokens of a tune into measures, one for each bar. Its fields are the state on the way."""

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
        self.tied: set[int] = set()  # pitches that a tie prolongs
        self.slurs: list[list[Any]] = []  # the first and last note of each closed slur
        self.opening = 0  # slurs that the next note opens
        self.open_slurs: list[list[Any]] = []
        self._change(f"M:{tune.meter}")

    def write(self) -> "stream.Part":
        """Write all tokens, then the properties of whole bars."""
        for token in self.tune.tokens:
            self._write_token(token)
        part = stream.Part()
        self._add_bar_lines()
        number_measures(self.bars, self.measures)
        for place in find_line_starts(self.tune):
            if 0 < place < len(self.measures):
                self.measures[place].insert(0, layout.SystemLayout(isNew=True))
        for measure in self.measures:
            part.append(measure)
        if self.measures:
            self.measures[0].insert(0, metronome(self.tune))
        for bracket in self._make_endings():
            part.insert(0, bracket)
        for first, last in self.slurs:
            if first is not last:
                part.insert(0, spanner.Slur([first, last]))
        for bar, measure in zip(self.bars, self.measures, strict=True):
            if bar.full is None:
                measure.insert(0, hidden_meter(bar.duration))
            beam_notes(bar, measure, self.tune.rhythm)
        return part

    def _write_token(self, token: Token) -> None:
        kind, text = token.kind, token.text
        if kind in ("note", "rest", "chord"):
            self._write_note(token)
        elif kind == "string":
            self.symbols.append(text.strip('"'))
        elif kind == "grace":
            self._add_graces(text)
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

    def _write_note(self, token: Token) -> None:
        """Write a note, chord or rest, and before it the changes, chord symbols and grace notes that wait."""
        read = next(self.notes)
        bar, measure = self.bars[read.bar], self.measures[read.bar]
        offset = quarters(read.onset - bar.onset)
        for change in self.changes:
            measure.insert(offset, change)
        for symbol in self.symbols:
            measure.insert(offset, _chord_symbol(symbol))
        for text, pitches in self.graces:
            for number, grace in enumerate(pitches):
                measure.insert(offset, _grace_note(grace, "/" in text[:2], number, len(pitches)))
        self.changes, self.symbols, self.graces = [], [], []
        made = self._make_element(token, read)
        made.duration = self._make_duration(read.duration)
        measure.insert(offset, made)
        self._extend_slurs(made)

    def _make_element(self, token: Token, read: Note) -> Any:
        if token.kind == "rest":
            rest = note.Rest()
            rest.style.hideObjectOnPrint = token.text[0] in "xX"
            return rest
        parts = tokenize(token.text[1 : token.text.rindex("]")]) if token.kind == "chord" else [token]
        made = [note.Note(self._parse_pitch(part.text)) for part in parts if part.kind == "note"]
        for one in made:
            held, holds = one.pitch.midi in self.tied, read.tied
            if held or holds:
                one.tie = m21tie.Tie("continue" if held and holds else ("start" if holds else "stop"))
        self.tied = {one.pitch.midi for one in made} if read.tied else set()
        whole = made[0] if len(made) == 1 else chord.Chord(made)
        for mark in read.marks:
            if mark in _ORNAMENTS:
                sign = _ORNAMENTS[mark]()
                if mark != "H":  # a fermata of MusicXML has no placement
                    sign.placement = "above"
                whole.expressions.append(sign)
            elif mark == ".":
                whole.articulations.append(Staccato())
        return whole

    def _parse_pitch(self, text: str) -> "pitch.Pitch":
        written = parse_note(text)
        alteration = next(self.alterations)
        made = pitch.Pitch(step=cast("StepName", written.step), octave=4 + written.octave)
        if alteration or written.accidental:
            made.accidental = pitch.Accidental(alteration)
        return made

    def _add_graces(self, text: str) -> None:
        inside = [part.text for part in tokenize(text[1:-1]) if part.kind == "note"]
        self.graces.append((text, [self._parse_pitch(part) for part in inside]))

    def _make_duration(self, ticks: Ticks) -> "duration.Duration":
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

    def _extend_slurs(self, made: Any) -> None:
        self.open_slurs += [[made, made] for _ in range(self.opening)]
        self.opening = 0
        for slur in self.open_slurs:
            slur[1] = made

    def _add_bar_lines(self) -> None:
        implied = find_implied_repeats(self.bars)
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

    def _make_endings(self) -> Iterator["spanner.RepeatBracket"]:
        for index, bar in enumerate(self.bars):
            if not bar.ending:
                continue
            end = index
            while not ends_ending(self.bars, end):
                end += 1
            number = bar.ending.rstrip(",-")
            yield spanner.RepeatBracket(self.measures[index : end + 1], number=number)


def _grace_note(at: "pitch.Pitch", slashed: bool, number: int, count: int) -> "note.Note":
    """Grace note `number`, from 0, of `count` consecutive ones."""
    made = note.Note(at, type="eighth" if count == 1 else "16th")
    made.getGrace(inPlace=True)
    cast("duration.GraceDuration", made.duration).slash = slashed
    if count > 1:
        kind = "start" if number == 0 else ("stop" if number + 1 == count else "continue")
        made.beams.fill("16th", kind)
    return made


def _chord_symbol(text: str) -> "Music21Object":
    """A chord symbol that other programs can parse, or plain text where music21 does not know it."""
    root = text[:1] + text[1:].replace("b", "-", 1) if text[1:2] == "b" else text
    try:
        symbol = harmony.ChordSymbol(root)
    except Exception:  # music21 raises errors of many kinds, plain Exception among them
        return expressions.TextExpression(text)
    symbol.writeAsChord = False
    return symbol
