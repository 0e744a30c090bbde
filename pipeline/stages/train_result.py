"""The result of training: bits per symbol of model and baselines, a conclusion with an interval, and
remedies."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.config.build import build
from pipeline.data.corpus import Corpus
from pipeline.evaluation.bits import Tally
from pipeline.evaluation.markov_baseline import Baseline, find_strongest
from pipeline.evaluation.paired_differences import NEGLIGIBLE, Difference, compare_tallies, write_block_table
from pipeline.evaluation.plots import learning_curves, rate_search
from pipeline.models.checkpoint import Loaded
from pipeline.records import QUALITY, ReportSection, StageResult
from pipeline.runtime.files import reading_back
from pipeline.training.diagnostics import advise, time_to_reach
from pipeline.training.inputs import TrainInputs
from pipeline.training.lr_finder import TABLE_FILE
from pipeline.training.previews import PREVIEWS, show_previews

COPY_ORDER = 10
"""Contexts of at least this length recur mostly in copies."""


@dataclass(frozen=True)
class Measured:
    """A trained model, its evaluation on the test split, and the baselines."""

    chosen: Loaded
    tally: Tally
    baselines: Sequence[Baseline]

    @property
    def name(self) -> str:
        """The name of the model."""
        return str(build(self.chosen.about["model"], "model"))

    @property
    def baseline(self) -> Baseline:
        """The strongest baseline."""
        return find_strongest(self.baselines)

    @property
    def difference(self) -> Difference:
        """The difference from the strongest baseline on the test split."""
        return compare_tallies(self.tally, self.baseline.test)


def summarise(inputs: TrainInputs, out_dir: Path, measured: Measured, notes: Sequence[str]) -> StageResult:
    """Write the tables and plots of training, and return its result.

    The conclusion is the first line, after a warning where the model is worse than the strongest baseline.
    """
    unit, corpus, tally = inputs.domain.symbol_name, inputs.corpus, measured.tally
    rows = _rows(out_dir / "metrics.csv") if (out_dir / "metrics.csv").exists() else []
    line = _headline(measured, corpus, unit)
    units = sum(inputs.domain.count_units(record.symbols) for record in corpus.records("test", inputs.domain))
    per_unit = {f"test_bits_per_{inputs.domain.larger_unit}": tally.total_bits / units} if units else {}
    if units and inputs.domain.larger_unit != unit:
        line += f". {tally.total_bits / units:.3f} bits per {inputs.domain.larger_unit}"
    warnings = _warnings(measured, rows, out_dir, unit)
    sections = _tables(measured, corpus, unit, rows, out_dir, ". ".join([line, *notes]))
    if rows:
        sections += _learning_sections(inputs, out_dir, rows, measured)
        notes = [*notes, *filter(None, [_advice(inputs, rows)])]
    return StageResult(
        warnings=warnings,
        summary=(*warnings, line, *notes[1:]),
        conclusions=(*warnings, line),
        figures={
            **_figures(measured),
            **({"validation_bits": min(validated)} if (validated := _validated(rows)) else {}),
            "parameters": sum(p.numel() for p in measured.chosen.model.parameters()),
            **per_unit, **{f"test_bits_{mark}": bits for mark, bits in tally.bits_by_mark.items()},
        },
        sections=tuple(sections),
    )  # fmt: skip


def _validated(rows: Sequence[Mapping[str, float]]) -> list[float]:
    """The bits on the validation split, of every time that it was measured."""
    return [row["validation_bits"] for row in rows if np.isfinite(row.get("validation_bits", np.nan))]


def _headline(measured: Measured, corpus: Corpus, unit: str) -> str:
    """The line with the bits of the model and of the strongest baseline, and the conclusion."""
    name = measured.baseline.name.removeprefix("Markov ")
    kind = "best Markov model" if name != measured.baseline.name else "strongest baseline"
    conclusion = _conclusion(measured.difference, _blocks(corpus))
    return (
        f"{measured.tally.bits:.3f} bits per {unit} on the test split, {kind} ({name}) "
        f"{measured.baseline.test.bits:.3f}. {conclusion[0].upper()}{conclusion[1:]}"
    )


def _conclusion(difference: Difference, blocks: str) -> str:
    """The conclusion on the model and the strongest baseline, in words."""
    count = difference.blocks
    blocks = blocks if count != 1 else blocks.removesuffix("s")
    if difference.conclusion == "too few blocks":
        return f"{count} test {blocks}, too few for a conclusion ({difference.bits:+.3f} bits)"
    if abs(difference.bits) < NEGLIGIBLE:
        return f"no difference found (less than {NEGLIGIBLE} bits over {count} test {blocks})"
    better = f"better in {difference.better_blocks} of {count} test {blocks}"
    seen = f"95% interval {difference.interval}, {better}"
    if difference.conclusion == "no difference found":
        return f"no difference found ({difference.bits:+.3f} bits; {seen})"
    return f"the model predicts {difference.conclusion} ({difference.bits:+.3f} bits; {seen})"


def _blocks(corpus: Corpus) -> str:
    """The name of the parts of the test split: records or blocks."""
    whole = {(start, stop) for start, stop in corpus.record_spans.tolist()}
    segments = corpus.subset_segments("test").tolist()
    return "records" if all(tuple(each) in whole for each in segments) else "blocks"


def _warnings(
    measured: Measured, rows: Sequence[Mapping[str, float]], out_dir: Path, unit: str
) -> tuple[str, ...]:
    """The warning that the model is worse than a baseline, with a remedy."""
    difference, baseline = measured.difference, measured.baseline
    if difference.conclusion != "worse":
        return ()
    remedy = "train a model on this data (leave out checkpoint=…)"
    if rows:
        remedy = time_to_reach(rows, baseline.validation.bits, *_elapsed(out_dir / "last.ckpt"))
    if not measured.name.startswith("mixture") and gains_by_copies(measured.baselines, difference.bits):
        remedy = f"the data repeats itself: use model=mixture, which looks up repeats; {remedy}"
    return (
        f"this model is worse than its baseline ({baseline.name}) by {difference.bits:.3f} bits per {unit}. "
        f"Remedy: {remedy}; or use model=markov, the baseline itself",
    )


def gains_by_copies(baselines: Sequence[Baseline], lead: float) -> bool:
    """Whether long contexts, which recur mostly in copies, give more than half of the `lead` of the strongest
    baseline.

    `lead` is in bits per symbol.
    """
    short = [each.test.bits for each in baselines if each.order in range(COPY_ORDER)]
    return bool(short) and min(short) - find_strongest(baselines).test.bits > lead / 2


def _elapsed(last: Path) -> tuple[float, int]:
    """Return the seconds of training, with those before an interruption, and the steps."""
    content = torch.load(last, map_location="cpu", weights_only=True)
    return float(content["resume"]["elapsed_s"]), int(content["global_step"])


def _figures(measured: Measured) -> dict[str, float | str | None]:
    """The figures of the manifest; a difference is the bits of the model minus those of the baseline."""
    difference, baseline = measured.difference, measured.baseline
    return {
        "test_bits": measured.tally.bits, "markov_bits": _markov(measured.baselines).test.bits,
        "markov_order": _markov(measured.baselines).order, "baseline": baseline.name,
        "baseline_bits": baseline.test.bits, "difference_bits": difference.bits,
        "difference_low": difference.low, "difference_high": difference.high,
        "difference_blocks": difference.blocks, "conclusion": difference.conclusion, "model": measured.name,
    }  # fmt: skip


def _markov(baselines: Sequence[Baseline]) -> Baseline:
    return next(each for each in baselines if each.candidate and each.order is not None)


def _tables(
    measured: Measured, corpus: Corpus, unit: str, rows: Sequence[Mapping[str, float]], out_dir: Path,
    caption: str,
) -> list[ReportSection]:  # fmt: skip
    """The sections with the bits of all models, and the differences from the strongest baseline."""
    scores = _write_scores(measured, rows, unit, out_dir / "scores.tsv")
    differences = _write_differences(measured, corpus, out_dir / "differences.tsv")
    blocks = write_block_table(measured.tally, measured.baseline.test, corpus, out_dir / "blocks.tsv")
    said = (
        f"The model's bits per {unit} minus those of the strongest baseline ({measured.baseline.name}), "
        f"paired over test {_blocks(corpus)}, the independent observations; below 0 the model is better. "
        "Where the 95% interval covers 0, no difference was found. How the baseline is chosen and what the "
        "interval does not show: docs/explanation/baselines.md."
    )
    return [
        ReportSection("Bits on the test split", (scores,), caption, part=QUALITY),
        ReportSection("Difference from the strongest baseline", (differences, blocks), said, part=QUALITY),
    ]


def _write_scores(measured: Measured, rows: Sequence[Mapping[str, float]], unit: str, path: Path) -> Path:
    """The model, the strongest baseline, and all others that were tried."""
    marks = list(measured.tally.bits_by_mark)
    # Where all symbols have one mark, or none, its column would only repeat the total.
    marks = marks if len(marks) > 1 else []
    validated = _validated(rows)
    best = measured.baseline
    named = [(measured.name, measured.tally, min(validated, default=None)),
             (best.name, best.test, best.validation.bits)]  # fmt: skip
    others = [each for each in measured.baselines if each is not best]
    named += [(each.name, each.test, each.validation.bits) for each in others]
    with path.open("w", encoding="utf-8") as stream:
        header = ["model", f"bits per {unit} (test)", *marks, "perplexity", f"bits per {unit} (validation)"]
        stream.write("\t".join(header) + "\n")
        for label, tally, validation in named:
            values = [tally.bits, *(tally.bits_by_mark[mark] for mark in marks), 2**tally.bits, validation]
            cells = ["" if value is None else f"{value:.4f}" for value in values]
            stream.write("\t".join([label, *cells]) + "\n")
    return path


def _write_differences(measured: Measured, corpus: Corpus, path: Path) -> Path:
    """Write a row for all symbols, and one for each mark where there are several."""
    names = corpus.mark_names
    marks = [number for number, name in enumerate(names) if name in measured.tally.bits_by_mark]
    parts = [("all", None), *((names[number], number) for number in marks if len(marks) > 1)]
    columns = ("symbols", "baseline", "difference", "low", "high", "blocks", "better_in", "conclusion")
    with path.open("w", encoding="utf-8") as stream:
        stream.write("\t".join(columns) + "\n")
        for name, mark in parts:
            found = compare_tallies(measured.tally, measured.baseline.test, mark)
            numbers = (found.bits, found.low, found.high)
            cells = ["" if value is None else f"{value:+.4f}" for value in numbers]
            counts = [str(found.blocks), str(found.better_blocks)]
            line = [name, measured.baseline.name, *cells, *counts, found.conclusion]
            stream.write("\t".join(line) + "\n")
    return path


def _learning_sections(
    inputs: TrainInputs, out_dir: Path, rows: Sequence[Mapping[str, float]], measured: Measured
) -> list[ReportSection]:
    """The sections with learning curves and advice, samples during training, and the learning-rate range
    test."""
    unit, baseline = inputs.domain.symbol_name, measured.baseline
    level = {f"{baseline.name} (validation)": baseline.validation.bits}
    curves = learning_curves(rows, out_dir / "learning_curves.svg", unit, level)
    caption = ". ".join(filter(None, [_on_validation(rows, measured), _advice(inputs, rows)]))
    sections = [ReportSection("Learning curves", (curves,), caption)]
    if previews := show_previews(out_dir / PREVIEWS):
        shown = out_dir / "previews.txt"
        shown.write_text(previews, encoding="utf-8")
        sections.append(ReportSection("Samples during training", (shown,), "With the same random numbers."))
    if (out_dir / TABLE_FILE).exists():
        path = out_dir / "learning_rate_search.svg"
        search = rate_search(_rows(out_dir / TABLE_FILE), inputs.settings.lr, path, unit)
        sections.append(ReportSection("Learning-rate range test", (search,)))
    return sections


def _on_validation(rows: Sequence[Mapping[str, float]], measured: Measured) -> str:
    """The caption on the validation curve and the baseline; it notes a different conclusion on the test
    split."""
    bits = _validated(rows)
    if not bits:
        return ""
    gap, difference = min(bits) - measured.baseline.validation.bits, measured.difference
    side = "at" if abs(gap) < NEGLIGIBLE else f"{abs(gap):.3f} bits {'below' if gap < 0 else 'above'}"
    said = f"On the validation split, the best model is {side} the line of the baseline"
    if difference.conclusion == ("better" if gap < 0 else "worse"):
        return said
    return (
        f"{said}; the conclusion on the test split is: {difference.conclusion} ({difference.bits:+.3f} "
        "bits). The test split counts, because model and baseline were both chosen on the validation split"
    )


def _advice(inputs: TrainInputs, rows: Sequence[Mapping[str, float]]) -> str | None:
    per_step = inputs.settings.batch_size * inputs.settings.bptt_steps
    return advise(rows, per_step / inputs.corpus.subset_size("train"))


def _rows(path: Path) -> list[dict[str, float]]:
    """Read the rows of numbers of a .csv or .tsv file."""
    with reading_back(path, "train again"), path.open(encoding="utf-8") as stream:
        rows = csv.DictReader(stream, delimiter="," if path.suffix == ".csv" else "\t")
        return [{k: float(v) for k, v in row.items() if v} for row in rows]
