"""How many tunes can be played, as they are drawn, mended, and drawn by the grammar, and what that costs:
``python -m benchmarks.playable outputs/folk/CHAR/train/best.ckpt outputs/folk/TOKEN/train/best.ckpt``.

Valid is what our checker passes; of the first valid ones it is then counted how many music21 reads with the
same notes, from MusicXML and from ABC, how many become MIDI files with them, and how many are engraved.
Bits per note are the model's own: of all tunes of the group, and of the valid ones. Drawing with and
without the grammar takes turns, its tables empty each time, and the fastest of some turns counts.
"""

import argparse
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.tune_text import format_tune, parse_tune
from pipeline.domains.music.render.engrave import engrave_all
from pipeline.domains.music.render.notation import export_midi, export_musicxml
from pipeline.domains.music.render.score import prepare_score
from pipeline.errors import DataError
from pipeline.generation.constrained.grammar_constraint import build_grammar_constraint
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.checkpoint import Loaded, load
from pipeline.records import Record, Rejection, Sample

TURNS = 3
LENGTH, TEMPERATURE = 1000, 0.8
PROGRAM = 73
BY_GRAMMAR = "by the grammar"


@dataclass(frozen=True)
class Group:
    """Tunes of one kind: what was drawn, what became of it, and how fast."""

    name: str
    samples: Sequence[Sample]
    finished: Sequence[Record | Rejection]
    symbols_a_second: float | None = None

    @property
    def records(self) -> list[Record]:
        """The valid tunes."""
        return [each for each in self.finished if isinstance(each, Record)]


def representation_of(loaded: Loaded) -> str:
    """What the symbols of a checkpoint are."""
    return "char" if loaded.alphabet.single_characters else "token"


def groups_of(loaded: Loaded, count: int, turns: int) -> Iterator[Group]:
    """The tunes as they are drawn, mended, and drawn by the grammar."""
    domain = Abc(representation=representation_of(loaded))
    request = Request(count, LENGTH, 0, temperature=TEMPERATURE)
    list(draw(loaded.model, loaded.alphabet, replace(request, count=2), threads=1))  # compiles
    rates: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(turns):
        for guided, seen in rates.items():
            with_grammar = replace(
                request, grammar=build_grammar_constraint(domain, loaded.alphabet, wanted=guided)
            )
            started = time.perf_counter()
            samples = list(draw(loaded.model, loaded.alphabet, with_grammar, threads=1))
            seconds = time.perf_counter() - started
            seen.append(sum(len(each.symbols) + each.ended for each in samples) / seconds)
            if guided:
                by_grammar = samples
            else:
                as_drawn = samples
    yield Group("as drawn", as_drawn, [domain.finish(each) for each in as_drawn], max(rates[False]))
    mending = replace(domain, repair=True)
    yield Group("mended", as_drawn, [mending.finish(each) for each in as_drawn])
    yield Group(BY_GRAMMAR, by_grammar, [domain.finish(each) for each in by_grammar], max(rates[True]))


def bits_per_note(samples: Sequence[Sample]) -> tuple[float, float]:
    """Surprisal of whole tunes, ends included, over the notes in them, and its standard error, as that of a
    ratio of sums over tunes."""
    domain = Abc()
    notes = np.array([domain.count_units(each.text) for each in samples])
    bits = np.array([-each.log_probability for each in samples]) / math.log(2)
    ratio = bits.sum() / max(notes.sum(), 1)
    return ratio, float(np.sqrt(((bits - ratio * notes) ** 2).sum()) / max(notes.sum(), 1))


def read_by_music21(record: Record, text: str, form: str) -> bool:
    """Whether music21 reads the notes that we read."""
    from music21 import converter, harmony

    expected = [sorted(note.pitches) for note in parse_tune(record.text).parsed.notes if note.pitches]
    try:
        score = converter.parse(text, format=form)
    except Exception:  # whatever music21 raises, it does not read the tune
        logging.debug("music21 and %s", record.id, exc_info=True)
        return False
    notes = [note for note in score.recurse().notes
             if not note.duration.isGrace and not isinstance(note, harmony.Harmony)]  # fmt: skip
    return [sorted(pitch.midi for pitch in note.pitches) for note in notes] == expected


