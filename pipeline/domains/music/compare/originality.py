"""Are the tunes new: the longest melody fragment shared with a training tune, and the nearest training tune.

Melodies are compared by their letters (see `likeness`), so neither key, octave, unit of length nor bar lines
matter. A fragment of n letters has n + 1 notes.

The distance of two tunes is the Levenshtein distance of their letters over the length of the longer, from 0
to 1 (V. Levenshtein, Soviet Physics Doklady 10 (1966) 707). Held-out real tunes stand beside the samples:
tunes of one tradition share turns of phrase, and that is no copying.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from pipeline.domains.music.compare.likeness import LETTERS, melody_letters
from pipeline.evaluation.exact_matches import find_matches
from pipeline.evaluation.plots import spread
from pipeline.records import QUALITY, DomainOutput, Record, References, Rejection, ReportSection

REAL, SAMPLES = "held-out real", "samples"
MIN_NOTES = 16
"""A shorter fragment is a turn of phrase, never a copy: two bars of a reel."""
USUAL_SHARE = 0.95
"""The longest fragments of so many held-out real tunes are no copies either."""
MIN_REAL = 20
"""Fewer real tunes do not tell what is usual."""
CHANCE = 0.01
"""Significance level of a share of copies that is larger than that of real tunes."""
MANY_COPIES = 0.2
"""A warning comes where the share of copies is greater by this in the samples than in held-out real tunes."""
AT_ONCE = 256
"""Tunes whose distances to all training tunes are in memory at a time."""
COLUMNS = (
    "group", "tune", "notes", "longest_fragment_notes", "from_note", "fragment_in", "fragment_title",
    "nearest", "nearest_title", "nearest_distance", "copied",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near one tune comes to the training tunes: `fragment` notes from its note `start` (from 1) on stand
    in the tune `fragment_in`; of all, `nearest` is the nearest, at `distance`."""

    tune: Record
    notes: int
    fragment: int
    start: int
    fragment_in: Record | None
    nearest: Record | None
    distance: float


@dataclass(frozen=True, slots=True)
class Melodies:
    """What is compared: the letters of a record's melody, each below `count`; and what a record and a note
    of its melody are called."""

    letters: Callable[[Record], np.ndarray]
    kind: str
    count: int = LETTERS
    note: str = "note"


TUNES = Melodies(lambda record: melody_letters(record.text), "tune")


def audit(
    records: Sequence[Record], references: References, out_dir: Path, max_copy_notes: int | None,
    melodies: Melodies = TUNES,
) -> tuple[list[Record], DomainOutput]:  # fmt: skip
    """The tunes to keep, copies among them flagged, and what is to be told; writes `originality.tsv`.

    Tunes that share more than `max_copy_notes` notes in a row with a training tune are dropped; with None
    they are only flagged, from the length on that few held-out real tunes reach.
    """
    training, kind = list(_distinct(references, melodies)), melodies.kind
    notes = f"{melodies.note}s"
    if not training or not records:
        return list(records), DomainOutput()
    groups = {SAMPLES: records, **references.groups}
    found = {name: _likenesses(group, training, melodies) for name, group in groups.items() if group}
    limit = max_copy_notes if max_copy_notes is not None else usual_limit(found.get(REAL, ()))
    kept, rejections = [], []
    for each in found[SAMPLES]:
        copied = each.fragment > limit
        if copied and max_copy_notes is not None:
            what = f"{each.fragment} {notes} in a row stand in {_name(each.fragment_in)}"
            rejections.append(Rejection(each.tune.id, "copied", what))
        else:
            kept.append(_flagged(each, copied, notes))
    table = _write_table(found, limit, out_dir / "originality.tsv")
    fragments = {name: [each.fragment for each in group] for name, group in found.items()}
    distances = {name: [each.distance for each in group] for name, group in found.items()}
    real = f"training {kind}"
    plots = (
        spread(fragments, f"longest melody fragment in a {real}, {notes}", out_dir / "copied_notes.svg"),
        spread(distances, f"melodic distance to the nearest {real}", out_dir / f"nearest_{kind}.svg"),
    )
    line = _verdict(found, limit, kind, notes)
    warned = () if max_copy_notes is not None else tuple(_warn(found, limit, kind))
    caption = f"{line}. In any key and octave. A copy is a fragment of more than {limit} {notes}."
    return kept, DomainOutput(
        sections=(
            ReportSection(f"Are the {kind}s new", plots, caption, part=QUALITY),
            ReportSection(f"Nearest training {kind}s", (table,)),
        ),
        summary=(*warned, line, _distances_told(distances, kind)),
        conclusions=(line,),
        warnings=warned,
        figures=_figures(found, limit, kind, notes),
        files=(table, *plots),
        rejections=tuple(rejections),
    )


def usual_limit(real: Sequence[Likeness]) -> int:
    """The longest fragment that is usual: what `USUAL_SHARE` of held-out real tunes do not exceed."""
    if len(real) < MIN_REAL:
        return 2 * MIN_NOTES
    usual = np.quantile([each.fragment for each in real], USUAL_SHARE, method="higher")
    return max(MIN_NOTES, int(usual))


def _distinct(references: References, melodies: Melodies) -> Iterator[tuple[Record, np.ndarray]]:
    """The training tunes with a melody, each once: in another key it has the same letters."""
    seen: set[bytes] = set()
    for record in references.training():
        letters = melodies.letters(record)
        if len(letters) and letters.tobytes() not in seen:
            seen.add(letters.tobytes())
            yield record, letters


