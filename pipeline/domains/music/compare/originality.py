"""Whether tunes are new: their longest melody fragment in a training tune, and the nearest training tune.

Held-out real tunes are measured, too: tunes of one tradition share phrases, and that is no copying. Read
next: `training_overlap.py` (how tunes are compared).
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.domains.music.compare.training_overlap import (
    TUNES,
    MelodyEncoding,
    Overlaps,
    TrainingOverlap,
    encode_training,
    find_overlaps,
)
from pipeline.evaluation.metric_comparison.groups import REAL, SAMPLES
from pipeline.evaluation.plots import spread
from pipeline.records import QUALITY, DomainOutput, Record, References, Rejection, ReportSection

MIN_NOTES = 16
"""Notes of a copy, at least: two bars of a reel. A shorter fragment is a common phrase."""
USUAL_SHARE = 0.95
"""Share of held-out real tunes whose longest fragment is not called a copy."""
MIN_REAL = 20
"""Held-out real tunes that say what is usual, at least."""
SIGNIFICANCE = 0.01
"""Significance level of the test that samples are copies more often than held-out real tunes."""
MIN_EXCESS = 0.2
"""Difference of the shares of copies in samples and held-out real tunes, at least, for a warning."""
COLUMNS = (
    "group", "tune", "notes", "longest_fragment_notes", "from_note", "fragment_in", "fragment_title",
    "nearest", "nearest_title", "nearest_distance", "copied",
)  # fmt: skip


def audit_originality(
    records: Sequence[Record], references: References, out_dir: Path, max_copy_notes: int | None,
    encoding: MelodyEncoding = TUNES,
) -> tuple[list[Record], DomainOutput]:  # fmt: skip
    """Compare samples with the training tunes, flag copies or drop them, and write `originality.tsv`.

    Parameters
    ----------
    records
        The samples.
    references
        Their references: the training tunes, and held-out real ones.
    out_dir
        The folder for the table and the plots.
    max_copy_notes
        Tunes that share more notes in a row with a training tune are dropped. None: they are only flagged,
        where they share more than nearly all held-out real tunes do.
    encoding
        How records are compared.

    Returns
    -------
    tuple of list of Record and DomainOutput
        The tunes to keep, with the metadata `nearest`, `nearest_distance` and `copied`; and the output.
    """
    training = list(encode_training(references, encoding))
    if not training or not records:
        return list(records), DomainOutput()
    groups = {SAMPLES: records, **references.groups}
    overlaps = {name: find_overlaps(group, training, encoding) for name, group in groups.items() if group}
    limit = find_copy_limit(overlaps.get(REAL, ())) if max_copy_notes is None else max_copy_notes
    drops = max_copy_notes is not None
    kept = [
        _flag(each, limit, encoding) for each in overlaps[SAMPLES] if not (drops and _copies(each, limit))
    ]
    rejections = [_reject(each, encoding) for each in overlaps[SAMPLES] if drops and _copies(each, limit)]
    table = _write_table(overlaps, limit, out_dir / "originality.tsv")
    plots = _draw(overlaps, encoding, out_dir)
    line, kind = _conclude(overlaps, limit, encoding), encoding.kind
    warnings = () if drops else tuple(_list_warnings(overlaps, limit, kind))
    caption = f"{line}. In any key and octave. A copy is a fragment of more than {limit} {encoding.notes}."
    return kept, DomainOutput(
        sections=(
            ReportSection(f"Originality of the {kind}s", plots, caption, part=QUALITY),
            ReportSection(f"Nearest training {kind}s", (table,)),
        ),
        summary=(*warnings, line, _describe_distances(overlaps, kind)),
        conclusions=(line,),
        warnings=warnings,
        figures=_collect_figures(overlaps, limit, encoding),
        files=(table, *plots),
        rejections=tuple(rejections),
    )


def find_copy_limit(real: Sequence[TrainingOverlap]) -> int:
    """The notes of a fragment that is no copy, at most: `USUAL_SHARE` of held-out real tunes have no more."""
    if len(real) < MIN_REAL:
        return 2 * MIN_NOTES
    usual = np.quantile([each.fragment_notes for each in real], USUAL_SHARE, method="higher")
    return max(MIN_NOTES, int(usual))


def _copies(each: TrainingOverlap, limit: int) -> bool:
    return each.fragment_notes > limit


def _reject(each: TrainingOverlap, encoding: MelodyEncoding) -> Rejection:
    detail = f"{each.fragment_notes} {encoding.notes} in a row are in {_find_title(each.fragment_in)}"
    return Rejection(each.tune.id, "copied", detail)


def _flag(each: TrainingOverlap, limit: int, encoding: MelodyEncoding) -> Record:
    metadata = {"nearest": _find_title(each.nearest), "nearest_distance": f"{each.distance:.2f}"}
    if _copies(each, limit):
        source = _find_title(each.fragment_in)
        metadata["copied"] = f"{each.fragment_notes} {encoding.notes} in a row of {source}"
    return replace(each.tune, metadata={**each.tune.metadata, **metadata})


def _find_title(record: Record | None) -> str:
    return "" if record is None else record.metadata.get("title") or record.id


def _write_table(overlaps: Overlaps, limit: int, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(COLUMNS)
        for group, of_group in overlaps.items():
            for each in of_group:
                source, nearest = each.fragment_in, each.nearest
                rows.writerow((
                    group, each.tune.id, each.notes, each.fragment_notes, each.start,
                    source.id if source else "", _find_title(source), nearest.id, _find_title(nearest),
                    f"{each.distance:.3f}", "yes" if _copies(each, limit) else "",
                ))  # fmt: skip
    return path


def _draw(overlaps: Overlaps, encoding: MelodyEncoding, out_dir: Path) -> tuple[Path, Path]:
    fragments = {name: [each.fragment_notes for each in group] for name, group in overlaps.items()}
    distances = {name: [each.distance for each in group] for name, group in overlaps.items()}
    kind, notes = encoding.kind, encoding.notes
    return (
        spread(
            fragments, f"longest melody fragment in a training {kind}, {notes}", out_dir / "copied_notes.svg"
        ),
        spread(
            distances, f"melodic distance to the nearest training {kind}", out_dir / f"nearest_{kind}.svg"
        ),
    )


class _CopyCount(NamedTuple):
    """The copies among the tunes of a group."""

    copies: int
    size: int

    @property
    def share(self) -> float:
        return self.copies / self.size

    def exceeds(self, other: "_CopyCount") -> bool:
        """Whether the share is larger than another one, by Fisher's exact test, one-sided."""
        # SciPy takes a while to load.
        from scipy.stats import hypergeom

        drawn = hypergeom(self.size + other.size, self.copies + other.copies, self.size)
        return bool(drawn.sf(self.copies - 1) < SIGNIFICANCE)


