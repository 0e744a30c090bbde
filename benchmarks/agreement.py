"""Do we read tunes as others do: ``python -m benchmarks.agreement``, over the tune books inside music21, and
``--more FILES`` for further ABC files.

Identity: a body's tokens, and a learned tune's musical tokens, joined, are its text; tunes a second.
Agreement: of tunes that our checker passes, as many as the time allows, what music21 (and symusic, where it
is installed) reads from the tune as we write it, compared with our notes: how many, which pitches, how long
each bar is. Each disagreement is told by its class, and by what in the tune goes with it.
"""

import argparse
import json
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.domains.music.abc.abc_notation import tokenize
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.files import read_tunes
from pipeline.domains.music.abc.music_tokens import music_tokens
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.render.playback import played_notes
from pipeline.errors import ToolError
from pipeline.records import Record

BOOKS = ("oneills1850", "ryansMammoth", "airdsAirs")
SHOWN = 3


def books() -> list[Path]:
    """The tune books of the installed music21."""
    found = find_spec("music21")
    if found is None or not found.submodule_search_locations:
        raise ToolError("music21 is not installed; pip install music21")
    corpus = Path(found.submodule_search_locations[0]) / "corpus"
    return [path for book in BOOKS for path in sorted((corpus / book).glob("*.abc"))]


def identity(paths: Sequence[Path], records: Sequence[Record]) -> dict[str, float]:
    """How many bodies and learned texts their tokens give back, and how fast they are made."""
    bodies = [raw.body for path in paths for raw in read_tunes(path)]
    started = time.process_time()
    tokens = [tokenize(body) for body in bodies]
    seconds = time.process_time() - started
    same = sum("".join(t.text for t in each) == body for each, body in zip(tokens, bodies, strict=True))
    learned = sum("".join(music_tokens(record.text)) == record.text for record in records)
    checked = time.process_time()
    for record in records:
        Tune.from_text(record.text).check()
    return {
        "tunes": len(bodies), "bodies given back": same, "learned tunes": len(records),
        "learned texts given back": learned, "tokenized, tunes a second": len(bodies) / seconds,
        "read and checked, tunes a second": len(records) / (time.process_time() - checked),
    }  # fmt: skip


def by_music21(text: str) -> tuple[list[list[int]], list[Fraction]]:
    """The notes and the bars' lengths, in whole notes, that music21 reads."""
    from music21 import converter, harmony

    # Any: the stubs of music21 cover a part of its streams.
    score: Any = converter.parse(text, format="abc")
    notes = [note for note in score.recurse().notes
             if not note.duration.isGrace and not isinstance(note, harmony.Harmony)]  # fmt: skip
    bars = [
        sum((Fraction(each.duration.quarterLength) for each in measure.notesAndRests
             if not each.duration.isGrace and not isinstance(each, harmony.Harmony)), Fraction(0)) / 4
        for measure in score.parts[0].getElementsByClass("Measure")
    ]  # fmt: skip
    return [sorted(pitch.midi for pitch in note.pitches) for note in notes], [bar for bar in bars if bar]


def by_symusic(text: str) -> tuple[list[list[int]], None]:
    """The notes that symusic plays, in the order of their onsets."""
    import symusic

    with _silence():  # its reader writes to the terminal
        # Any: the stubs of symusic hide the attributes of its factory.
        score: Any = symusic.Score.from_abc(text)
    return [[note.pitch] for note in sorted(score.tracks[0].notes, key=lambda n: (n.start, n.pitch))], None


@contextmanager
def _silence() -> Iterator[None]:
    kept, nothing = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    try:
        yield
    finally:
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
            os.close(before)
        os.close(nothing)


def classify(tune: Tune, notes: list[list[int]], bars: list[Fraction] | None) -> str:
    """In what a reading differs from ours, and what in the tune goes with it."""
    expected = [sorted(note.pitches) for note in tune.parsed.notes if note.pitches]
    if bars is None:  # repeats are played, and ties joined
        expected = [[pitch] for note in played_notes(tune) for pitch in sorted(note.pitches)]
    if len(notes) != len(expected):
        return f"number of notes, {_suspect(tune)}"
    if notes != expected:
        place = next(n for n, (one, other) in enumerate(zip(notes, expected, strict=True)) if one != other)
        octave = all((a - b) % 12 == 0 for a, b in zip(notes[place], expected[place], strict=False))
        if set("^_=") & {*tune.body} and not octave:  # music21 forgets some of them before the bar's end
            return "pitches, with accidentals"
        return f"pitches, {'an octave, ' if octave else ''}{_suspect(tune)}"
    ours = [Fraction(bar.duration) / WHOLE for bar in tune.parsed.bars if bar.duration]
    if bars is not None and bars != ours:
        return f"lengths of bars, {_suspect(tune)}"
    return "same"


def _suspect(tune: Tune) -> str:
    """What other readers are known to stumble over, as far as the tune has it."""
    kinds, text = {token.kind for token in tune.tokens}, tune.body
    marks = {token.text for token in tune.tokens if token.kind == "mark"}
    found = [
        name
        for name, has in (
            ("ornament H", "H" in marks), ("ornament T", "T" in marks), ("roll ~", "~" in marks),
            ("inline field", "inline" in kinds), ("tie", "tie" in kinds), ("chord", "chord" in kinds),
            ("grace notes", "grace" in kinds),
            ("tuplet", "tuplet" in kinds), ("repeat ::", "::" in text), ("broken rhythm", "broken" in kinds),
        )
        if has
    ]  # fmt: skip
    return "with " + found[0] if found else "none of the known causes"


def compare(records: Sequence[Record], reader: Any, seconds: float) -> tuple[Counter, dict[str, list[str]]]:
    """How many tunes a reader reads as we do, by class of disagreement, and some of each by name."""
    found: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    # Spread over all books, so that a part of the time sees a part of each.
    order = [record for start in range(97) for record in records[start::97]]
    ends = time.monotonic() + seconds
    for record in order:
        if time.monotonic() > ends:
            break
        tune = parse_tune(record.text)
        try:
            kind = classify(tune, *reader(format_tune(record, 1)))
        except Exception as error:  # whatever a reader raises, it does not read the tune
            kind = f"cannot read it: {type(error).__name__}, {_suspect(tune)}"
        found[kind] += 1
        examples[kind].append(record.id)
    return found, examples


def _readers() -> Iterator[tuple[str, Any]]:
    yield "music21", by_music21
    if find_spec("symusic"):
        yield "symusic", by_symusic


def main() -> None:
    """Print the tables, and last one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--more", nargs="*", type=Path, default=[])
    parser.add_argument("--seconds", type=float, default=300.0, help="for each other reader")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    paths = [*books(), *given.more]
    domain = Abc()
    records = [each for path in paths for each in domain.read(path) if isinstance(each, Record)]
    everything: dict[str, Any] = {"identity": identity(paths, records)}
    for name, value in everything["identity"].items():
        print(f"{name:<36}{value:>12,.0f}")
    for name, reader in _readers():
        found, examples = compare(records, reader, given.seconds)
        print(f"\n{name}: {found['same']} of {found.total()} tunes alike")
        for kind, number in found.most_common():
            if kind != "same":
                print(f"  {number:>5}  {kind}: {', '.join(examples[kind][:SHOWN])}")
        everything[name] = dict(found)
    print(json.dumps(everything))


if __name__ == "__main__":
    main()
