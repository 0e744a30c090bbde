"""Do the samples look like DNA: one scoreboard of measures beside those of the reference groups, and its
plots.

Read next: `measures.py` (what is measured), `pipeline/scoreboard` (how it is compared),
`statistics_plots.py`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domain import QUALITY, Exhibit, Findings
from pipeline.genome.compare import measures as named
from pipeline.genome.compare.pools import pool
from pipeline.scoreboard.scoring import FEWEST_LETTERS, score
from pipeline.scoreboard.table import caption_of, figures_of, write_table
from pipeline.scoreboard.verdicts import Words, summary_of

WORDS = Words("bases", "DNA", "real DNA", ("JS distance of ", "mutual information at "))


def compare_groups(groups: Mapping[str, Sequence[str]], out_dir: Path) -> Findings:
    """Write `statistics.tsv` and plots into `out_dir`; groups map a name to sequences of A, C, G and T."""
    groups = {name: [text for text in group if text] for name, group in groups.items() if any(group)}
    large = {name: group for name, group in groups.items() if sum(map(len, group)) >= 2 * FEWEST_LETTERS}
    pools = {name: pool(group) for name, group in large.items()}
    measured, drawn = (named.measures(pools), named.profiles(pools)) if pools else ([], [])
    # Nothing but the data may change the numbers, so that the seed is none of the run's.
    found = score(pools, [*measured, *drawn], np.random.default_rng(0)) if pools else []
    rows = [row for row in found if row.measure in measured]
    table = write_table(groups, rows, out_dir / "statistics.tsv", WORDS)
    plots = []
    if found:
        # matplotlib takes a second to load, and only plots need it.
        from pipeline.genome.compare.statistics_plots import draw_all

        plots = draw_all({row.measure.name: row for row in found}, rows, out_dir)
    return Findings(
        exhibits=(Exhibit("Statistics beside real DNA", (table,), caption_of(WORDS), part=QUALITY), *plots),
        summary=tuple(summary_of(groups, rows, WORDS)),
        figures=figures_of(rows),
        files=(table, *(file for plot in plots for file in plot.files)),
    )