def _count_copies(overlaps: Sequence[TrainingOverlap], limit: int) -> _CopyCount:
    return _CopyCount(sum(_copies(each, limit) for each in overlaps), len(overlaps))


def _conclude(overlaps: Overlaps, limit: int, encoding: MelodyEncoding) -> str:
    """How many samples are copies, and whether more of them are than of held-out real tunes."""
    kind, samples = encoding.kind, _count_copies(overlaps[SAMPLES], limit)
    line = (
        f"originality: {samples.copies} of {samples.size} {kind}s have over {limit} {encoding.notes} in a "
        f"row from one training {kind}"
    )
    if len(overlaps.get(REAL, ())) < MIN_REAL:
        return f"{line} (too few held-out real {kind}s to compare with)"
    real, held_out = _count_copies(overlaps[REAL], limit), f"held-out real {kind}s"
    if not _CopyCount(samples.size, samples.size).exceeds(real):
        return f"{line} (too few {kind}s to compare with {held_out}, {real.share:.0%})"
    if samples.share <= real.share:
        return f"{line}, no more than {held_out} do ({real.share:.0%})"
    if samples.exceeds(real):
        return f"{line}, more than {held_out} do ({real.share:.0%})"
    return f"{line}: no difference found from {held_out} ({real.share:.0%})"


def _list_warnings(overlaps: Overlaps, limit: int, kind: str) -> Iterator[str]:
    """Yield a warning where many more samples than held-out real tunes are copies."""
    if len(overlaps.get(REAL, ())) < MIN_REAL:
        return
    samples, real = (_count_copies(overlaps[name], limit) for name in (SAMPLES, REAL))
    if samples.share >= real.share + MIN_EXCESS and samples.exceeds(real):
        yield (
            f"{samples.share:.0%} of the {kind}s copy the training data (held-out real {kind}s "
            f"{real.share:.0%}); domain.max_copy_notes={limit} drops such {kind}s"
        )


def _describe_distances(overlaps: Overlaps, kind: str) -> str:
    medians = [
        f"{name} {np.median([each.distance for each in group]):.2f}" for name, group in overlaps.items()
    ]
    return (
        f"median distance to the nearest training {kind}, from 0 (identical) to 1 (nothing in common): "
        f"{', '.join(medians)}"
    )


def _collect_figures(
    overlaps: Overlaps, limit: int, encoding: MelodyEncoding
) -> dict[str, float | str | None]:
    figures: dict[str, float | str | None] = {f"copy limit, {encoding.notes}": limit}
    for name in (SAMPLES, REAL):
        if name in overlaps:
            figures[f"copied, {name}"] = _count_copies(overlaps[name], limit).share
            distances = [each.distance for each in overlaps[name]]
            figures[f"median distance to the nearest {encoding.kind}, {name}"] = float(np.median(distances))
    return figures
