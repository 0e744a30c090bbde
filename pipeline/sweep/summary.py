"""A sweep as a table and a page: figures of each configuration, with mean and standard error over seeds.

Jobs whose settings are equal but for `seed` are one configuration. `seed` starts training and sampling, not
the split, so that the standard error shows how far figures vary by chance in training, on equal test data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from pipeline.evaluation.plots import COLOURS, new_figure, save_svg
from pipeline.records import QUALITY, RESULTS
from pipeline.report.page import write_report
from pipeline.sweep.jobs import Job, read_jobs

TABLE, JOBS, PLOT, PAGE = "sweep.tsv", "sweep_jobs.tsv", "sweep.svg", "sweep.html"
OBJECTIVE = "validation_bits"
"""Configurations are ordered by this figure; the test split is only reported."""
FIGURES = {
    OBJECTIVE: "bits per symbol (validation)",
    "test_bits": "bits per symbol (test)",
    "baseline_bits": "strongest baseline (test)",
    "parameters": "parameters",
}
"""Figures of a job's stages that the tables show, with their headers."""
VARYING = (OBJECTIVE, "test_bits")
"""Figures that vary with the seed; the others are as good as constants."""
IGNORED = frozenset(("seed", "run", "stages"))
"""Settings that distinguish no configurations."""
CAPTION = (
    "Configurations in the order of their bits on the validation split, best first. ± is the standard error "
    "of the mean over seeds; one seed has none. Runs that differ in seed share their test data, so that ± "
    "says nothing about other test data."
)


@dataclass(frozen=True)
class Configuration:
    """Jobs with equal settings but for the seed: `settings` are those that differ in the sweep."""

    settings: Mapping[str, str]
    jobs: Sequence[Job]

    @property
    def label(self) -> str:
        """The settings as overrides, such as ``model=gru train.lr=0.01``."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items()) or "defaults"

    @property
    def finished(self) -> list[Job]:
        """The jobs that have not failed."""
        return [job for job in self.jobs if job.error is None]

    def values(self, figure: str) -> list[float]:
        """A figure of every finished job that has it."""
        found = (job.figures.get(figure) for job in self.finished)
        return [float(value) for value in found if isinstance(value, int | float)]


@dataclass(frozen=True)
class Summary:
    """Lines for the end of a sweep, and how many of its jobs failed."""

    lines: Sequence[str] = ()
    failed: int = 0


def summarise(sweep: Path, command: Sequence[str]) -> Summary:
    """Write the tables, the plot and the page of a sweep folder.

    `command` are the overrides of the sweep as the user typed them. Without a job nothing is written.
    Raises DataError where a job's folder holds damaged files.
    """
    jobs = read_jobs(sweep)
    if not jobs:
        return Summary()
    configurations = _in_order(_configurations(jobs))
    _write_table(configurations, sweep / TABLE)
    _write_jobs(jobs, _varied(jobs, IGNORED - {"seed"}), sweep / JOBS)
    measured = [each for each in configurations if each.values(OBJECTIVE)]
    shown = [_plot(measured, sweep / PLOT)] if measured else []
    lines = [*_failures(jobs), *_best(measured)]
    _write_page(sweep, jobs, lines, shown, command)
    failed = sum(job.error is not None for job in jobs)
    return Summary([*lines, f"sweep of {len(jobs)} jobs, {failed} failed: {sweep / PAGE}"], failed)


def _varied(jobs: Sequence[Job], ignored: frozenset[str]) -> list[str]:
    """The settings in which jobs differ, in the order of the overrides."""
    keys = dict.fromkeys(key for job in jobs for key in job.settings if key not in ignored)
    return [key for key in keys if len({job.settings.get(key) for job in jobs}) > 1]


def _configurations(jobs: Sequence[Job]) -> list[Configuration]:
    keys = _varied(jobs, IGNORED)
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(tuple(job.settings.get(key, "default") for key in keys), []).append(job)
    return [Configuration(dict(zip(keys, values, strict=True)), group) for values, group in groups.items()]


def _in_order(configurations: Sequence[Configuration]) -> list[Configuration]:
    """Best first by the mean of the objective; those without it last."""

    def rank(each: Configuration) -> float:
        values = each.values(OBJECTIVE)
        return mean(values) if values else float("inf")

    return sorted(configurations, key=rank)


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean, from the sample standard deviation; None for fewer than two values."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def _write_table(configurations: Sequence[Configuration], path: Path) -> None:
    """One row a configuration: mean and standard error of every figure that some job has."""
    figures = [name for name in FIGURES if any(each.values(name) for each in configurations)]
    header = [*configurations[0].settings, "jobs", "failed"]
    for name in figures:
        header += [FIGURES[name], *([f"± {FIGURES[name]}"] if name in VARYING else [])]
    rows = [[*header, "seconds"]]
    for each in configurations:
        cells = [*each.settings.values(), str(len(each.jobs)), str(len(each.jobs) - len(each.finished))]
        for name in figures:
            values = each.values(name)
            cells.append(_number(mean(values)) if values else "")
            cells += [_number(standard_error(values))] if name in VARYING else []
        seconds = [job.seconds for job in each.finished]
        rows.append([*cells, f"{mean(seconds):.1f}" if seconds else ""])
    _write_rows(rows, path)


def _write_jobs(jobs: Sequence[Job], keys: Sequence[str], path: Path) -> None:
    """One row a job, with its error where it failed."""
    figures = [name for name in FIGURES if any(name in job.figures for job in jobs)]
    rows = [["job", *keys, *(FIGURES[name] for name in figures), "seconds", "error"]]
    for job in jobs:
        values = [_number(job.figures.get(name)) for name in figures]
        settings = [job.settings.get(key, "default") for key in keys]
        error = " ".join((job.error or "").split())
        rows.append([job.folder.name, *settings, *values, f"{job.seconds:.1f}", error])
    _write_rows(rows, path)


def _write_rows(rows: Sequence[Sequence[str]], path: Path) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def _number(value: Any) -> str:
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return f"{value:.4f}" if isinstance(value, float) else ""


def _failures(jobs: Sequence[Job]) -> list[str]:
    return [f"job {job.folder.name} failed: {job.error.splitlines()[0]}" for job in jobs if job.error]


def _best(measured: Sequence[Configuration]) -> list[str]:
    """The best configuration by validation bits, and whether the next one differs from it."""
    if len(measured) < 2:
        return []
    best, second = measured[:2]
    values, others = best.values(OBJECTIVE), second.values(OBJECTIVE)
    if {*values} == {*others}:
        return ["the best configurations have equal bits on the validation split: they train alike"]
    return [
        f"best by validation: {best.label}, {_with_error(values)} bits per symbol",
        f"next: {second.label}, {_with_error(others)} bits; {_compared(values, others)}",
    ]


def _with_error(values: Sequence[float]) -> str:
    error = standard_error(values)
    return f"{mean(values):.4f}" + (f" ± {error:.4f}" if error is not None else "")


def _compared(best: Sequence[float], other: Sequence[float]) -> str:
    """What the seeds say of the difference of two means: Welch's interval (B. L. Welch, Biometrika, 1947)."""
    if min(len(best), len(other)) < 2:
        return "one seed: chance in training may explain the order; sweep over seed=0,1,2 too"
    squares = [stdev(values) ** 2 / len(values) for values in (best, other)]
    difference, error = mean(best) - mean(other), sqrt(sum(squares))
    if error == 0:
        return f"difference {difference:+.4f} bits; the seeds gave equal figures"
    pairs = zip(squares, (best, other), strict=True)
    freedom = error**4 / sum(square**2 / (len(values) - 1) for square, values in pairs)
    half = float(student.ppf(0.975, freedom)) * error
    verdict = "no difference found" if abs(difference) <= half else "the first is better"
    interval = f"95% interval {difference - half:+.4f} to {difference + half:+.4f}"
    return f"difference {difference:+.4f} ({interval}): {verdict}"


