"""Do the samples sound like tunes: notes, scale degrees, intervals and lengths beside the reference groups.

Histograms are compared with those of held-out real tunes by the Jensen-Shannon distance (the square root
of the divergence in bits): 0 where two are the same, 1 where they share nothing. As many real tunes as
there are samples are not the same as the other real ones either: that distance is the noise floor. The
samples, and every other group, are held against the same other real ones, as many tunes at a time.
Source: D. Endres and J. Schindelin, IEEE Transactions on Information Theory 49 (2003) 1858.
"""

import csv
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from pipeline.domain import Exhibit, Findings, Record
from pipeline.music.tune import WHOLE, Tune

REAL, SAMPLES = "held-out real", "samples"
NEAR, FAR = 1.5, 4.0
"""Up to how many times the noise floor a distance is called noise, and from where it is called far."""
LOOSE = 0.15
"""A noise floor from which on nothing can be called near: so few tunes are too unlike one another."""
WAYS = 8
"""Random ways to choose the real tunes of the noise floor; the mean is steadier than one."""
WIDEST_INTERVAL = 13
"""Semitones; wider ones count as this."""

_TOO_FEW = "too few tunes to tell"
_DEGREES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
_TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_HISTOGRAMS = ("scale degrees", "intervals", "note lengths")


@dataclass
class Tally:
    """What is counted over the tunes of one group."""

    tunes: int = 0
    valid: int = 0
    notes: int = 0
    histograms: dict[str, Counter] = field(default_factory=lambda: {name: Counter() for name in _HISTOGRAMS})

    def add(self, text: str) -> None:
        """Count one sequence; one whose header cannot be read counts as a tune that is not valid."""
        self.tunes += 1
        try:
            tune = Tune.from_text(text)
        except ValueError:
            return
        self.valid += not tune.check()
        tonic = _TONICS[tune.key[0]] + {"#": 1, "b": -1}.get(tune.key[1:2], 0)
        notes = [note for note in tune.reading.notes if note.pitches]
        top = [max(note.pitches) for note in notes]
        self.notes += len(notes)
        self.histograms["scale degrees"].update((pitch - tonic) % 12 for pitch in top)
        self.histograms["intervals"].update(_interval(a, b) for a, b in itertools.pairwise(top))
        self.histograms["note lengths"].update(Fraction(note.duration) / WHOLE for note in notes)


def _interval(before: int, after: int) -> int:
    return max(-WIDEST_INTERVAL, min(WIDEST_INTERVAL, after - before))


def tally(texts: Iterable[str]) -> Tally:
    """The counts over some sequences."""
    counts = Tally()
    for text in texts:
        counts.add(text)
    return counts


def join_tallies(tallies: Iterable[Tally]) -> Tally:
    """The counts of several."""
    joined = Tally()
    for each in tallies:
        joined.tunes += each.tunes
        joined.valid += each.valid
        joined.notes += each.notes
        for name, histogram in each.histograms.items():
            joined.histograms[name].update(histogram)
    return joined


def distance(first: Counter, second: Counter) -> float | None:
    """Jensen-Shannon distance of two histograms, 0 to 1; None where one is empty.

    >>> distance(Counter(a=2, b=2), Counter(a=1, b=1)), distance(Counter(a=1), Counter(b=1))
    (0.0, 1.0)
    """
    total_first, total_second = first.total(), second.total()
    if not total_first or not total_second:
        return None
    divergence = 0.0
    for key in first.keys() | second.keys():
        p, q = first[key] / total_first, second[key] / total_second
        mean = (p + q) / 2
        divergence += sum(x * math.log2(x / mean) / 2 for x in (p, q) if x)
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def compare_groups(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], out_dir: Path
) -> Findings:
    """Write `statistics.tsv` and plots into `out_dir`; nothing in a group, however broken, is an error."""
    each = {name: [tally([record.text]) for record in group]
            for name, group in ({SAMPLES: records} | dict(groups)).items() if group}  # fmt: skip
    tallies = {name: join_tallies(group) for name, group in each.items()}
    compared = _compare(each)
    rows = [*_counts(tallies), *_rows(compared, tallies)]
    table = _write_table(rows, list(tallies), out_dir / "statistics.tsv")
    plots = _plots(tallies, out_dir)
    figures = {f"{name.replace(' ', '_')}_distance": distances.get(SAMPLES)
               for name, (distances, _) in compared.items()}  # fmt: skip
    return Findings(
        exhibits=(
            Exhibit("Statistics beside real tunes", (table,), "Distances are Jensen-Shannon, 0 to 1."),
            *((Exhibit("Notes beside those of real tunes", plots),) if plots else ()),
        ),
        summary=_summary(compared) if records and groups.get(REAL) else (),
        figures=figures,
        files=(table, *plots),
    )


def _counts(tallies: Mapping[str, Tally]) -> list[list[str]]:
    """Rows of plain counts. The samples here are those that were kept, so their validity says nothing."""
    valid = ["" if name == SAMPLES else f"{t.valid / t.tunes:.1%}" for name, t in tallies.items()]
    notes = [f"{t.notes / t.tunes:.1f}" for t in tallies.values()]
    return [
        ["tunes", *(str(t.tunes) for t in tallies.values()), "", ""],
        ["valid as they come", *valid, "", ""],
        ["notes per tune", *notes, "", ""],
    ]


