"""The comparison of chorales: counterpoint, chords, leaps and lengths.

Read next: `counterpoint.py` (the metrics), `compare/sequence_comparison.py` (how groups are compared).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.domains.music.chorales.counterpoint import (
    FIFTH,
    OCTAVE,
    count_chords,
    count_crossings,
    count_leaps,
    count_lengths,
    count_out_of_range,
    count_parallels,
    count_wide_gaps,
)
from pipeline.domains.music.chorales.voices import Chorale, parse_chorale
from pipeline.domains.music.compare.piece_set import distribution_metric, percentage, percentage_metric
from pipeline.domains.music.compare.sequence_comparison import SequenceComparison
from pipeline.evaluation.metric_comparison.conclusions import ComparisonTerms

METRICS = (
    percentage_metric("parallel fifths (% of moves)", partial(count_parallels, interval=FIFTH)),
    percentage_metric("parallel octaves and unisons (% of moves)", partial(count_parallels, interval=OCTAVE)),
    percentage_metric("voices crossed (% of steps)", count_crossings),
    percentage_metric("notes outside the usual ranges (%)", count_out_of_range),
    percentage_metric("upper voices over an octave apart (% of steps)", count_wide_gaps),
    distribution_metric("JS distance of chords above the bass", count_chords),
    distribution_metric("JS distance of the voices' leaps", count_leaps),
    distribution_metric("JS distance of the voices' note lengths", count_lengths),
)
TERMS = ComparisonTerms("steps", "chorales", "real chorales", ("parallel fifths", "JS distance of chords"))


def draw_parallel_fifths(groups: Mapping[str, Sequence[Chorale]], out_dir: Path) -> tuple[Path, ...]:
    """Draw the percentage of parallel fifths in each chorale of every group."""
    # Loads matplotlib, which takes a second.
    from pipeline.evaluation.plots import spread

    fifths = {name: [float(percentage(np.array(count_parallels(each, FIFTH)))) for each in group]
              for name, group in groups.items()}  # fmt: skip
    return (spread(fifths, "parallel fifths, % of moves", out_dir / "parallel_fifths.svg"),)


COMPARISON = SequenceComparison(parse_chorale, METRICS, TERMS, draw_parallel_fifths)
