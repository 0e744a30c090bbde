"""What a scoreboard says in words: of each measure, and of all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.scoreboard.scoring import REAL, SAMPLES, SHUFFLED, Row

Groups = Mapping[str, Sequence[str]]
"""A name to sequences."""


@dataclass(frozen=True)
class Words:
    """What letters, sequences and real ones are called, as in "bases", "DNA" and "real DNA", and the first
    words of the names of those measures of which the last to tell anything is told at the end of a run."""

    letters: str
    kind: str
    real: str
    told: tuple[str, ...]


def verdict(row: Row, words: Words) -> str:
    """Whether the samples differ from real sequences beyond noise, and which groups are nearer or as near."""
    if not {REAL, SAMPLES} <= set(row.groups):
        return ""
    if not row.beyond_noise(SAMPLES):
        alike = [name for name in row.nulls if not row.beyond_noise(name)]
        # Where what a shuffle destroys is not seen to be missing, nothing is seen of the samples either.
        if SHUFFLED in alike and not row.measure.kept_by_shuffling:
            return f"too few {words.letters} to tell {_listed([SAMPLES, *alike])} from {words.real}"
        said = f"as {words.real}, within noise"
        return f"{said}; so {'is' if len(alike) == 1 else 'are'} {_listed(alike)}" if alike else said
    said = f"differs from {words.real}{_direction(row)}"
    if not row.nulls:
        return said
    nearest = row.nearest()
    if nearest == [SAMPLES]:
        return f"{said}; nearer than every null"
    if SAMPLES in nearest:
        return f"{said}; as near as {_listed([name for name in nearest if name != SAMPLES])}"
    return f"{said}; {_listed([n for n in row.nulls if row.distance(n) < row.distance(SAMPLES)])} nearer"


def summary_of(groups: Groups, rows: Sequence[Row], words: Words) -> list[str]:
    """How many measures, of those that tell any group from what is real, put each group within the noise of
    it; and what `words.told` asks for."""
    if not (REAL in groups and SAMPLES in groups):
        return []
    told = [row for row in rows if row.tells]
    if not told:
        more = "sample.count and dataset.split.test give more"
        return [f"samples beside held-out {words.real}: too few {words.letters} to tell; {more}"]
    near = {name: sum(not row.beyond_noise(name) for row in told) for name in (SAMPLES, *told[0].nulls)}
    line = f"{SAMPLES} cannot be told from {words.real} by {near.pop(SAMPLES)} of {len(told)} measures of "
    others = ", ".join(f"{name} by {count}" for name, count in near.items())
    lines = [line + words.kind + (f" ({others})" if others else "")]
    for kind in words.told:
        of_kind = [row for row in told if row.measure.name.startswith(kind)]
        if of_kind:
            lines.append(_line(of_kind[-1], words))
    return lines


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
    parts = [f"{name} {shown(row, name)}" for name in row.groups if shown(row, name)]
    if row.floor is not None and row.measure.distance is not None:
        parts.append(f"real against itself {row.floor.mean():.4g}")
    return f"{row.measure.name}: {', '.join(parts)}; verdict: {verdict(row, words)}"


def _direction(row: Row) -> str:
    if row.measure.distance is not None:
        return ""
    return ": more" if row.groups[SAMPLES].value > row.groups[REAL].value else ": less"


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