def _compare(each: Mapping[str, Sequence[Tally]]) -> dict[str, tuple[dict[str, float | None], float | None]]:
    """By histogram: the distance of each group to real tunes, and the noise floor.

    Few tunes differ from many by chance, so all are compared in equal numbers: at random, and in several
    ways, as many real tunes as there are samples are set against the other real ones, and as many of each
    group against these too. Of real tunes fewer than twice the samples, half are chosen.
    """
    real = each.get(REAL, ())
    size = min(len(each.get(SAMPLES, ())), len(real) // 2)
    if not size:
        return {}
    rng = random.Random(0)
    found: dict[str, dict[str, list[float]]] = {name: {group: [] for group in each} for name in _HISTOGRAMS}
    for _ in range(WAYS):
        order = rng.sample(range(len(real)), len(real))
        rest = join_tallies(real[index] for index in order[size:])
        for group, tunes in each.items():
            chosen = [real[index] for index in order[:size]] if group == REAL else (
                rng.sample(tunes, min(size, len(tunes))))  # fmt: skip
            part = join_tallies(chosen)
            for name in _HISTOGRAMS:
                value = distance(part.histograms[name], rest.histograms[name])
                if value is not None:
                    found[name][group].append(value)
    means = {name: {group: sum(values) / len(values) if values else None for group, values in groups.items()}
             for name, groups in found.items()}  # fmt: skip
    return {name: (groups, groups.pop(REAL)) for name, groups in means.items()}


def _rows(
    compared: Mapping[str, tuple[Mapping[str, float | None], float | None]], groups: Iterable[str]
) -> list[list[str]]:
    """Rows of distances to the real tunes, with the noise floor and a verdict."""
    names = list(groups)
    return [
        [
            f"{name}, distance to real",
            *(_shown(values.get(group)) for group in names),
            _shown(floor),
            _verdict(values, floor, "real tunes"),
        ]
        for name, (values, floor) in compared.items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _summary(compared: Mapping[str, tuple[Mapping[str, float | None], float | None]]) -> tuple[str, ...]:
    """One line for the end of a run."""
    verdicts = {name: _verdict(values, floor, "them") for name, (values, floor) in compared.items()}
    told = ", ".join(f"{name} {verdict}" for name, verdict in verdicts.items() if verdict)
    return (f"beside real tunes: {told or _TOO_FEW}",)


def _verdict(values: Mapping[str, float | None], floor: float | None, them: str) -> str:
    """What the distance of the samples says, and which null model, if one does, comes nearer."""
    mine = values.get(SAMPLES)
    if mine is None or floor is None:
        return ""
    notes = []
    if mine > NEAR * floor:
        verdict = f"far from {them}" if mine >= FAR * floor else f"somewhat unlike {them}"
    elif floor > LOOSE:
        verdict = "undecided"
        notes.append(_TOO_FEW)
    else:
        verdict = f"like {them}"
    others = {name: value for name, value in values.items() if name != SAMPLES and value is not None}
    nearest = min(others, key=lambda name: others[name]) if others else ""
    if nearest and others[nearest] < mine:
        notes.append(f"{nearest} is nearer")
    return f"{verdict} ({'; '.join(notes)})" if notes else verdict


def _write_table(rows: Sequence[Sequence[str]], groups: Sequence[str], path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["measure", *groups, "as many real tunes", "verdict"])
        writer.writerows(rows)
    return path


def _plots(tallies: Mapping[str, Tally], out_dir: Path) -> tuple[Path, ...]:
    """One picture a histogram, with a bar for each group."""
    shown = {name: t for name, t in tallies.items() if t.notes}
    if not shown:
        return ()
    return tuple(_plot(shown, name, out_dir / f"{name.replace(' ', '_')}.svg") for name in _HISTOGRAMS)


def _plot(tallies: Mapping[str, Tally], name: str, path: Path) -> Path:
    from pipeline.plots import colour, new_figure, save_svg

    keys, labels = _axis(tallies, name)
    figure = new_figure()
    axes = figure.subplots()
    width = 0.8 / len(tallies)
    for number, (group, counts) in enumerate(tallies.items()):
        histogram = counts.histograms[name]
        heights = [histogram[key] / max(histogram.total(), 1) for key in keys]
        places = [index + (number - (len(tallies) - 1) / 2) * width for index in range(len(keys))]
        axes.bar(places, heights, width, color=colour(group), label=group)
    axes.set_xticks(range(len(keys)), labels)
    axes.set_xlabel({"intervals": "semitones to the next note", "note lengths": "of a whole note"}.get(
        name, "degree of the scale"))  # fmt: skip
    axes.set_ylabel("share of notes")
    axes.legend()
    return save_svg(figure, path)


def _axis(tallies: Mapping[str, Tally], name: str) -> tuple[list, list[str]]:
    """The values shown and their labels: all degrees, all intervals, the commonest lengths."""
    if name == "scale degrees":
        return list(range(12)), list(_DEGREES)
    if name == "intervals":
        values = list(range(-WIDEST_INTERVAL, WIDEST_INTERVAL + 1))
        return values, [f"{value:+d}" if value % 3 == 0 else "" for value in values]
    shares: Counter = Counter()
    for counts in tallies.values():
        total = max(counts.notes, 1)
        shares.update({key: count / total for key, count in counts.histograms[name].items()})
    common = sorted(key for key, _ in shares.most_common(10))
    return common, [str(key) for key in common]
