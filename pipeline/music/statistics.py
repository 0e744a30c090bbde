"""Do the samples sound like tunes: one scoreboard of measures beside those of the reference groups.

Read next: `note_measures.py` and `form.py` (what is measured), `pipeline/scoreboard.py` (how it is
compared), `overlap.py` (the same as mgeval compares it), `statistics_plots.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.domain import Exhibit, Findings, Record
from pipeline.music.abc_domain import tune_of
from pipeline.music.form import form_measures
from pipeline.music.note_measures import note_measures
from pipeline.music.note_table import NoteTable, TuneNotes
from pipeline.music.overlap import write_overlap
from pipeline.scoreboard import REAL, SAMPLES, Measure, Row, score
from pipeline.scoretable import Words, figures_of, summary_of, write_table

FEWEST = 8
"""Fewer pieces tell nothing."""
MOST = 500
"""More, of each group, tell nothing new."""
WORDS = Words("real tunes", "tunes")
CAPTION = (
    "A number is the mean over the tunes of a group; of a distribution, its distance from that of real tunes "
    "is shown: Jensen-Shannon, 0 to 1, or of the likeness of bars the mean difference. Real against itself: "
    "as many real tunes as half of the smallest group has, beside the other real ones. Intervals: 95%. Like "
    "real tunes: no further away than three standard errors."
)
OVERLAP_CAPTION = (
    "As mgeval has it: do the distances between real tunes and those of the group look like distances among "
    "real tunes? Overlap area: 1 for quite alike. KL divergence: 0 for quite alike, in nats."
)


@dataclass
class _Group:
    """How many sequences there are, how many of them are valid tunes, and the notes of those that can be
    read, of at most `MOST`."""

    sequences: int
    valid: int
    pieces: list[TuneNotes]


def compare_groups(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> Findings:
    """Write `statistics.tsv`, `overlap.tsv` and plots into `out_dir`; nothing in a group, however broken, is
    an error."""
    read = {name: _read(group) for name, group in ({SAMPLES: records} | dict(groups)).items() if group}
    pieces = {name: group.pieces for name, group in read.items()}
    return compare_pieces(pieces, form_measures(), out_dir, WORDS, _counts(read))


def compare_pieces(
    pieces: Mapping[str, Sequence[NoteTable]], more: Sequence[Measure], out_dir: Path, words: Words,
    plain: Mapping[str, Mapping[str, str]] | None = None,
) -> Findings:  # fmt: skip
    """The scoreboard of groups of pieces of any kind: by the measures of notes and `more`, with `plain`
    counts above."""
    shown = {name: each for name, each in pieces.items() if len(each) >= FEWEST}
    enough = REAL in shown and SAMPLES in shown
    measures = [*note_measures(shown), *more]
    sizes = {name: np.ones(len(each)) for name, each in shown.items()}
    rows = score(shown, sizes, measures) if enough else []
    table = write_table(plain or {}, rows, list(pieces), words, out_dir / "statistics.tsv")
    overlap = write_overlap(shown, [row.measure for row in rows], out_dir / "overlap.tsv") if rows else None
    plots = _plots(rows, out_dir)
    return Findings(
        exhibits=(
            Exhibit(f"Statistics beside {words.real}", (table,), CAPTION),
            *plots,
            *((Exhibit("Overlap with real tunes", (overlap,), OVERLAP_CAPTION),) if overlap else ()),
        ),
        summary=tuple(summary_of(rows, words)) if REAL in pieces and SAMPLES in pieces else (),
        figures=figures_of(rows),
        files=(table, *((overlap,) if overlap else ()), *(file for plot in plots for file in plot.files)),
    )


def _read(records: Sequence[Record]) -> _Group:
    chosen = np.unique(np.linspace(0, len(records) - 1, MOST).round().astype(int))
    group = _Group(len(chosen), 0, [])
    for number in chosen:
        try:
            tune = tune_of(records[number].text)
        except ValueError:
            continue
        group.valid += not tune.check()
        notes = TuneNotes.of_tune(tune)
        if len(notes.pitches):
            group.pieces.append(notes)
    return group


def _counts(read: Mapping[str, _Group]) -> dict[str, dict[str, str]]:
    """Plain counts. The samples here are those that were kept, so their validity says nothing."""
    notes = {name: [len(piece.pitches) for piece in group.pieces] for name, group in read.items()}
    return {
        "tunes": {name: str(group.sequences) for name, group in read.items()},
        "valid as they come": {
            name: f"{group.valid / group.sequences:.1%}" for name, group in read.items() if name != SAMPLES
        },
        "notes per tune": {name: f"{np.mean(each):.1f}" for name, each in notes.items() if each},
    }


def _plots(rows: Sequence[Row], out_dir: Path) -> list[Exhibit]:
    if not rows:
        return []
    # matplotlib takes a second to load, and only plots need it.
    from pipeline.music.statistics_plots import draw_all

    return draw_all(rows, out_dir)
