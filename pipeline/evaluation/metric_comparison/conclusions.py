"""What a scoreboard says in words: of each metric, and of all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.metric_comparison.comparison import (
    CHAIN,
    CONTROL,
    MIXTURES,
    RANDOM,
    REAL,
    SAMPLES,
    SHUFFLED,
    Row,
)

Groups = Mapping[str, Sequence[str]]
"""A name to sequences."""
MAX_NAMED = 4
"""Metrics that a line names."""
LOW_POWER_SHARE = 0.75
"""Where shuffled sequences are indistinguishable on this share of the metrics, the test has low power."""


@dataclass(frozen=True)
class Words:
    """What letters, sequences and real ones are called, as in "bases", "DNA" and "real DNA", and the first
    words of the names of those metrics of which the last to tell anything is told at the end of a run."""

    letters: str
    kind: str
    real: str
    told: tuple[str, ...]


def verdict(row: Row, words: Words) -> str:
    """Whether the samples differ from real sequences beyond noise, which groups are nearer or as near, and
    where no difference was found, what would have been found."""
    if not {REAL, SAMPLES} <= set(row.groups):
        return ""
    if not row.beyond_noise(SAMPLES):
        return _no_difference(row, words)
    said = f"differs from {words.real}{_direction(row)}"
    if CONTROL in row.groups and row.beyond_noise(CONTROL):
        said += f"; so does {CONTROL}: the test split is not typical"
    if not row.nulls:
        return said
    nearest = row.nearest()
    if nearest == [SAMPLES]:
        return f"{said}; nearer than every baseline"
    if SAMPLES in nearest:
        return f"{said}; as near as {_listed([name for name in nearest if name != SAMPLES])}"
    return f"{said}; {_listed([n for n in row.nulls if row.distance(n) < row.distance(SAMPLES)])} nearer"


def _no_difference(row: Row, words: Words) -> str:
    if not row.testable:
        missed = f": a mixture of {_mixture(row, MIXTURES[-1], words)} would not be found"
        return f"not tested, too few {words.letters}{missed if row.mixed else ''}"
    said = "no difference found"
    if row.found_mixture is not None:
        said += f"; a mixture of about {_mixture(row, row.found_mixture, words)} would have been"
    alike = [name for name in row.nulls if not row.beyond_noise(name)]
    return f"{said}; none for {_listed(alike)} either" if alike else said


def _mixture(row: Row, share: float, words: Words) -> str:
    what = f"random {words.letters}" if row.mixed == RANDOM else f"sequences of {row.mixed}"
    return f"{share:.0%} {what}"


def summary_of(groups: Groups, rows: Sequence[Row], words: Words) -> list[str]:
    """On how many metrics each group is indistinguishable from what is real, on which the samples are nearer
    or farther than the Markov chain, and what `words.told` asks for."""
    if not (REAL in groups and SAMPLES in groups):
        return []
    tested = [row for row in rows if row.testable and SAMPLES in row.groups]
    if not tested:
        more = "sample.count and dataset.split.test give more"
        return [f"samples and held-out {words.real}: too few {words.letters} to test; {more}"]
    lines = [_counts(tested, words), *_against_markov(tested, words)]
    for kind in words.told:
        of_kind = [row for row in tested if row.measure.name.startswith(kind)]
        if of_kind:
            lines.append(_line(of_kind[-1], words))
    return lines


def families(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows, those of one family together: nested metrics count as one."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.measure.family or row.measure.name, []).append(row)
    return list(found.values())


def count_alike(rows: Sequence[Row], name: str) -> int:
    """On how many metrics a group is indistinguishable from real sequences."""
    return sum(not any(row.beyond_noise(name) for row in each) for each in families(rows))


def _counts(tested: Sequence[Row], words: Words) -> str:
    metrics = len(families(tested))
    others = [*tested[0].nulls, *([CONTROL] if CONTROL in tested[0].groups else [])]
    counts = ", ".join(f"{name} on {count_alike(tested, name)}" for name in others)
    alike = f"{count_alike(tested, SAMPLES)} of {metrics} metrics of {words.kind}"
    said = f"samples: indistinguishable from held-out {words.real} on {alike}"
    said = f"{said} ({counts})" if counts else said
    if SHUFFLED in tested[0].nulls and count_alike(tested, SHUFFLED) >= LOW_POWER_SHARE * metrics:
        return f"{said}; too few held-out {words.real} to conclude from"
    return said


def _against_markov(tested: Sequence[Row], words: Words) -> list[str]:
    """A line on where the samples are nearer to what is real than the Markov chain is, and where farther."""
    chain = next((name for name in tested[0].nulls if name.startswith(CHAIN)), None)
    if chain is None:
        return []
    nearer = _named(tested, chain, SAMPLES)
    farther = _named(tested, SAMPLES, chain)
    if not nearer and not farther:
        return [f"samples and {chain}: neither is nearer to {words.real} on any metric"]
    said = f"samples are nearer to {words.real} than {chain} on {_some(nearer)}"
    return [f"{said}; {chain} is nearer on {_some(farther)}"]


def warnings_of(rows: Sequence[Row], words: Words) -> list[str]:
    """A warning where samples differ from real sequences on most metrics and the Markov chain is nearer on
    more of them than the samples are, with a remedy."""
    tested = [row for row in rows if row.testable and SAMPLES in row.groups]
    chain = next((name for row in tested for name in row.nulls if name.startswith(CHAIN)), None)
    metrics = len(families(tested))
    if chain is None or 2 * count_alike(tested, SAMPLES) >= metrics:
        return []
    nearer, farther = len(_named(tested, chain, SAMPLES)), len(_named(tested, SAMPLES, chain))
    if farther <= nearer:
        return []
    return [
        f"the samples are worse than those of {chain}: it is nearer to {words.real} on {farther} of "
        f"{metrics} metrics, the samples on {nearer}; sample at temperature 1, or train longer"
    ]


def _named(tested: Sequence[Row], worse: str, than: str) -> list[str]:
    """The metrics by which one group differs from real sequences, and is further from them than another."""
    lost = ([row for row in each if _loses(row, worse, than)] for each in families(tested))
    rows = [max(each, key=lambda row: row.errors_away(worse)) for each in lost if each]
    found = sorted(rows, key=lambda row: -row.errors_away(worse))
    return [row.measure.name.rstrip(")").partition(" (")[0] for row in found]


def _loses(row: Row, worse: str, than: str) -> bool:
    return row.beyond_noise(worse) and row.further(worse, than)


def _some(names: Sequence[str]) -> str:
    if not names:
        return "0 metrics"
    more = ", …" if len(names) > MAX_NAMED else ""
    return f"{len(names)} metric{'s' * (len(names) > 1)} ({', '.join(names[:MAX_NAMED])}{more})"


def most_unlike(rows: Sequence[Row], words: Words, most: int = 3) -> list[str]:
    """A line on the measures by which the samples differ most from what is real, if they do."""
    told = [row for row in rows if {REAL, SAMPLES} <= set(row.groups) and row.beyond_noise(SAMPLES)]
    worst = sorted(told, key=lambda row: -row.errors_away(SAMPLES))[:most]
    return [f"most unlike {words.real}: {'; '.join(_both(row, words) for row in worst)}"] if worst else []


def _both(row: Row, words: Words) -> str:
    """The value of the samples and the real one, with the unit."""
    name, _, unit = row.measure.name.rstrip(")").partition(" (")
    if row.measure.distance is not None:
        return f"{name} {row.distance(SAMPLES):.2g} ({words.real} among themselves {row.floor.mean():.2g})"
    unit = unit if unit == "%" else f" {unit}".rstrip()
    mine, real = (f"{float(row.groups[group].value):.3g}{unit}" for group in (SAMPLES, REAL))
    return f"{name} {mine} ({words.real} {real})"


def shown(row: Row, name: str) -> str:
    """A number, or the distance from what is real, which has none from itself but the floor."""
    if row.measure.distance is None:
        return f"{float(row.groups[name].value):.4g}"
    return "" if row.groups[name].apart is None else f"{row.distance(name):.4g}"


def _line(row: Row, words: Words) -> str:
    real = f"held-out real {shown(row, REAL)}"
    if row.measure.distance is not None:
        real = f"real against itself {row.floor.mean():.4g}"
    return f"{row.measure.name}: samples {shown(row, SAMPLES)}, {real}. Verdict: {verdict(row, words)}"


def _direction(row: Row) -> str:
    if row.measure.distance is not None:
        return ""
    return ": more" if row.groups[SAMPLES].value > row.groups[REAL].value else ": less"


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
