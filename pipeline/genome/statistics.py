"""Do the samples look like DNA: length, GC and k-mer spectra beside those of the reference groups.

Spectra are compared by the Jensen-Shannon divergence, in bits: 0 where two are the same, 1 where they
share nothing. Short texts differ by chance, so every group is cut to the same number of bases and compared
with halves of the held-out real sequences; the halves against each other give the noise floor.
Source: J. Lin, IEEE Transactions on Information Theory 37 (1991) 145. Read next: `pipeline/plots.py`.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.domain import Exhibit, Findings

REAL = "held-out real"
SAMPLES = "samples"
SHUFFLED = "shuffled"
LENGTHS = range(1, 7)
"""Values of k for k-mer spectra."""
FEWEST_SEQUENCES = 5
"""With fewer on either side, the spread of their GC content is unknown, and nothing is said of it."""
FEW_SEQUENCES = 8
"""Fewer real sequences are cut into as many pieces before they are halved."""
HALVINGS = 8
"""One way to halve the real sequences gives an uneven floor; the mean of several is steadier."""
FEWEST_BASES, MOST_BASES = 200, 1_000_000
"""Fewer give no spectrum worth comparing, more tell nothing new."""
NOISE_SHARE, NOISE_DEVIATIONS = 0.1, 3.0
"""What is called noise: up to this share above the floor, or so many standard deviations of its halvings."""

_CODES = np.full(256, 255, np.uint8)
_CODES[list(b"ACGT")] = range(4)


@dataclass(frozen=True)
class Row:
    """One measure: its value for every group, the noise floor where there is one, and a verdict in words;
    `tells`: the noise is low enough for the verdict to mean something."""

    measure: str
    values: Mapping[str, float]
    floor: float | None
    verdict: str
    form: str = "{:.4g}"
    tells: bool = False


def compare_groups(groups: Mapping[str, Sequence[str]], out_dir: Path) -> Findings:
    """Write `statistics.tsv` and plots into `out_dir`; groups map a name to sequences of A, C, G and T."""
    groups = {name: list(sequences) for name, sequences in groups.items() if any(sequences)}
    spectra = _divergences(groups)
    rows = [*_sizes(groups), *_gc_rows(groups), *spectra]
    table = _write_table(rows, list(groups), out_dir / "statistics.tsv")
    plots = _plots(groups, spectra, out_dir)
    return Findings(
        exhibits=(
            Exhibit("Statistics beside real DNA", (table,), "JS: Jensen-Shannon divergence of k-mers."),
            Exhibit("GC and k-mers beside real DNA", plots, "Lower divergence is closer to real DNA."),
        ),
        summary=tuple(_summary(groups, spectra)),
        figures=_figures(rows),
        files=(table, *plots),
    )


def gc_content(sequence: str) -> float:
    """The share of G and C among the letters.

    >>> gc_content("GATTACA")
    0.2857142857142857
    """
    return (sequence.count("G") + sequence.count("C")) / len(sequence)


def kmer_counts(sequences: Sequence[str], k: int) -> np.ndarray:
    """Counts of all k-mers on both strands, shape (4**k,), in the order AA..A, AA..C, ... TT..T."""
    counts = np.zeros(4**k, np.int64)
    for sequence in sequences:
        codes = _CODES[np.frombuffer(sequence.encode("ascii"), np.uint8)].astype(np.int64)
        if len(codes) >= k:
            windows = len(codes) - k + 1
            values = sum(codes[place : place + windows] << 2 * (k - 1 - place) for place in range(k))
            counts += np.bincount(values, minlength=4**k)
    return counts + counts[_reverse_complements(k)]


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """The divergence of two count vectors in bits, from 0 to 1.

    >>> jensen_shannon(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def _reverse_complements(k: int) -> np.ndarray:
    """For each k-mer's number, that of its reverse complement."""
    numbers = np.arange(4**k)
    turned = np.zeros_like(numbers)
    for _ in range(k):
        turned, numbers = turned << 2 | 3 - (numbers & 3), numbers >> 2
    return turned


def _sizes(groups: Mapping[str, Sequence[str]]) -> list[Row]:
    lengths = {name: [len(sequence) for sequence in group] for name, group in groups.items()}
    means = {name: float(np.mean(values)) for name, values in lengths.items()}
    return [
        Row("sequences", {name: len(group) for name, group in groups.items()}, None, "", "{:d}"),
        Row("bases", {name: sum(values) for name, values in lengths.items()}, None, "", "{:d}"),
        Row("mean length", means, None, "", "{:.1f}"),
    ]


def _gc_rows(groups: Mapping[str, Sequence[str]]) -> list[Row]:
    """The pooled GC content, and its spread from sequence to sequence."""
    shares = {name: np.array([gc_content(text) for text in group if text]) for name, group in groups.items()}
    pooled = {name: gc_content("".join(group)) for name, group in groups.items()}
    spread = {name: float(values.std()) for name, values in shares.items()}
    verdict = ""
    if REAL in groups and SAMPLES in groups:
        # Standard error of the difference, from the spread between sequences.
        error = np.sqrt(sum(shares[name].var() / len(shares[name]) for name in (REAL, SAMPLES)))
        difference = pooled[SAMPLES] - pooled[REAL]
        if min(len(shares[name]) for name in (REAL, SAMPLES)) < FEWEST_SEQUENCES:
            verdict = "too few sequences to tell"
        elif abs(difference) <= max(2 * error, 0.005):
            verdict = "samples have the GC content of real DNA"
        else:
            verdict = f"samples have {'more' if difference > 0 else 'less'} GC than real DNA"
    return [
        Row("GC content", pooled, None, verdict),
        Row("GC spread between sequences (standard deviation)", spread, None, ""),
    ]


def _divergences(groups: Mapping[str, Sequence[str]]) -> list[Row]:
    halvings = _halvings(groups.get(REAL, ()))
    others = {name: group for name, group in groups.items() if name != REAL}
    texts = [*(half for pair in halvings for half in pair), *others.values()]
    size = min(MOST_BASES, *(sum(map(len, group)) for group in texts)) if halvings else 0
    # Two halves with fewer bases than this share k-mers by luck alone.
    if size < FEWEST_BASES:
        return []
    rows = []
    for k in LENGTHS:
        real = [[kmer_counts(_first_bases(half, size), k) for half in pair] for pair in halvings]
        values = {}
        for name, group in others.items():
            counts = kmer_counts(_first_bases(group, size), k)
            values[name] = float(np.mean([jensen_shannon(counts, half) for pair in real for half in pair]))
        floors = [jensen_shannon(*pair) for pair in real]
        verdict, tells = _verdict(values, floors, k)
        rows.append(Row(f"JS of {k}-mers (bits)", values, float(np.mean(floors)), verdict, tells=tells))
    return rows


def _halvings(real: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """The sequences halved at random several times; few long ones are cut first, into small regions."""
    pieces = list(real)
    if 0 < len(pieces) < FEW_SEQUENCES:
        size = max(100, sum(map(len, pieces)) // FEW_SEQUENCES)
        pieces = [text[start : start + size] for text in real for start in range(0, len(text), size)]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(pieces)) for _ in range(HALVINGS)] if len(pieces) > 1 else []
    half = len(pieces) // 2
    return [([pieces[i] for i in order[:half]], [pieces[i] for i in order[half:]]) for order in orders]


def _first_bases(sequences: Sequence[str], count: int) -> list[str]:
    chosen, left = [], count
    for sequence in sequences:
        chosen.append(sequence[:left])
        left -= len(chosen[-1])
        if not left:
            break
    return chosen


def _verdict(values: Mapping[str, float], floors: Sequence[float], k: int) -> tuple[str, bool]:
    """Whether the samples stand out of the noise, and which nulls are nearer to real DNA than they are; and
    whether that tells anything: it does where the samples stand out, or else where shuffled ones do."""
    if SAMPLES not in values:
        return "", False
    floor = float(np.mean(floors))
    noise = floor + max(NOISE_SHARE * floor, NOISE_DEVIATIONS * float(np.std(floors)))
    value = values[SAMPLES]
    if value <= noise:
        # A shuffle keeps the letters and their pairs, so that it tells nothing of them.
        if k > 2 and values.get(SHUFFLED, np.inf) <= noise:
            return "too few bases to tell from real DNA; the same of shuffled ones", False
        return "as near to real DNA as real DNA is to itself", k > 2
    words = f"{value - floor:.2g} bits beyond the noise of real DNA"
    nulls = {name: other for name, other in values.items() if name != SAMPLES}
    nearer = [name for name, other in nulls.items() if other < value]
    if nearer:
        return f"{words}; {' and '.join(nearer)} nearer", True
    return f"{words}; nearer than every null" if nulls else words, True


def _write_table(rows: Sequence[Row], groups: Sequence[str], path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(("measure", *groups, "real against itself", "verdict"))
        for row in rows:
            cells = [row.form.format(row.values[name]) if name in row.values else "" for name in groups]
            floor = "" if row.floor is None else row.form.format(row.floor)
            table.writerow((row.measure, *cells, floor, row.verdict))
    return path


def _summary(groups: Mapping[str, Sequence[str]], spectra: Sequence[Row]) -> list[str]:
    """The longest k-mers of which something can be told, with the verdict."""
    if not (REAL in groups and SAMPLES in groups):
        return []
    told = [row for row in spectra if row.tells]
    if not told:
        return ["k-mers, samples against held-out real: too few bases to tell"]
    row = told[-1]
    shuffled = f", shuffled {row.values[SHUFFLED]:.3g}" if SHUFFLED in row.values else ""
    return [
        f"{row.measure}, samples against held-out real: {row.values[SAMPLES]:.3g} "
        f"(real against itself {row.floor:.3g}{shuffled}): {row.verdict}"
    ]


def _figures(rows: Sequence[Row]) -> dict[str, float | str | None]:
    figures: dict[str, float | str | None] = {}
    for row in rows:
        if row.floor is not None or row.measure == "GC content":
            figures[row.measure] = row.values.get(SAMPLES)
            figures[f"{row.measure}, real"] = row.floor if row.floor is not None else row.values.get(REAL)
    return figures


def _plots(groups: Mapping[str, Sequence[str]], spectra: Sequence[Row], out_dir: Path) -> tuple[Path, ...]:
    # matplotlib takes a second to load, and only plots need it.
    from pipeline.genome import statistics_plots as draw
    from pipeline.plots import spread

    shares = {name: [100 * gc_content(text) for text in group if text] for name, group in groups.items()}
    plots = [spread(shares, "GC content of a sequence, %", out_dir / "gc.svg")]
    if spectra:
        series: dict[str, list[float]] = {}
        for row in spectra:
            for name, value in row.values.items():
                series.setdefault(name, []).append(value)
        floors = [row.floor for row in spectra if row.floor is not None]
        plots.append(draw.divergence(series, floors, list(LENGTHS), out_dir / "kmer_divergence.svg"))
    counts = [kmer_counts(groups.get(name, ()), 4) for name in (REAL, SAMPLES)]
    if all(each.any() for each in counts):
        plots.append(draw.spectrum(*counts, k=4, path=out_dir / "kmer_spectrum.svg"))
    return tuple(plots)
