"""Do the samples sound like tunes: notes, scale degrees, intervals and lengths beside the reference groups.

Histograms are compared with those of held-out real tunes by the Jensen-Shannon distance (the square root
of the divergence in bits): 0 where two are the same, 1 where they share nothing. As many real tunes as
there are samples are not the same as the other real ones either: that distance is the noise floor.
Source: D. Endres and J. Schindelin, IEEE Transactions on Information Theory 49 (2003) 1858.
"""

import csv
import itertools
import math
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
MOST_PARTS = 4
"""Ways to choose real tunes for the noise floor; the mean is steadier than one."""
WIDEST_INTERVAL = 13
"""Semitones; wider ones count as this."""

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
    texts = {SAMPLES: [str(record.symbols) for record in records]}
    texts |= {name: [str(record.symbols) for record in group] for name, group in groups.items()}
    tallies = {name: tally(group) for name, group in texts.items() if group}
    rows = [*_counts(tallies), *_distances(tallies, _parts(texts.get(REAL, []), len(records)))]
    table = _write_table(rows, list(tallies), out_dir / "statistics.tsv")
    plots = _plots(tallies, out_dir)
    verdicts = {row[0]: row[-1] for row in rows if row[-1]}
    figures = {f"{name.replace(' ', '_')}_distance": _samples_distance(tallies, name) for name in _HISTOGRAMS}
    return Findings(
        exhibits=(
            Exhibit("Statistics beside real tunes", (table,), "Distances are Jensen-Shannon, 0 to 1."),
            *((Exhibit("Notes beside those of real tunes", plots),) if plots else ()),
        ),
        summary=tuple(f"{name}: {verdict}" for name, verdict in verdicts.items()),
        figures=figures,
        files=(table, *plots),
    )


def _samples_distance(tallies: Mapping[str, Tally], name: str) -> float | None:
    if SAMPLES not in tallies or REAL not in tallies:
        return None
    return distance(tallies[SAMPLES].histograms[name], tallies[REAL].histograms[name])


def _counts(tallies: Mapping[str, Tally]) -> list[list[str]]:
    """Rows of plain counts. The samples here are those that were kept, so their validity says nothing."""
    valid = ["" if name == SAMPLES else f"{t.valid / t.tunes:.1%}" for name, t in tallies.items()]
    notes = [f"{t.notes / t.tunes:.1f}" for t in tallies.values()]
    return [
        ["tunes", *(str(t.tunes) for t in tallies.values()), "", ""],
        ["valid as they come", *valid, "", ""],
        ["notes per tune", *notes, "", ""],
    ]


def _parts(real: Sequence[str], size: int) -> list[tuple[Tally, Tally]]:
    """Real tunes parted in as many as there are samples and the others, in several ways.

    Few tunes differ from many by chance; their distance is what samples that are as good would show.
    """
    size = min(size, len(real) // 2)
    if not size:
        return []
    ways = min(MOST_PARTS, len(real) // size)
    step = len(real) // size
    chosen = [set(range(way, step * size, step)) for way in range(ways)]
    return [
        (tally(real[i] for i in sorted(part)), tally(t for i, t in enumerate(real) if i not in part))
        for part in chosen
    ]


def _floor(parts: Sequence[tuple[Tally, Tally]], name: str) -> float | None:
    distances = [distance(few.histograms[name], many.histograms[name]) for few, many in parts]
    known = [value for value in distances if value is not None]
    return sum(known) / len(known) if known else None


def _distances(tallies: Mapping[str, Tally], parts: Sequence[tuple[Tally, Tally]]) -> list[list[str]]:
    """Rows of distances to the real tunes, with the noise floor and a verdict."""
    if REAL not in tallies:
        return []
    rows = []
    for name in _HISTOGRAMS:
        real = tallies[REAL].histograms[name]
        values = {group: distance(t.histograms[name], real) for group, t in tallies.items()}
        floor = _floor(parts, name)
        shown = ["" if value is None or group == REAL else f"{value:.3f}" for group, value in values.items()]
        rows.append([
            f"{name}, distance to real",
            *shown,
            "" if floor is None else f"{floor:.3f}",
            _verdict(values, floor),
        ])  # fmt: skip
    return rows


def _verdict(values: Mapping[str, float | None], floor: float | None) -> str:
    mine = values.get(SAMPLES)
    if mine is None or not floor:
        return ""
    others = {
        name: value for name, value in values.items() if name not in (SAMPLES, REAL) and value is not None
    }
    nearest = min(others, key=lambda name: others[name]) if others else ""
    beaten = nearest and others[nearest] < mine
    against = f", and no better than {nearest}" if beaten else ""
    if mine <= NEAR * floor:
        return "as near to real tunes as these are to each other" + against
    return ("far from real tunes" if mine >= FAR * floor else "somewhat unlike real tunes") + against


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