def _likenesses(
    group: Sequence[Record], training: Sequence[tuple[Record, np.ndarray]], melodies: Melodies
) -> list[Likeness]:
    queries = [melodies.letters(record) for record in group]
    texts = [letters for _, letters in training]
    batches = list(find_matches(queries, lambda: texts, melodies.count))
    lengths, starts, where = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("length", "start", "text")
    )
    likenesses = []
    for number, (nearest, distance) in enumerate(_nearest(queries, texts)):
        at, length = int(where[number]), int(lengths[number])
        likenesses.append(Likeness(
            tune=group[number], notes=len(queries[number]) + 1, fragment=length + 1 if length else 0,
            start=int(starts[number]) + 1, fragment_in=training[at][0] if at >= 0 else None,
            nearest=training[nearest][0], distance=distance,
        ))  # fmt: skip
    return likenesses


def _nearest(melodies: Sequence[np.ndarray], texts: Sequence[np.ndarray]) -> Iterator[tuple[int, float]]:
    """For each melody the number of the nearest text, and the distance."""
    choices = [text.tobytes() for text in texts]
    for first in range(0, len(melodies), AT_ONCE):
        queries = [melody.tobytes() for melody in melodies[first : first + AT_ONCE]]
        distances = cdist(
            queries, choices, scorer=Levenshtein.normalized_distance, dtype=np.float32, workers=-1
        )
        for row in distances:
            best = int(row.argmin())
            yield best, float(row[best])


def _flagged(each: Likeness, copied: bool, notes: str) -> Record:
    metadata = {"nearest": _name(each.nearest), "nearest_distance": f"{each.distance:.2f}"}
    if copied:
        metadata["copied"] = f"{each.fragment} {notes} in a row of {_name(each.fragment_in)}"
    return replace(each.tune, metadata={**each.tune.metadata, **metadata})


def _name(record: Record | None) -> str:
    return "" if record is None else record.metadata.get("title") or record.id


def _write_table(found: Mapping[str, Sequence[Likeness]], limit: int, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(COLUMNS)
        for group, likenesses in found.items():
            for each in likenesses:
                inside, nearest = each.fragment_in, each.nearest
                rows.writerow((
                    group, each.tune.id, each.notes, each.fragment, each.start,
                    inside.id if inside else "", _name(inside), nearest.id if nearest else "", _name(nearest),
                    f"{each.distance:.3f}", "yes" if each.fragment > limit else "",
                ))  # fmt: skip
    return path


def _share_copied(likenesses: Sequence[Likeness], limit: int) -> float:
    return sum(each.fragment > limit for each in likenesses) / len(likenesses)


def _verdict(found: Mapping[str, Sequence[Likeness]], limit: int, kind: str, notes: str) -> str:
    copies = sum(each.fragment > limit for each in found[SAMPLES])
    line = f"originality: {copies} of {len(found[SAMPLES])} {kind}s have over {limit} {notes} in a row from"
    line += " one"
    if len(found.get(REAL, ())) < MIN_REAL:
        return f"{line} training {kind} (too few held-out real {kind}s to compare with)"
    size, held_out = len(found[SAMPLES]), f"held-out real {kind}s"
    real, of_real = sum(each.fragment > limit for each in found[REAL]), len(found[REAL])
    if not _is_more(size, size, real, of_real):
        compared = f" (too few {kind}s to compare with {held_out}, {real / of_real:.0%})"
    elif copies / size <= real / of_real:
        compared = f", no more than {held_out} do ({real / of_real:.0%})"
    elif _is_more(copies, size, real, of_real):
        compared = f", more than {held_out} do ({real / of_real:.0%})"
    else:
        compared = f": no difference found from {held_out} ({real / of_real:.0%})"
    return f"{line} training {kind}{compared}"


def _warn(found: Mapping[str, Sequence[Likeness]], limit: int, kind: str) -> Iterator[str]:
    """A line to read before all others where many samples are copies and few held-out real tunes are."""
    real = found.get(REAL, ())
    if len(real) < MIN_REAL:
        return
    copies, usual = (sum(each.fragment > limit for each in group) for group in (found[SAMPLES], real))
    share, real_share = copies / len(found[SAMPLES]), usual / len(real)
    if share >= real_share + MANY_COPIES and _is_more(copies, len(found[SAMPLES]), usual, len(real)):
        yield (
            f"{share:.0%} of the {kind}s copy the training data (held-out real {kind}s {real_share:.0%}); "
            f"domain.max_copy_notes={limit} drops such {kind}s"
        )


def _is_more(copies: int, size: int, other_copies: int, other_size: int) -> bool:
    """Whether a share is larger than another one, by Fisher's exact test, one-sided."""
    # SciPy takes a while to load.
    from scipy.stats import hypergeom

    drawn = hypergeom(size + other_size, copies + other_copies, size)
    return bool(drawn.sf(copies - 1) < CHANCE)


def _distances_told(distances: Mapping[str, Sequence[float]], kind: str) -> str:
    """How far the nearest training tunes are, of the samples and of every other group."""
    told = [f"{name} {np.median(each):.2f}" for name, each in distances.items()]
    return (
        f"median distance to the nearest training {kind}, 0 the same and 1 nothing alike: {', '.join(told)}"
    )


def _figures(
    found: Mapping[str, Sequence[Likeness]], limit: int, kind: str, notes: str
) -> dict[str, float | str | None]:
    figures: dict[str, float | str | None] = {f"copy limit, {notes}": limit}
    for name in (SAMPLES, REAL):
        if name in found:
            figures[f"copied, {name}"] = _share_copied(found[name], limit)
            distances = [each.distance for each in found[name]]
            figures[f"median distance to the nearest {kind}, {name}"] = float(np.median(distances))
    return figures
