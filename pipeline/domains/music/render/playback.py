"""A tune as played: bars in the order of playing, with repeats and endings, and notes with ties joined."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import parse_note, tokenize
from pipeline.domains.music.abc.notes import WHOLE, Bar, Note, Ticks, opens_section
from pipeline.domains.music.abc.tune import Tune


def played_bars(bars: Sequence[Bar]) -> list[int]:
    """Indices of the bars in the order of playing.

    A repeat without a start goes back to the start of the part, as is usual (ABC 2.1 §4.8, §4.9).
    """
    order: list[int] = []
    part: list[int] = []  # the bars of the part so far, without its endings
    ending: list[int] = []
    in_ending = False
    opened = False  # by a repeat sign: then a double bar does not end the part
    for index, bar in enumerate(bars):
        if bar.left.endswith(":") or (not in_ending and not part) or (in_ending and _leaves_endings(bar)):
            part, ending, in_ending, opened = [], [], False, bar.left.endswith(":")
        if bar.ending:
            in_ending, ending = True, []
        (ending if in_ending else part).append(index)
        order.append(index)
        if bar.right.startswith(":"):
            following = bars[index + 1].ending if index + 1 < len(bars) else ""
            if in_ending and following:
                order += part
            elif in_ending:
                part, ending, in_ending = [], [], False
            else:
                order += part
                part = part if following else []
            opened = False
        elif bar.right in ("||", "|]") and not opened:
            part, ending, in_ending = [], [], False
    return order


def _leaves_endings(bar: Bar) -> bool:
    return not bar.ending and opens_section(bar.left)


def played_notes(tune: Tune, join_ties: bool = True) -> list[Note]:
    """Notes and rests as played: onsets are in playing time, and tied notes are one note."""
    parsed = tune.parsed
    by_bar: list[list[Note]] = [[] for _ in parsed.bars]
    for note in parsed.notes:
        by_bar[note.bar].append(note)
    notes = _play_bars(parsed.bars, by_bar, played_bars(parsed.bars))
    return list(_join_ties(notes) if join_ties else notes)


def _play_bars(bars: Sequence[Bar], by_bar: list[list[Note]], order: list[int]) -> Iterator[Note]:
    now: Ticks = 0
    for index in order:
        for note in by_bar[index]:
            yield note._replace(onset=now + note.onset - bars[index].onset)
        now += bars[index].duration


def _join_ties(notes: Iterator[Note]) -> Iterator[Note]:
    held: Note | None = None
    for note in notes:
        if held is not None and held.tied and held.pitches == note.pitches:
            held = held._replace(duration=held.duration + note.duration, tied=note.tied)
            continue
        if held is not None:
            yield held
        held = note
    if held is not None:
        yield held


def played_measures(bars: Sequence[Bar]) -> Iterator[tuple[Ticks, Bar, Ticks]]:
    """Yield onset, first bar and length of each measure of bars in the order of playing.

    Two halves of a bar that a repeat sign divides are one measure. An upbeat at the start is one by itself.
    """
    onset: Ticks = 0
    length: Ticks = 0
    first: Bar | None = None
    for index, bar in enumerate(bars):
        first = first or bar
        length += bar.duration
        last = index + 1 == len(bars)
        joins = not last and bar.full is not None and length + bars[index + 1].duration <= bar.full
        if last or not joins or index == 0:
            yield onset, first, length
            onset, length, first = onset + length, 0, None


def played_meters(tune: Tune) -> Iterator[tuple[Ticks, str]]:
    """Yield the meters as played, each with its onset.

    A short measure has a meter of its own, so that other programs have the same bar lines.
    """
    bars = tune.parsed.bars
    last = ""
    for onset, bar, length in played_measures([bars[index] for index in played_bars(bars)]):
        meter = bar.meter if length == bar.full or bar.full is None else _short_meter(bar.meter, length)
        if meter != last:
            yield onset, meter
        last = meter


def _short_meter(meter: str, length: Ticks) -> str:
    unit = int(meter.partition("/")[2])
    share = Fraction(length) / WHOLE
    below = max(share.denominator, unit)
    if below > 32 or below & (below - 1):
        return meter
    return f"{share.numerator * (below // share.denominator)}/{below}"


def grace_pitches(tune: Tune) -> dict[int, tuple[int, ...]]:
    """The pitches of the grace notes before a note or chord, by its offset in the body."""
    alterations = iter(tune.parsed.alterations)
    found: dict[int, tuple[int, ...]] = {}
    waiting: tuple[int, ...] = ()
    for token in tune.tokens:
        if token.kind not in ("note", "chord", "grace"):
            continue
        inside = token.text[1 : token.text.rindex("]")] if token.kind == "chord" else token.text.strip("{}")
        pitches = tuple(
            parse_note(part.text).natural_pitch + next(alterations)
            for part in tokenize(inside)
            if part.kind == "note"
        )
        if token.kind == "grace":
            waiting += pitches
        else:
            if waiting:
                found[token.start] = waiting
            waiting = ()
    return found


def written_keys(tune: Tune) -> Iterator[tuple[int, str]]:
    """Yield the key of the header with offset -1, then each change of key with its offset in the body.

    A change to an unknown key is left out.
    """
    yield -1, tune.key
    for token in tune.tokens:
        if token.kind in ("inline", "field") and token.text.strip("[]").startswith("K:"):
            with suppress(ValueError):
                yield token.start, fields.normalise_key(token.text.strip("[]")[2:])


def key_at(keys: Sequence[tuple[int, str]], start: int) -> str:
    """The key that holds at an offset of the body, of those that `written_keys` gives."""
    return next(key for since, key in reversed(keys) if since <= start)


def sounding_notes(tune: Tune) -> list[Note]:
    """Notes as played, with each grace note as a note on the beat.

    As in abc2midi, a grace note lasts a quarter of the unit note length, and the note after it is shorter by
    that. All grace notes of a note take at most three quarters of it.
    """
    graces, usual = grace_pitches(tune), Fraction(tune.unit) * WHOLE / 4
    return [part for note in played_notes(tune) for part in _add_graces(note, graces, usual)]


def _add_graces(note: Note, graces: Mapping[int, tuple[int, ...]], usual: Ticks) -> Iterator[Note]:
    before = graces.get(note.start, ()) if note.pitches else ()
    length = min(usual, Fraction(note.duration) * 3 / 4 / len(before)) if before else 0
    for number, pitch in enumerate(before):
        yield note._replace(pitches=(pitch,), onset=note.onset + number * length, duration=length)
    taken = len(before) * length
    yield note._replace(onset=note.onset + taken, duration=note.duration - taken)


def played_keys(tune: Tune) -> Iterator[tuple[Ticks, str]]:
    """Yield the keys as played, each with its onset."""
    keys = list(written_keys(tune))
    last = ""
    for played in played_notes(tune, join_ties=False) if len(keys) > 1 else ():
        now = key_at(keys, played.start)
        if now != last:
            yield played.onset, now
        last = now
    if len(keys) == 1:
        yield 0, tune.key