def played(records: Sequence[Record], checked: int, engraved: int) -> dict[str, float]:
    """Shares of the first records that other programs take."""
    found: Counter[str] = Counter()
    scores = {}
    for record in records[:checked]:
        try:
            text = export_musicxml(record, PROGRAM)
            found["music21, MusicXML"] += read_by_music21(record, text, "musicxml")
            found["MIDI"] += bool(export_midi(record, PROGRAM))
            if len(scores) < engraved:
                scores[record.id] = prepare_score(record, PROGRAM)
        except DataError as error:
            print(f"  {record.id}: {error}")
        found["music21, ABC"] += read_by_music21(record, format_tune(record, 1), "abc")
    shares = {name: number / len(records[:checked]) for name, number in found.items()}
    made = list(engrave_all(scores))
    good = sum(not isinstance(each, str) for _, each in made)
    return {**shares, "engraved": good / max(len(records[:engraved]), 1)}


def figures_of(group: Group, checked: int, engraved: int) -> dict[str, Any]:
    """All that is told of one group."""
    total, records = len(group.finished), group.records
    told = [record.metadata["repaired"] for record in records if "repaired" in record.metadata]
    edits = [len(each.split("; ")) for each in told]
    valid = [each for each, end in zip(group.samples, group.finished, strict=True) if isinstance(end, Record)]
    figures: dict[str, Any] = {
        "tunes": total, "valid": len(records) / total, "mended": len(edits), "edits": sum(edits),
        "symbols a tune": sum(len(each.symbols) for each in group.samples) / total,
    }  # fmt: skip
    if group.name != "mended":
        for name, samples in (("bits a note", group.samples), ("bits a note, valid ones", valid)):
            figures[name], figures[f"{name}, standard error"] = bits_per_note(samples)
        figures["symbols a second"] = group.symbols_a_second
        figures["valid tunes a second"] = (
            group.symbols_a_second / figures["symbols a tune"] * figures["valid"]
        )
    return figures | played(records, checked, engraved)


def show(table: dict[str, dict[str, Any]]) -> None:
    """One column a group."""
    rows = list(dict.fromkeys(row for figures in table.values() for row in figures))
    print(f"\n{'':<26}" + "".join(f"{name:>24}" for name in table))
    for row in rows:
        cells = (figures.get(row) for figures in table.values())
        print(f"{row:<26}" + "".join(f"{'' if cell is None else format(cell, ',.4g'):>24}" for cell in cells))


def main() -> None:
    """Print the tables, why tunes are not valid, and last one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--checked", type=int, default=200, help="tunes handed to music21")
    parser.add_argument("--engraved", type=int, default=100)
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    everything: dict[str, Any] = {}
    for path in given.checkpoints:
        loaded = load(path)
        name, table = representation_of(loaded), {}
        for group in groups_of(loaded, given.count, given.turns):
            part = 1 if group.name == BY_GRAMMAR else 4  # the others for comparison only
            table[group.name] = figures_of(group, given.checked // part, given.engraved // part)
            reasons = Counter(each.reason for each in group.finished if isinstance(each, Rejection))
            told = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
            print(f"{name}, {group.name}, not valid: {told or 'none'}")
        show(table)
        costs = {}
        for unit in ("symbols a second", "valid tunes a second"):
            free, guided = (table[each][unit] for each in ("as drawn", BY_GRAMMAR))
            costs[unit] = 1 - guided / free
        print("the grammar costs", ", ".join(f"{cost:.1%} of the {unit}" for unit, cost in costs.items()))
        everything[name] = {**table, "costs": costs}
    print(json.dumps(everything))


if __name__ == "__main__":
    main()