def _plot(configurations: Sequence[Configuration], path: Path) -> Path:
    """Validation bits of every job, and the mean of each configuration with its standard error."""
    figure = new_figure(height_in=1.1 + 0.34 * len(configurations))
    axes = figure.subplots()
    for row, each in enumerate(configurations):
        values = each.values(OBJECTIVE)
        axes.plot(values, [row] * len(values), "o", color=COLOURS["shuffled"], ms=4, zorder=2)
        axes.errorbar(
            mean(values), row, xerr=standard_error(values), fmt="s", ms=5, capsize=3, zorder=3,
            color=COLOURS["samples"],
        )  # fmt: skip
    axes.set_yticks(range(len(configurations)), [each.label for each in configurations])
    axes.invert_yaxis()
    axes.set_xlabel("bits per symbol on the validation split")
    return save_svg(figure, path)


def _write_page(
    sweep: Path, jobs: Sequence[Job], lines: Sequence[str], plots: Sequence[Path], command: Sequence[str]
) -> None:
    """The page of a sweep, made like the report of a run."""
    reports = [f"{job.folder.name}/report.html" for job in jobs if (job.folder / "report.html").is_file()]
    sections = [
        {
            "title": "Configurations",
            "files": [TABLE, *(path.name for path in plots)],
            "caption": CAPTION,
            "part": QUALITY,
        },
        {"title": "Jobs", "files": [JOBS], "caption": "", "part": QUALITY},
        {"title": "Reports of the jobs", "files": reports, "caption": "", "part": RESULTS},
    ]
    data = next((str(job.figures["data"]) for job in jobs if "data" in job.figures), "a data set")
    manifest = {
        "dataset": f"Sweep: {data}", "overrides": list(command),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "stages": {"sweep": {
            "summary": [], "conclusions": list(lines), "sections": sections, "outputs": {},
            "seconds": sum(job.seconds for job in jobs), "figures": {},
            "kept": {"jobs": sum(job.error is None for job in jobs)},
            "rejected": {"failed": failed} if (failed := sum(job.error is not None for job in jobs)) else {},
        }},
    }  # fmt: skip
    again = ["-m", *command, f"hydra.sweep.dir={sweep}"]
    write_report(manifest, sweep, sweep / PAGE, {"Continue this sweep, or write its page again": again})
