"""Do the samples look like piano music: notes, steps, chords and repetition on one scoreboard.

All is counted in the flat form, since nothing else is learned. Read next:
`pipeline/evaluation/metric_comparison`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.domains.music.piano.notes import MAX_IN_CHORD, NotNotes, chords, parse_notes
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms, list_warnings, summarize
from pipeline.evaluation.metric_comparison.divergence import jensen_shannon, proportions
from pipeline.evaluation.metric_comparison.groups import SAMPLES
from pipeline.evaluation.metric_comparison.metric import Metric
from pipeline.evaluation.metric_comparison.table import collect_figures, format_caption, write_table
from pipeline.records import QUALITY, DomainOutput, Record, ReportSection

FEWEST = 4
"""Pieces in each group; with fewer there are no halves to compare."""
WIDEST = 36
"""Semitones; wider steps count as this."""
PHRASE = 8
"""Notes in a row that are looked for again later in a piece."""
TERMS = ComparisonTerms("notes", "piano pieces", "real pieces", ("JS distance of chords",))
Notes = tuple[int, ...]
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
# A minor scale is the major one of another root, so twelve scales are all twenty-four.
_SCALES = np.array([[(pitch - root) % 12 in _MAJOR for pitch in range(12)] for root in range(12)], float)


@dataclass(frozen=True, eq=False)
class Group:
    """The pieces of a group, counted one by one."""

    pieces: Sequence[Notes]

    @property
    def unit_sizes(self) -> np.ndarray:
        """Notes of each, ``(pieces,)``."""
        return np.array([len(each) for each in self.pieces])

    @property
    def blocks(self) -> np.ndarray:
        """Each piece is a block of its own, ``(pieces,)``."""
        return np.arange(len(self.pieces))

    def rows(self, of: Callable[[Notes], Sequence[float] | np.ndarray]) -> np.ndarray:
        """A row of counts for each, ``(pieces, bins)``."""
        return np.array([of(each) for each in self.pieces], float)


def measures() -> list[Metric]:
    """All measures. A shuffle keeps how often each note follows another."""
    return [
        Metric("JS distance of keys", partial(Group.rows, of=keys), proportions, jensen_shannon, True),
        Metric("JS distance of steps from note to note", partial(Group.rows, of=steps), proportions,
               jensen_shannon, True),
        Metric("JS distance of chords, above their lowest note", partial(Group.rows, of=harmonies),
               proportions, jensen_shannon),
        Metric("JS distance of chord sizes", partial(Group.rows, of=sizes), proportions, jensen_shannon),
        Metric("notes of one scale (%)", partial(Group.rows, of=in_scale), _percent, kept_by_shuffling=True),
        Metric(f"{PHRASE} notes in a row that came before (%)", partial(Group.rows, of=repeated), _percent),
    ]  # fmt: skip


def _percent(counts: np.ndarray) -> np.ndarray:
    return 100 * counts[..., 0] / np.maximum(counts[..., 1], 1e-9)


def keys(notes: Notes) -> np.ndarray:
    """Notes by key, ``(128,)``."""
    return np.bincount(notes, minlength=128)


def steps(notes: Notes) -> np.ndarray:
    """Steps from note to note by semitones, ``(2 * WIDEST + 1,)``."""
    clipped = np.clip(np.diff(notes), -WIDEST, WIDEST)
    return np.bincount(clipped + WIDEST, minlength=2 * WIDEST + 1)


def harmonies(notes: Notes) -> np.ndarray:
    """Chords of two notes or more by their pitch classes above the lowest note, ``(4096,)``."""
    several = (chord for chord in chords(notes) if len(chord) > 1)
    masks = [sum({1 << (note - chord[0]) % 12 for note in chord}) for chord in several]
    return np.bincount(np.array(masks, int), minlength=2**12)


def sizes(notes: Notes) -> np.ndarray:
    """Chords and single notes by how many they are, ``(MAX_IN_CHORD + 1,)``."""
    return np.bincount([len(chord) for chord in chords(notes)], minlength=MAX_IN_CHORD + 1)


def in_scale(notes: Notes) -> tuple[float, float]:
    """The notes of the major or minor scale that has most, and all (MusPy's scale consistency)."""
    classes = np.bincount(np.array(notes) % 12, minlength=12)
    return (_SCALES @ classes).max(), len(notes)


def repeated(notes: Notes) -> tuple[int, int]:
    """Of the rows of `PHRASE` notes those that came before in the piece, and all."""
    rows = [notes[at : at + PHRASE] for at in range(len(notes) - PHRASE + 1)]
    return len(rows) - len(set(rows)), len(rows)


def compare_groups(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> DomainOutput:
    """Write `statistics.tsv` and a plot into `out_dir`; what is no piece in a group is left out."""
    found = {name: list(_read(group)) for name, group in ({SAMPLES: records} | dict(groups)).items()}
    found = {name: pieces for name, pieces in found.items() if pieces}
    enough = bool(found) and min(map(len, found.values())) >= FEWEST
    # Nothing but the data may change the numbers, so that the seed is none of the run's.
    rng = np.random.default_rng(0)
    rows = (
        compare_metrics({name: Group(each) for name, each in found.items()}, measures(), rng)
        if enough
        else []
    )
    table = write_table(found, rows, out_dir / "statistics.tsv", TERMS)
    plots = ()
    if rows:
        from pipeline.evaluation.metric_comparison.plots import overview

        plots = (overview(rows, out_dir / "metric_overview.svg"),)
    warned = tuple(list_warnings(rows, TERMS))
    return DomainOutput(
        sections=(
            ReportSection("Statistics beside real pieces", (table,), format_caption(TERMS), part=QUALITY),
            *((ReportSection("How far from real pieces", plots, part=QUALITY),) if plots else ()),
        ),
        summary=(*warned, *summarize(found, rows, TERMS)),
        warnings=warned,
        figures=collect_figures(rows),
        files=(table, *plots),
    )


def _read(records: Iterable[Record]) -> Iterable[Notes]:
    for record in records:
        try:
            notes = parse_notes(record.text)
        except NotNotes:
            continue
        if len(notes) > 1:
            yield notes
